//! Who may come in at the front door: devices, integrators and claimants, with the credentials that they show.

use crate::error::Result;
use crate::session::KeptSession;
use crate::telemetry::Device;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// What a client shows in its CONNECT or in its TLS handshake. Prints neither secrets nor tokens.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// User name `tenant/device`, password = the device's secret: its own, or HMAC-SHA256(group key, device) in lower-case
    /// hexadecimal.
    Secret {
        /// The tenant it claims.
        tenant: TenantId,
        /// The name it claims within the tenant.
        device: DeviceId,
        /// As shown.
        secret: String,
    },
    /// User name = access token of a device, an integrator or a claimant.
    Token(String),
    /// A client certificate that one of the tenant's authorities signed and that is not on its revocation list: both
    /// checked in the handshake.
    Certificate {
        /// Whose authority signed it.
        tenant: TenantId,
        /// Common name of its subject.
        device: DeviceId,
    },
}

/// Tenant and device, or that it was a token.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { tenant, device, .. } => write!(f, "{tenant}/{device}"),
            Self::Token(_) => f.write_str("access token"),
            Self::Certificate { tenant, device } => write!(f, "certificate of {tenant}/{device}"),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({self})")
    }
}

/// Who a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An appliance's device, with the session that is kept for it, if any and not expired.
    Device(Device, Option<KeptSession>),
    /// Somebody's program that reads along within one tenant.
    Integrator(Integrator),
    /// A device that has nothing yet but the right to ask for a credential.
    Claimant(Claimant),
}

/// A program that may subscribe to the listed filters within its tenant, and publish nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrator {
    /// Whose data.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: String,
    /// Filters as an administrator granted them, e.g. `d/+/t`; what it subscribes to must be one of these or narrower.
    pub filters: Vec<String>,
}

/// The holder of a claim credential: may use `p/{nonce}/…` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Whose devices it provisions.
    pub tenant: TenantId,
    /// Name of the claim credential within the tenant.
    pub name: String,
    /// Profile that new devices get.
    pub profile: String,
}

/// What a device asks for with a claim credential.
#[derive(Clone, PartialEq, Eq)]
pub struct ProvisionRequest {
    /// Its serial number: its name within the tenant from now on.
    pub device: DeviceId,
    /// DER of a PKCS #10 request (RFC 2986): it wants a certificate. Without one it gets a secret.
    pub csr: Option<Vec<u8>>,
    /// The secret that it has made itself, as [`hub_core::access::check_own_secret`] wants it: then it gets no other. Not
    /// beside a certificate request.
    pub secret: Option<String>,
}

/// The device, and what it wants.
impl fmt::Debug for ProvisionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wants = match (&self.csr, &self.secret) {
            (Some(_), _) => "a certificate",
            (None, Some(_)) => "its own secret",
            (None, None) => "a secret",
        };
        write!(f, "ProvisionRequest({}, {wants})", self.device)
    }
}

/// What it gets.
#[derive(Clone, PartialEq, Eq)]
pub enum Provisioned {
    /// Nothing but the word that the secret which it has made itself lets it in.
    Own,
    /// Its own secret, told once.
    Secret(String),
    /// A certificate signed by the tenant's own authority at the hub, and that authority's, both PEM.
    Certificate {
        /// The device's.
        certificate: String,
        /// The authority's.
        authority: String,
    },
}

impl fmt::Debug for Provisioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "Own",
            Self::Secret(_) => "Secret(hidden)",
            Self::Certificate { .. } => "Certificate",
        })
    }
}

/// A certificate authority of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Tenant that it belongs to.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: String,
    /// DER of the certificate.
    pub certificate: Vec<u8>,
    /// DER of the newest revocation list (RFC 5280 §5), if one was given.
    pub revocations: Option<Vec<u8>>,
}

/// Access that was taken away or changed; a client that is connected with it must come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessChange {
    /// Of a device: revoked, or a credential retired.
    Device(ApplianceId),
    /// Of an integrator.
    Integrator {
        /// Tenant that it belongs to.
        tenant: TenantId,
        /// Name of the credential.
        name: String,
    },
    /// Of a claim credential.
    Claimant {
        /// Tenant that it belongs to.
        tenant: TenantId,
        /// Name of the credential.
        name: String,
    },
    /// An authority or a revocation list was added or removed: TLS must load them again, and devices that are connected
    /// with a certificate of this tenant must come again.
    Authorities(TenantId),
}

/// Whether a token is a program's, or a maker's line's: by how it begins.
pub fn is_program(token: &str) -> bool {
    ["int_", "claim_"].iter().any(|prefix| token.starts_with(prefix))
}

/// What the front door asks.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Who each credential belongs to, in order; `None` where it is wrong, unknown, ambiguous or revoked. One round trip for
    /// all, so that a fleet that reconnects costs a few of them. A device of a group that enrols by itself is made here.
    async fn identify(&self, shown: &[Credential], now: Timestamp) -> Result<Vec<Option<Principal>>>;

    /// Changes since the last call, at once where there are any; nothing when `patience` has passed. A change made by
    /// another process is seen within half a second. Each is told at least once: until the call after that has come, it
    /// may be told to another process, or again after a restart. One caller in a process.
    async fn access_changed(&self, patience: Duration) -> Result<Vec<AccessChange>>;

    /// Authorities of all tenants.
    async fn authorities(&self) -> Result<Vec<Authority>>;

    /// Gives a device its credential. A device that has one already is refused, unless the claim credential says that it
    /// may be given again. One that asks by the secret that lets it in already is answered as before, and takes no further
    /// use of the claim credential: its answer was lost.
    async fn provision(&self, claimant: &Claimant, request: &ProvisionRequest, now: Timestamp) -> Result<Provisioned>;

    /// A device that is in gives itself a new secret, as [`hub_core::access::check_own_secret`] wants it. The one before, or
    /// its group's key, goes on letting it in; what was in the second place stops. With the secret that it has, nothing
    /// changes. `Refused` for the one before the present one, and for a device that comes in by a certificate alone.
    async fn propose_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()>;

    /// Ends whatever else lets a device in: the secret before `secret`, and its group's key. With nothing to end, nothing
    /// changes. `Refused` unless `secret` is the device's present one. Certificates stay.
    async fn end_old_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()>;
}
