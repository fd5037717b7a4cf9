//! Checks what serde cannot: ids, references, rules and slots of a whole site.

use super::{Site, SiteError, Tenant};
use crate::retention::Retention;
use std::collections::BTreeSet;

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
        let owners = self.owners.iter().map(|o| o.id.as_str());
        let households = self.households.iter().map(|h| h.id.as_str());
        let households = self.unique("owner or household", owners.chain(households))?;
        self.unique("device", self.devices.iter().map(|d| d.id.as_str()))?;
        self.unique("retention of profile", self.retentions.iter().map(Retention::family))?;
        self.unique(
            "budget of family",
            self.budgets.iter().map(|budget| budget.family.as_str()),
        )?;
        let labels = self.ticket_labels.all().iter();
        self.unique("ticket status", labels.map(|label| label.id.as_str()))?;
        self.ticket_labels.check().map_err(|wanted| SiteError::TicketStatus {
            tenant: self.id.clone(),
            wanted,
        })?;
        if let Some(trunk) = &self.trunk {
            trunk.check(&self.id)?;
        }
        self.check_call_rules()?;
        self.check_households()?;
        self.check_slots()?;
        self.check_retentions(profiles)?;
        self.check_budgets()?;
        let zones = self
            .service_points
            .iter()
            .map(|p| (&p.id, &p.zone))
            .chain(self.owners.iter().map(|o| (&o.id, &o.zone)))
            .chain(self.households.iter().map(|h| (&h.id, &h.zone)));
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
            if let Some(owner) = device.owner.as_deref().filter(|o| !households.contains(o)) {
                return Err(unknown("owner or household", owner));
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

    fn check_budgets(&self) -> Result<(), SiteError> {
        let refused = |family: &str, wanted| SiteError::Budget {
            tenant: self.id.clone(),
            family: family.to_owned(),
            wanted,
        };
        self.budgets
            .iter()
            .try_for_each(|budget| budget.check().map_err(|wanted| refused(&budget.family, wanted)))
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
    use crate::site::TRUNK_ADDRESSES_MAX;
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
        let text = json!({"zh-CN": "t", "en": "t"});
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
            ("inbound_channels", 10_001),
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
        let home = |change: fn(&mut Value)| {
            site(|s| {
                let lin = json!({"id": "lin", "name": "Lin", "language": "en", "numbers": ["+8613800001111"],
                    "consent": [{"purpose": "predicted_fault", "channel": "call"}]});
                let mut home = json!({"id": "h-1", "zone": "Asia/Shanghai", "address": "1 Lane", "person": [lin]});
                change(&mut home);
                s["tenant"][1]["household"] = json!([home]);
            })
        };
        assert_eq!(home(|_| {}), Ok(()));
        for (change, named) in [
            ((|h| h["person"] = json!([])) as fn(&mut Value), "person must be 1 to 8"),
            (
                |h| h["person"] = json!(vec![h["person"][0].clone(); 9]),
                "person must be 1 to 8",
            ),
            (
                |h| h["person"] = json!(vec![h["person"][0].clone(); 2]),
                "person lin must be declared once",
            ),
            (|h| h["address"] = json!(""), "address must be 1 to 300"),
            (|h| h["address"] = json!("路".repeat(301)), "address must be 1 to 300"),
            (
                |h| h["person"][0]["numbers"] = json!(["+8613800001111", "+86 138 0000 1111"]),
                "person lin: numbers must be 4 at most, each once",
            ),
            (|h| h["zone"] = json!("Mars"), "h-1 has time zone Mars"),
        ] {
            let error = home(change).unwrap_err();
            assert!(error.contains("beta") && error.contains(named), "{error}");
            assert!(!error.contains("1111"), "{error}");
        }
        let labels = |labels: Value| site(|s| s["tenant"][0]["ticket_status"] = labels);
        let label = |id: &str, category: &str| json!({"id": id, "category": category, "name": text});
        assert_eq!(labels(json!([])), Ok(()));
        let each = [label("a", "open"), label("b", "paused"), label("c", "resolved")];
        assert_eq!(labels(json!(each)), Ok(()));
        let two = labels(json!(each[..2])).unwrap_err();
        assert!(two.contains("acme") && two.contains("each category"), "{two}");
        let same = labels(json!([each[0], each[0], each[1], each[2]])).unwrap_err();
        assert_eq!(same, "tenant acme: ticket status a is declared twice");
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
