//! Credentials as an administrator gives them and takes them away. A client that is connected with one that is taken away is
//! told as an [`AccessChange`](crate::access::AccessChange) in the same transaction.

use crate::error::Result;
use crate::page::Page;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use jiff::Timestamp;
use serde::Serialize;

/// Group keys of one tenant: each login of an unknown device tries them all.
pub const GROUPS_MAX: i64 = 32;
/// Certificate authorities of one tenant.
pub const AUTHORITIES_MAX: i64 = 16;
/// Integrators of one tenant, and claim credentials of one tenant.
pub const TOKENS_MAX: i64 = 256;
/// Filters of one integrator.
pub const FILTERS_MAX: usize = 16;
/// Shortest and longest group key, in bytes.
pub const GROUP_KEY_LEN: std::ops::RangeInclusive<usize> = 16..=64;

/// A device and what it may come in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceAccess {
    /// Its appliance.
    pub appliance: ApplianceId,
    /// Tenant that owns the device.
    pub tenant: TenantId,
    /// Name within the tenant.
    pub device: DeviceId,
    /// Profile it reports by.
    pub profile: String,
    /// Nothing lets it in.
    pub revoked: bool,
    /// It has a secret of its own.
    pub secret: bool,
    /// The secret before that one still works.
    pub old_secret: bool,
    /// Until then, if an end was given.
    pub old_secret_until: Option<Timestamp>,
    /// The group by whose key it may come in.
    pub group: Option<String>,
    /// Certificates that this hub signed for it and that hold.
    pub certificates: i64,
    /// It is connected.
    pub online: bool,
}

/// A group of devices whose secrets derive from one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyGroup {
    /// Tenant that owns the group.
    pub tenant: TenantId,
    /// Name within the tenant.
    pub name: String,
    /// Profile of devices that enrol by it.
    pub profile: String,
    /// Unknown devices that show a secret of this group are made.
    pub enrols: bool,
    /// Secrets of the key before this one still work.
    pub previous: bool,
    /// Devices in it.
    pub devices: i64,
}

/// An integrator as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegratorView {
    /// Tenant that owns the integrator.
    pub tenant: TenantId,
    /// Name within the tenant.
    pub name: String,
    /// What it may subscribe to.
    pub filters: Vec<String>,
    /// Its token does not work any more.
    pub revoked: bool,
}

/// An authority as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityView {
    /// Tenant that owns the authority.
    pub tenant: TenantId,
    /// Name within the tenant.
    pub name: String,
    /// Subject of its certificate.
    pub subject: String,
    /// End of its certificate.
    pub not_after: Timestamp,
    /// Certificates on its newest revocation list; `None` without one.
    pub revoked: Option<i64>,
    /// Its key is at the hub, which signs with it.
    pub issues: bool,
}

/// What a claim credential allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimGrant {
    /// Profile of devices that come with it.
    pub profile: String,
    /// Not after this.
    pub expires_at: Timestamp,
    /// So many devices.
    pub uses: u32,
    /// A device that has a credential may be given a new one, which ends the old.
    pub replace: bool,
}

/// A claim credential as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimView {
    /// Tenant that owns the credential.
    pub tenant: TenantId,
    /// Name within the tenant.
    pub name: String,
    /// Profile of devices that come with it.
    pub profile: String,
    /// Not after this.
    pub expires_at: Timestamp,
    /// So many devices more.
    pub uses_left: i64,
    /// A device that has a credential may be given a new one.
    pub replace: bool,
    /// Its token does not work any more.
    pub revoked: bool,
}

/// Credentials of devices.
#[async_trait]
pub trait DeviceCredentials: Send + Sync {
    /// Devices with what they may come in with, by tenant and name.
    async fn device_access(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<DeviceAccess>>;

    /// Gives a device a new secret. The one before works on until `old_until`, or until it is retired; what was in the
    /// second place before that stops working.
    async fn rotate_secret(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        secret: &str,
        old_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()>;

    /// Ends the secret before the present one. `Refused` if there is none.
    async fn retire_secret(&self, tenant: &TenantId, device: &DeviceId) -> Result<()>;

    /// Lets nothing let this device in any more; certificates that this hub signed for it are revoked for good. With
    /// `revoked` false its other credentials work again.
    async fn revoke_device(&self, tenant: &TenantId, device: &DeviceId, revoked: bool, now: Timestamp) -> Result<()>;

    /// Makes a device, or changes what `device` states of one that exists; its credentials stay. One that has none comes
    /// in by a certificate from now on: neither a group's key nor a claim credential gives it another, unless that one may
    /// replace. `Refused` if it states another profile than the device has.
    async fn declare_device(
        &self,
        tenant: &TenantId,
        device: &hub_core::site::Device,
        now: Timestamp,
    ) -> Result<ApplianceId>;

    /// Puts a device into a group, so that it comes in by the group's key; makes the device if it is new.
    async fn join_group(
        &self,
        tenant: &TenantId,
        device: &DeviceId,
        group: &str,
        now: Timestamp,
    ) -> Result<ApplianceId>;

    /// Makes a group. The key is stored sealed.
    async fn add_group(
        &self,
        tenant: &TenantId,
        name: &str,
        key: &[u8],
        profile: &str,
        enrols: bool,
        now: Timestamp,
    ) -> Result<()>;

    /// Gives a group a new key. Secrets of the one before work until it is retired; `Refused` if there is such a one
    /// already: devices may still come in by it.
    async fn rotate_group(&self, tenant: &TenantId, name: &str, key: &[u8]) -> Result<()>;

    /// Ends the key before the present one. `Refused` if there is none.
    async fn retire_group(&self, tenant: &TenantId, name: &str) -> Result<()>;

    /// Groups by tenant and name.
    async fn groups(&self, actor: &Actor) -> Result<Vec<KeyGroup>>;

    /// The secret that a group's present key gives a device.
    async fn group_secret(&self, tenant: &TenantId, name: &str, device: &DeviceId) -> Result<String>;
}

/// Credentials of programs, makers' lines and authorities.
#[async_trait]
pub trait TenantCredentials: Send + Sync {
    /// Lets an integrator in by a token. Its name is taken permanently.
    async fn add_integrator(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        filters: &[String],
        now: Timestamp,
    ) -> Result<()>;

    /// Ends an integrator's token.
    async fn revoke_integrator(&self, tenant: &TenantId, name: &str) -> Result<()>;

    /// Integrators by tenant and name.
    async fn integrators(&self, actor: &Actor) -> Result<Vec<IntegratorView>>;

    /// Lets devices ask for credentials by a token. Its name is taken permanently.
    async fn add_claim_credential(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        grant: &ClaimGrant,
        now: Timestamp,
    ) -> Result<()>;

    /// Ends a claim credential; what was given by it stays.
    async fn revoke_claim_credential(&self, tenant: &TenantId, name: &str) -> Result<()>;

    /// Claim credentials by tenant and name.
    async fn claim_credentials(&self, actor: &Actor) -> Result<Vec<ClaimView>>;

    /// Trusts an authority's certificate (PEM or DER), or replaces the certificate of the one with this name. `Refused` if
    /// it is not one of an authority, does not hold now, or stands for another authority of this hub already.
    async fn put_authority(&self, tenant: &TenantId, name: &str, certificate: &[u8], now: Timestamp) -> Result<()>;

    /// Takes a revocation list (PEM or DER). `Refused` if the authority did not sign it, or it is older than the one there.
    /// The number of certificates on it.
    async fn put_revocations(&self, tenant: &TenantId, name: &str, list: &[u8], now: Timestamp) -> Result<usize>;

    /// Trusts an authority no longer.
    async fn remove_authority(&self, tenant: &TenantId, name: &str) -> Result<()>;

    /// Authorities by tenant and name.
    async fn authority_views(&self, actor: &Actor) -> Result<Vec<AuthorityView>>;
}
