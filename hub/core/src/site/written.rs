//! Numbers as a site file has them, and how they are read: those with `+` at once, those in national form when the number plan of the
//! tenant's trunk is known, which may stand further down. What a file means depends on nothing but the file.

use super::{DeclaredHousehold, DeclaredPerson, Owner, Site, SiteError, Tenant, Trunk};
use crate::id::TenantId;
use crate::number_plan::NumberPlan;
use crate::phone_number::{PhoneNumber, PhoneNumberError};
use serde::Deserialize;

/// A number as it is written in a site file. It has no `Debug`: a national number is not masked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WrittenNumber(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Read(PhoneNumber),
    /// Without `+`.
    National(String),
}

impl TryFrom<String> for WrittenNumber {
    type Error = PhoneNumberError;
    fn try_from(text: String) -> Result<Self, PhoneNumberError> {
        match PhoneNumber::new(&text) {
            Ok(number) => Ok(Self(Form::Read(number))),
            Err(PhoneNumberError::NotInternational) => Ok(Self(Form::National(text))),
            Err(error) => Err(error),
        }
    }
}

/// By what a tenant's numbers are read.
pub struct NumberReader {
    tenant: TenantId,
    plan: Option<NumberPlan>,
}

impl NumberReader {
    fn number(&self, number: WrittenNumber, of: impl Fn() -> String) -> Result<PhoneNumber, SiteError> {
        let text = match number.0 {
            Form::Read(number) => return Ok(number),
            Form::National(text) => text,
        };
        let Some(plan) = &self.plan else {
            return Err(SiteError::NoNumberPlan {
                tenant: self.tenant.clone(),
                of: of(),
            });
        };
        plan.read_own(&text).map_err(|source| SiteError::Number {
            tenant: self.tenant.clone(),
            of: of(),
            source,
        })
    }

    /// Reads the number of an owner.
    ///
    /// # Errors
    ///
    /// It is in national form and cannot be read.
    pub fn owner(&self, owner: Owner<WrittenNumber>) -> Result<Owner, SiteError> {
        let phone = owner
            .phone
            .map(|phone| self.number(phone, || format!("owner {}", owner.id)));
        Ok(Owner {
            phone: phone.transpose()?,
            id: owner.id,
            name: owner.name,
            language: owner.language,
            zone: owner.zone,
            consent_to_calls: owner.consent_to_calls,
        })
    }

    /// Reads the numbers of a household.
    ///
    /// # Errors
    ///
    /// One is in national form and cannot be read.
    pub fn household(&self, home: DeclaredHousehold<WrittenNumber>) -> Result<DeclaredHousehold, SiteError> {
        let persons = home.persons.into_iter().map(|person| self.person(&home.id, person));
        Ok(DeclaredHousehold {
            persons: persons.collect::<Result<_, _>>()?,
            id: home.id,
            address: home.address,
            zone: home.zone,
        })
    }

    fn person(&self, home: &str, person: DeclaredPerson<WrittenNumber>) -> Result<DeclaredPerson, SiteError> {
        let of = || format!("person {} of household {home}", person.id);
        let numbers = person.numbers.into_iter().map(|number| self.number(number, of));
        Ok(DeclaredPerson {
            numbers: numbers.collect::<Result<_, _>>()?,
            id: person.id,
            name: person.name,
            language: person.language,
            consent: person.consent,
        })
    }

    fn trunk(&self, trunk: Trunk<WrittenNumber>) -> Result<Trunk, SiteError> {
        Ok(Trunk {
            caller_number: self.number(trunk.caller_number, || "trunk.caller_number".to_owned())?,
            proxy: trunk.proxy,
            domain: trunk.domain,
            username: trunk.username,
            password: trunk.password,
            believe_from: trunk.believe_from,
            addresses: trunk.addresses,
            inbound_channels: trunk.inbound_channels,
            number_plan: trunk.number_plan,
            post_dial_limit_s: trunk.post_dial_limit_s,
            trying_limit_s: trunk.trying_limit_s,
        })
    }
}

impl Site<WrittenNumber> {
    /// Reads the numbers of each tenant by the number plan of its trunk, as the file declares it.
    ///
    /// # Errors
    ///
    /// A number plan cannot be kept, a number in national form cannot be read, or its tenant has no plan in this file.
    pub fn read(self) -> Result<Site, SiteError> {
        let tenants = self.tenants.into_iter().map(Tenant::read);
        Ok(Site {
            tenants: tenants.collect::<Result<_, _>>()?,
        })
    }
}

impl<N> Tenant<N> {
    /// By what numbers of this tenant are read in this file.
    pub fn number_reader(&self) -> NumberReader {
        NumberReader {
            tenant: self.id.clone(),
            plan: self.trunk.as_ref().and_then(|trunk| trunk.number_plan.clone()),
        }
    }
}

impl Tenant<WrittenNumber> {
    fn read(self) -> Result<Tenant, SiteError> {
        if let Some(trunk) = &self.trunk {
            trunk.check_plan(&self.id)?;
        }
        let reader = self.number_reader();
        let owners = self.owners.into_iter().map(|owner| reader.owner(owner));
        let households = self.households.into_iter().map(|home| reader.household(home));
        Ok(Tenant {
            trunk: self.trunk.map(|trunk| reader.trunk(trunk)).transpose()?,
            owners: owners.collect::<Result<_, _>>()?,
            households: households.collect::<Result<_, _>>()?,
            id: self.id,
            brand: self.brand,
            call_rules: self.call_rules,
            ticket_labels: self.ticket_labels,
            visit_price: self.visit_price,
            service_points: self.service_points,
            devices: self.devices,
            budgets: self.budgets,
            retentions: self.retentions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_chain::in_full;
    use serde_json::{Value, json};

    /// A tenant in Shanghai, with a number of each kind that a site file has.
    fn site(change: impl FnOnce(&mut Value)) -> Result<Site, String> {
        let text = json!({"zh-CN": "t", "en": "t"});
        let person =
            json!({"id": "lin", "name": "Lin", "language": "en", "numbers": ["138 0013 8000", "(021) 5550 0101"]});
        let mut tenant = json!({"id": "acme", "brand": text, "visit_price": {"currency": "CNY", "amount": 1},
            "owner": [{"id": "o-1", "name": "O", "phone": "0139 0013 9000", "language": "en", "zone": "UTC", "consent_to_calls": true}],
            "household": [{"id": "h-1", "zone": "UTC", "person": [person]}],
            "trunk": {"proxy": "127.0.0.1:5060", "domain": "d", "caller_number": "021 5550 0100",
                "number_plan": {"country_code": "86", "trunk_prefix": "0", "area_code": "21"}}});
        change(&mut tenant);
        let site = serde_json::from_value::<Site<WrittenNumber>>(json!({ "tenant": [tenant] }));
        let site = site.map_err(|error| error.to_string())?;
        site.read().map_err(|error| in_full(&error))
    }

    #[test]
    fn national_numbers_are_read_by_the_plan_of_the_trunk() {
        let tenant = site(|_| ()).unwrap().tenants.remove(0);
        let number = |number: &PhoneNumber| number.reveal().to_owned();
        assert_eq!(
            tenant
                .trunk
                .as_ref()
                .map(|trunk| number(&trunk.caller_number))
                .as_deref(),
            Some("+862155500100")
        );
        assert_eq!(
            tenant.owners[0].phone.as_ref().map(number).as_deref(),
            Some("+8613900139000")
        );
        let numbers: Vec<_> = tenant.households[0].persons[0].numbers.iter().map(number).collect();
        assert_eq!(numbers, ["+8613800138000", "+862155500101"]);
        let international = site(|tenant| {
            tenant["owner"][0]["phone"] = json!("+86 139 0013 9000");
            tenant["household"][0]["person"][0]["numbers"] = json!(["+8613800138000", "+86 21 5550 0101"]);
        });
        assert_eq!(
            international.unwrap().tenants,
            [tenant],
            "one form, however it is written"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place_and_without_a_digit() {
        let with = |numbers: &[&str]| site(|tenant| tenant["household"][0]["person"][0]["numbers"] = json!(numbers));
        for (number, why) in [
            ("138 0013 8OOO", "U+004F"),
            (
                "5550 0101",
                "person lin of household h-1 has a number that cannot be read by the number_plan",
            ),
            ("5550 0101", "as it is dialled from anywhere"),
            ("0138 0013 800001", "has 16 with the country code"),
            ("+86 138 0013 800001", "has 15 with the country code"),
        ] {
            let error = with(&[number]).unwrap_err();
            assert!(
                error.contains(why) && !error.contains("0013") && !error.contains("5550"),
                "{error}"
            );
        }
        assert!(with(&[]).is_ok());
    }

    #[test]
    fn a_wrong_plan_is_blamed_on_no_number() {
        for (field, value) in [("country_code", "+86"), ("international_prefix", "")] {
            let error = site(|tenant| tenant["trunk"]["number_plan"][field] = json!(value)).unwrap_err();
            let place = format!("tenant acme: trunk.number_plan.{field} must be");
            assert!(error.contains(&place), "{error}");
        }
    }

    #[test]
    fn without_a_plan_the_country_code_must_be_there() {
        let bare = |tenant: &mut Value| {
            tenant["trunk"].as_object_mut().unwrap().remove("number_plan");
            tenant["trunk"]["caller_number"] = json!("+862155500100");
        };
        let error = site(bare).unwrap_err();
        for part in ["tenant acme: owner o-1", "write them", "number_plan in this file"] {
            assert!(error.contains(part), "{error}");
        }
        let no_trunk = |tenant: &mut Value| tenant["trunk"] = Value::Null;
        assert!(site(no_trunk).unwrap_err().contains("owner o-1"));
    }
}
