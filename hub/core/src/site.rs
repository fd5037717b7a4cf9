//! What an administrator declares: tenants with their people, owners, service points, trunks and devices. Plain data,
//! read from a site file; applying it twice changes nothing.

use crate::appointment::WeeklySlot;
use crate::call_rules::CallRules;
use crate::id::{DeviceId, TenantId};
use crate::language::Language;
use crate::phone_number::PhoneNumber;
use crate::retention::Retention;
use serde::Deserialize;
use std::collections::BTreeSet;

mod trunk;

pub use trunk::{TRUNK_ADDRESSES_MAX, Trunk};

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
    /// Rules for calls; defaults are the strict ones. Site files written before the rename say `contact_plan`.
    #[serde(default, alias = "contact_plan")]
    pub call_rules: CallRules,
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
    /// How long readings are kept; what no rule is about, for ever.
    #[serde(default, rename = "retention")]
    pub retentions: Vec<Retention>,
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
    /// A tenant twice.
    #[error("tenant {0} is declared twice")]
    TenantTwice(TenantId),
    /// More than a carrier has.
    #[error(
        "the trunk of tenant {tenant} has more than {} addresses; name those that calls come from",
        TRUNK_ADDRESSES_MAX
    )]
    TrunkAddresses {
        /// Whose trunk.
        tenant: TenantId,
    },
    /// Who is rung back could not be told.
    #[error("tenants {first} and {second} have the same trunk caller_number; give each a number of its own")]
    CallerNumberTwice {
        /// One.
        first: TenantId,
        /// The other.
        second: TenantId,
    },
    /// A trunk that no call can go out over.
    #[error("tenant {tenant}: trunk.{field} must be {wanted}")]
    Trunk {
        /// Where.
        tenant: TenantId,
        /// Which field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A rule for calls that cannot be kept.
    #[error("tenant {tenant}: call_rules.{field} must be {wanted}")]
    CallRules {
        /// Where.
        tenant: TenantId,
        /// Which field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A slot that nobody can come in.
    #[error("tenant {tenant}: service point {service_point} has a slot whose {field} must be {wanted}")]
    Slot {
        /// Where.
        tenant: TenantId,
        /// Whose.
        service_point: String,
        /// Which field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Readings cannot be kept for so long or so short a time, or nobody reports by that profile.
    #[error("tenant {tenant}: retention of {family}: {wanted}")]
    Retention {
        /// Where.
        tenant: TenantId,
        /// Of which profile.
        family: String,
        /// What it must be.
        wanted: &'static str,
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
    /// Checks what serde cannot: unique ids and main numbers, references, zones, rules and slots that can be kept.
    /// `profiles` are the names of the profiles that exist.
    pub fn check(&self, profiles: &BTreeSet<String>) -> Result<(), SiteError> {
        for (at, tenant) in self.tenants.iter().enumerate() {
            let before = self.tenants.iter().take(at);
            if before.clone().any(|other| other.id == tenant.id) {
                return Err(SiteError::TenantTwice(tenant.id.clone()));
            }
            let number = |tenant: &Tenant| tenant.trunk.as_ref().map(|trunk| trunk.caller_number.clone());
            let own = number(tenant);
            if let Some(other) = before.clone().find(|other| own.is_some() && number(other) == own) {
                return Err(SiteError::CallerNumberTwice {
                    first: other.id.clone(),
                    second: tenant.id.clone(),
                });
            }
            tenant.check(profiles)?;
        }
        Ok(())
    }
}

impl Tenant {
    fn check(&self, profiles: &BTreeSet<String>) -> Result<(), SiteError> {
        let points = self.unique("service point", self.service_points.iter().map(|p| p.id.as_str()))?;
        let owners = self.unique("owner", self.owners.iter().map(|o| o.id.as_str()))?;
        self.unique("device", self.devices.iter().map(|d| d.id.as_str()))?;
        self.unique("retention of profile", self.retentions.iter().map(Retention::family))?;
        if let Some(trunk) = &self.trunk {
            trunk.check(&self.id)?;
        }
        self.check_call_rules()?;
        self.check_slots()?;
        self.check_retentions(profiles)?;
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

    fn check_call_rules(&self) -> Result<(), SiteError> {
        let wanted = &self.call_rules;
        let kept = [
            (
                "probability_min",
                (0.0..=1.0).contains(&wanted.probability_min),
                "from 0 to 1",
            ),
            ("from", wanted.from < wanted.until, "earlier in the day than until"),
            ("attempts_max", wanted.attempts_max >= 1, "1 or more"),
            ("per_day_max", wanted.per_day_max >= 1, "1 or more"),
        ];
        match kept.into_iter().find(|(_, kept, _)| !kept) {
            Some((field, _, wanted)) => Err(SiteError::CallRules {
                tenant: self.id.clone(),
                field,
                wanted,
            }),
            None => Ok(()),
        }
    }

    fn check_slots(&self) -> Result<(), SiteError> {
        for point in &self.service_points {
            for slot in &point.slots {
                let (field, wanted) = match slot {
                    slot if slot.from >= slot.to => ("from", "earlier in the day than to"),
                    slot if slot.capacity == 0 => ("capacity", "1 or more"),
                    _ => continue,
                };
                return Err(SiteError::Slot {
                    tenant: self.id.clone(),
                    service_point: point.id.clone(),
                    field,
                    wanted,
                });
            }
        }
        Ok(())
    }

    fn check_retentions(&self, profiles: &BTreeSet<String>) -> Result<(), SiteError> {
        let refused = |rule: &Retention, wanted| SiteError::Retention {
            tenant: self.id.clone(),
            family: rule.family().to_owned(),
            wanted,
        };
        self.retentions
            .iter()
            .try_for_each(|rule| rule.check(profiles).map_err(|wanted| refused(rule, wanted)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn site(change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let text = json!({"zh-CN": "t", "en": "t"});
        let tenant = |id: &str, number: &str| {
            json!({"id": id, "brand": text, "visit_price": {"currency": "CNY", "amount": 1},
                "call_rules": {},
                "trunk": {"proxy": "127.0.0.1:5060", "domain": "d", "caller_number": number},
                "service_point": [{"id": "p", "name": text, "zone": "Asia/Shanghai",
                    "slot": [{"day": "monday", "from": "09:00", "to": "12:00", "capacity": 1}]}]})
        };
        let mut site = json!({"tenant": [tenant("acme", "+862155550000"), tenant("beta", "+862155550001")]});
        change(&mut site);
        let site: Site = serde_json::from_value(site).unwrap();
        site.check(&BTreeSet::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_name() {
        assert_eq!(site(|_| {}), Ok(()));
        let rule = |field: &str, value: Value| site(|s| s["tenant"][1]["call_rules"][field] = value).unwrap_err();
        for (field, value) in [
            ("probability_min", json!(1.01)),
            ("probability_min", json!(-0.1)),
            ("from", json!("20:00")),
            ("attempts_max", json!(0)),
            ("per_day_max", json!(0)),
        ] {
            let error = rule(field, value);
            assert!(error.contains("beta") && error.contains(field), "{error}");
        }
        let former = site(|s| {
            let rules = s["tenant"][0].as_object_mut().unwrap();
            rules.remove("call_rules");
            rules.insert("contact_plan".to_owned(), json!({"attempts_max": 0}));
        });
        assert!(
            former.unwrap_err().contains("attempts_max"),
            "the name of before is read"
        );
        for (field, value) in [
            ("post_dial_limit_s", 0),
            ("post_dial_limit_s", 61),
            ("trying_limit_s", 121),
        ] {
            let error = site(|s| s["tenant"][1]["trunk"][field] = json!(value)).unwrap_err();
            assert!(error.contains("beta") && error.contains(field), "{error}");
        }
        let slot = |field: &str, value: Value| {
            site(|s| s["tenant"][0]["service_point"][0]["slot"][0][field] = value).unwrap_err()
        };
        for error in [slot("from", json!("12:00")), slot("capacity", json!(0))] {
            assert!(error.contains("acme") && error.contains("service point p"), "{error}");
        }
        let twice = site(|s| s["tenant"][1]["id"] = json!("acme")).unwrap_err();
        assert_eq!(twice, "tenant acme is declared twice");
        let number = site(|s| s["tenant"][1]["trunk"]["caller_number"] = json!("+862155550000")).unwrap_err();
        assert!(number.contains("acme and beta") && !number.contains("5555"), "{number}");
        let stands_at = |count| vec!["192.0.2.1"; count];
        let edges = |count| site(|s| s["tenant"][1]["trunk"]["addresses"] = json!(stands_at(count)));
        assert_eq!(edges(TRUNK_ADDRESSES_MAX), Ok(()));
        assert!(edges(TRUNK_ADDRESSES_MAX + 1).unwrap_err().contains("beta"));
        let none = site(|s| {
            s["tenant"][0]["trunk"] = Value::Null;
            s["tenant"][1]["trunk"] = Value::Null;
        });
        assert_eq!(none, Ok(()));
    }
}
