//! What an administrator declares: tenants with their people, owners, service points, trunks and devices. Plain data,
//! read from a site file; applying it twice changes nothing.

use crate::appointment::WeeklySlot;
use crate::contact_plan::ContactPlan;
use crate::id::{DeviceId, TenantId};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use serde::Deserialize;
use std::collections::BTreeSet;

/// A whole site file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// One or more tenants.
    #[serde(rename = "tenant")]
    pub tenants: Vec<Tenant>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Name in credentials and rows.
    pub id: TenantId,
    /// Brand that owners hear, per language.
    pub brand: Localised,
    /// Rules for calls; defaults are the strict ones.
    #[serde(default)]
    pub contact_plan: ContactPlan,
    /// What a visit costs the owner.
    pub visit_price: Price,
    /// The trunk that calls leave through; without one nobody is rung.
    pub trunk: Option<Trunk>,
    /// Service points.
    #[serde(default, rename = "service_point")]
    pub service_points: Vec<ServicePoint>,
    /// Owners.
    #[serde(default, rename = "owner")]
    pub owners: Vec<Owner>,
    /// Devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Localised {
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    pub zh_cn: String,
    /// English.
    pub en: String,
}

impl Localised {
    /// The text in a language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::ZhCn => &self.zh_cn,
            Language::En => &self.en,
        }
    }
}

/// A price as owners hear it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// ISO 4217 code, e.g. `CNY`.
    pub currency: String,
    /// Whole units of the currency.
    pub amount: u32,
}

/// A SIP trunk.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Address of the carrier's proxy, `host:port` with a numeric host.
    pub proxy: std::net::SocketAddr,
    /// SIP domain in request and caller URIs.
    pub domain: String,
    /// For digest authentication.
    pub username: Option<String>,
    /// For digest authentication; stored encrypted.
    pub password: Option<String>,
    /// The main number: shown to owners, and answered when they ring back.
    pub caller_number: PhoneNumber,
}

impl std::fmt::Debug for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunk")
            .field("proxy", &self.proxy)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// A service point (服务网点).
#[derive(Debug, Clone, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePoint {
    /// Name within the tenant.
    pub id: String,
    /// Name that people see.
    pub name: Localised,
    /// IANA time zone, e.g. `Asia/Shanghai`.
    pub zone: String,
    /// Slots offered each week.
    #[serde(rename = "slot", default)]
    pub slots: Vec<WeeklySlot>,
}

/// An owner and what they allow.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Name within the tenant, e.g. the customer number. Never a phone number.
    pub id: String,
    /// Name for the person who rings back.
    pub name: String,
    /// Where they can be rung; encrypted before it is stored.
    pub phone: Option<PhoneNumber>,
    /// Language of calls and messages.
    pub language: Language,
    /// IANA time zone of the household.
    pub zone: String,
    /// Consent to service calls as the maker's records have it. Changing it appends to the ledger; a `true` here never
    /// undoes what the owner withdrew later by phone or link.
    pub consent_to_calls: bool,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name within the tenant, usually the serial number.
    pub id: DeviceId,
    /// Appliance profile it reports by, e.g. `washing-machine`.
    pub profile: String,
    /// Model folder that watches it, if not the family's own (evaluation of held-out models).
    pub model: Option<String>,
    /// Id of its owner.
    pub owner: Option<String>,
    /// Id of the service point that looks after it.
    pub service_point: Option<String>,
    /// SHA-256 of the device secret in hexadecimal. Without it `forecall device add` makes a secret and prints it once.
    pub secret_sha256: Option<String>,
}

/// A reference in the site file that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Two things of one kind have the same id.
    #[error("tenant {tenant}: {kind} {id} is declared twice")]
    Twice {
        /// Where.
        tenant: TenantId,
        /// What.
        kind: &'static str,
        /// Which.
        id: String,
    },
    /// A device names an owner, service point or profile that does not exist.
    #[error("tenant {tenant}: device {device} names {kind} {id}, which is not declared")]
    Unknown {
        /// Where.
        tenant: TenantId,
        /// Which device.
        device: DeviceId,
        /// What.
        kind: &'static str,
        /// Which.
        id: String,
    },
    /// Not an IANA zone.
    #[error("tenant {tenant}: {id} has time zone {zone}, which is not an IANA time zone such as Asia/Shanghai")]
    Zone {
        /// Where.
        tenant: TenantId,
        /// Whose.
        id: String,
        /// What was written.
        zone: String,
    },
    /// Not a SHA-256.
    #[error("tenant {tenant}: device {device}: secret_sha256 must be 64 hexadecimal digits")]
    SecretHash {
        /// Where.
        tenant: TenantId,
        /// Which device.
        device: DeviceId,
    },
}

impl Site {
    /// Checks what serde cannot: unique ids, references, zones. `profiles` are the names of the profiles that exist.
    pub fn check(&self, profiles: &BTreeSet<String>) -> Result<(), SiteError> {
        self.tenants.iter().try_for_each(|tenant| tenant.check(profiles))
    }
}

impl Tenant {
    fn check(&self, profiles: &BTreeSet<String>) -> Result<(), SiteError> {
        let points = self.unique("service point", self.service_points.iter().map(|p| p.id.as_str()))?;
        let owners = self.unique("owner", self.owners.iter().map(|o| o.id.as_str()))?;
        self.unique("device", self.devices.iter().map(|d| d.id.as_str()))?;
        let zones = self
            .service_points
            .iter()
            .map(|p| (&p.id, &p.zone))
            .chain(self.owners.iter().map(|o| (&o.id, &o.zone)));
        for (id, zone) in zones {
            if jiff::tz::TimeZone::get(zone).is_err() {
                return Err(SiteError::Zone {
                    tenant: self.id.clone(),
                    id: id.clone(),
                    zone: zone.clone(),
                });
            }
        }
        for device in &self.devices {
            let unknown = |kind, id: &str| SiteError::Unknown {
                tenant: self.id.clone(),
                device: device.id.clone(),
                kind,
                id: id.into(),
            };
            if let Some(owner) = device.owner.as_deref().filter(|o| !owners.contains(o)) {
                return Err(unknown("owner", owner));
            }
            if let Some(point) = device.service_point.as_deref().filter(|p| !points.contains(p)) {
                return Err(unknown("service point", point));
            }
            if !profiles.contains(&device.profile) {
                return Err(unknown("profile", &device.profile));
            }
            let hash_ok = |h: &String| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit());
            if !device.secret_sha256.as_ref().is_none_or(hash_ok) {
                return Err(SiteError::SecretHash {
                    tenant: self.id.clone(),
                    device: device.id.clone(),
                });
            }
        }
        Ok(())
    }

    fn unique<'a>(
        &self,
        kind: &'static str,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeSet<&'a str>, SiteError> {
        let mut seen = BTreeSet::new();
        for id in ids {
            if !seen.insert(id) {
                return Err(SiteError::Twice {
                    tenant: self.id.clone(),
                    kind,
                    id: id.into(),
                });
            }
        }
        Ok(seen)
    }
}
