//! How numbers are written where a trunk is: national numbers, numbers abroad, numbers next door. By it the hub reads who calls and
//! what people write down, and writes whom it rings.

use crate::phone_number::{PhoneNumber, PhoneNumberError, Spelling, is_country};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// Most digits of a prefix or an area code.
const DIGITS_MAX: usize = 6;

/// The numbers of a trunk's country, as they are dialled there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberPlan {
    /// Country code without `+`, e.g. `86`.
    pub country_code: String,
    /// What stands before a national number, e.g. `0`; empty where nothing does.
    #[serde(default)]
    pub trunk_prefix: String,
    /// What stands before a country code, `00` in most countries.
    #[serde(default = "international_prefix")]
    pub international_prefix: String,
    /// Area in which numbers without an area code are, e.g. `21`.
    #[serde(default)]
    pub area_code: Option<String>,
    /// How the carrier wants numbers.
    #[serde(default)]
    pub written: WrittenForm,
}

/// A form of numbers on a trunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrittenForm {
    /// `+8613800005678`.
    #[default]
    E164,
    /// `8613800005678`.
    WithoutPlus,
    /// `008613800005678`.
    International,
    /// `013800005678` within the country, `0014155550100` beyond.
    National,
}

fn international_prefix() -> String {
    "00".to_owned()
}

impl NumberPlan {
    /// The field that cannot be kept, and what it must be.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_digits = |text: &str| text.len() <= DIGITS_MAX && text.chars().all(|c| c.is_ascii_digit());
        if !is_country(&self.country_code) {
            return Err((
                "number_plan.country_code",
                "the code of a country in digits, such as \"86\"",
            ));
        }
        if !is_digits(&self.trunk_prefix) {
            return Err(("number_plan.trunk_prefix", "at most 6 digits, such as \"0\""));
        }
        if self.international_prefix.is_empty() || !is_digits(&self.international_prefix) {
            return Err(("number_plan.international_prefix", "1 to 6 digits, such as \"00\""));
        }
        let area = self.area_code.as_deref();
        if !area.is_none_or(|area| !area.is_empty() && is_digits(area)) {
            return Err((
                "number_plan.area_code",
                "1 to 6 digits without the trunk prefix, such as \"21\"",
            ));
        }
        Ok(())
    }

    /// Reads a number in any form that it has on the trunk: with `+`, as one dials it from abroad, within the country, next door, or
    /// with the country code and no `+`. Where several fit, it is one that the country has given out.
    ///
    /// # Errors
    ///
    /// It is none of these; see [`PhoneNumber::new`].
    pub fn read(&self, text: &str) -> Result<PhoneNumber, PhoneNumberError> {
        let spelling = Spelling::of(text)?;
        if spelling.plus {
            return PhoneNumber::new(text);
        }
        let digits = spelling.digits.as_str();
        if let Some(abroad) = after(&self.international_prefix, digits) {
            return PhoneNumber::of_digits(abroad).map(|(number, _)| number);
        }
        let mut possible = None;
        for meant in self.meant(digits) {
            match PhoneNumber::of_digits(&meant) {
                Ok((number, true)) => return Ok(number),
                Ok((number, false)) => possible = possible.or(Some(number)),
                Err(_) => {}
            }
        }
        possible.ok_or(PhoneNumberError::Length(digits.len()))
    }

    /// Reads a number as somebody writes down their own: with `+`, as one dials it from abroad, or as one dials it from anywhere in the
    /// country. Less is read than of a caller: nobody says in which town a number without area code is, and a missing `+` is not added.
    ///
    /// # Errors
    ///
    /// It is none of these; see [`PhoneNumber::new`].
    pub fn read_own(&self, text: &str) -> Result<PhoneNumber, PhoneNumberError> {
        let spelling = Spelling::of(text)?;
        if spelling.plus {
            return PhoneNumber::new(text);
        }
        match after(&self.international_prefix, &spelling.digits) {
            Some(abroad) => PhoneNumber::of_digits(abroad).map(|(number, _)| number),
            None => PhoneNumber::at_home(&self.country_code, &spelling.digits),
        }
    }

    /// What digits without `+` and international prefix may mean, the likeliest first.
    fn meant(&self, digits: &str) -> Vec<String> {
        let code = &self.country_code;
        let mut meant = Vec::with_capacity(4);
        meant.extend(after(&self.trunk_prefix, digits).map(|national| format!("{code}{national}")));
        meant.extend(digits.starts_with(code.as_str()).then(|| digits.to_owned()));
        meant.push(format!("{code}{digits}"));
        meant.extend(self.area_code.iter().map(|area| format!("{code}{area}{digits}")));
        meant
    }

    /// The plan for a number that says itself where it holds (`phone-context`, RFC 3966 §5.1.5): `+86`, `+8621`, or a domain, which
    /// says nothing. None where that is another country.
    pub fn within(&self, context: &str) -> Option<Self> {
        let Some(global) = context.strip_prefix('+') else {
            return Some(self.clone());
        };
        let digits: String = global.chars().filter(char::is_ascii_digit).collect();
        let area = digits.strip_prefix(self.country_code.as_str())?;
        let area_code = match area {
            "" => self.area_code.clone(),
            area => Some(area.to_owned()),
        };
        Some(Self {
            area_code,
            ..self.clone()
        })
    }

    /// The number as the carrier wants it. The caller answers for where it goes.
    pub fn write(&self, number: &PhoneNumber) -> String {
        let abroad = || format!("{}{}", self.international_prefix, number.digits());
        match self.written {
            WrittenForm::E164 => number.reveal().to_owned(),
            WrittenForm::WithoutPlus => number.digits().to_owned(),
            WrittenForm::International => abroad(),
            WrittenForm::National => match number.national(&self.country_code) {
                Some(national) => format!("{}{national}", self.trunk_prefix),
                None => abroad(),
            },
        }
    }
}

/// What stands after a prefix, if there is one.
fn after<'a>(prefix: &str, digits: &'a str) -> Option<&'a str> {
    digits.strip_prefix(prefix).filter(|_| !prefix.is_empty())
}
