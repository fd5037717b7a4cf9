//! Telephone numbers. A number has one form, who wrote it: it is read by the numbering of its country. The type masks
//! itself wherever it is shown, so that a number reaches a log or a page only on purpose.

mod numbering;
mod spelling;
#[cfg(test)]
mod tests;

pub(crate) use numbering::is_country;
pub(crate) use spelling::Spelling;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most digits of a number, its country code included (ITU-T E.164).
const DIGITS_MAX: usize = 15;
/// Fewest digits of a number.
const DIGITS_MIN: usize = 7;

/// A telephone number in E.164 form: `+`, country code, national number. `Display` and `Debug` print `+86*****5678`.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a telephone number. Never holds the text, nor a digit of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// No leading `+`.
    #[error("a phone number starts with '+' and the country code, as in +8613800005678")]
    NotInternational,
    /// Neither `+` nor a form in which it is dialled from anywhere in the country.
    #[error(
        "a phone number without '+' is read where its country is known, written as it is dialled from anywhere there, with national \
         prefix and area code, and given out there; this one is not: write '+' and the country code"
    )]
    NotNational,
    /// Begins as no country's numbers do.
    #[error("a phone number starts with '+' and the code of a country; there is none that this one begins with")]
    Country,
    /// No number of its country is as long.
    #[error("a phone number has as many digits as numbers of its country have; this one has {0} with the country code")]
    Length(usize),
    /// A character that stands in no number.
    #[error(
        "a phone number may hold only digits, spaces, '-', '.', '(', ')' and '/' after the '+'; this one holds U+{:04X}",
        u32::from(*.0)
    )]
    Character(char),
    /// Somebody behind a switchboard.
    #[error("a phone number has no extension: nobody is there to dial it; leave it out")]
    Extension,
    /// A spreadsheet took the number for an amount.
    #[error("a phone number ends in '.0', as spreadsheets write amounts: keep the column as text")]
    Decimal,
}

impl PhoneNumber {
    /// Reads a number as people write it, with `+` and country code. What separates digits is dropped, and so is what cannot be
    /// seen; full-width characters are read. A national prefix behind the country code, as in `+44 (0)20`, is dropped where the
    /// country's numbers have none. A number that the country has not given to anybody is read as well: only its length must be
    /// possible there.
    ///
    /// # Errors
    ///
    /// What keeps the text from being a number; it is not repeated.
    pub fn new(text: &str) -> Result<Self, PhoneNumberError> {
        let spelling = Spelling::of(text)?;
        if !spelling.plus {
            return Err(PhoneNumberError::NotInternational);
        }
        let whole = numbering::read(&spelling.digits);
        // Where numbers keep their zero, "(0)" belongs to the number: without it, Bergamo's would be a mobile telephone's.
        let is_given_out = whole.as_ref().is_ok_and(numbering::Found::is_assigned);
        let bare = spelling.without_bracketed_zero().filter(|_| !is_given_out);
        match bare.map(|digits| numbering::read(&digits)) {
            Some(Ok(found)) if found.fits() => Ok(found.number),
            _ => whole.map(|found| found.number),
        }
    }

    /// A number as the store keeps it: `+` and 7 to 15 digits, taken as they stand. Earlier versions knew no country's numbering.
    ///
    /// # Errors
    ///
    /// It is of another form.
    pub fn kept(text: &str) -> Result<Self, PhoneNumberError> {
        let digits = text.strip_prefix('+').ok_or(PhoneNumberError::NotInternational)?;
        if let Some(other) = digits.chars().find(|c| !c.is_ascii_digit()) {
            return Err(PhoneNumberError::Character(other));
        }
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            return Err(PhoneNumberError::Length(digits.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The number that these digits are, country code first, and whether the country has given out numbers like it.
    pub(crate) fn of_digits(digits: &str) -> Result<(Self, bool), PhoneNumberError> {
        numbering::read(digits).map(|found| {
            let is_assigned = found.is_assigned();
            (found.number, is_assigned)
        })
    }

    /// The number that is dialled so within the country of this code, from any place in it.
    pub(crate) fn at_home(country_code: &str, digits: &str) -> Result<Self, PhoneNumberError> {
        numbering::read_at_home(country_code, digits).map(|found| found.number)
    }

    /// The number as earlier versions kept it when it was written with the national prefix, as in `+44 (0)20`. None where the
    /// country has no such prefix, or the number would be too long with it.
    pub fn kept_with_prefix(&self) -> Option<Self> {
        numbering::with_prefix(&self.0).and_then(|text| Self::kept(&text).ok())
    }

    /// The national number, if this is the country's code; without a national prefix.
    pub fn national(&self, country_code: &str) -> Option<&str> {
        self.digits().strip_prefix(country_code)
    }

    /// The digits, country code first.
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// The whole number, for the trunk and the vault only. The caller answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The number with all but the first two and last four digits hidden.
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let tail = &digits[digits.len() - 4..];
        let head = if digits.len() >= 9 { &digits[..2] } else { "" };
        format!("+{head}{}{tail}", "*".repeat(digits.len() - 4 - head.len()))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

/// Serialises masked: a number written out whole has to be asked for by `reveal`.
impl Serialize for PhoneNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneNumberError;
    fn try_from(text: String) -> Result<Self, PhoneNumberError> {
        Self::new(&text)
    }
}

impl FromStr for PhoneNumber {
    type Err = PhoneNumberError;
    fn from_str(text: &str) -> Result<Self, PhoneNumberError> {
        Self::new(text)
    }
}
