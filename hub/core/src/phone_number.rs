//! Telephone numbers. The type masks itself wherever it is shown, so that a number reaches a log or a page only on purpose.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A telephone number in E.164 form (ITU-T E.164: `+`, 7 to 15 digits). `Display` and `Debug` print `+86*****5678`.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a telephone number. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// No leading `+`.
    #[error("a phone number starts with '+' and the country code, as in +8613800005678")]
    NotInternational,
    /// Too short or too long.
    #[error("a phone number has 7 to 15 digits, this one has {0}")]
    Length(usize),
    /// A character that is neither a digit nor a usual separator.
    #[error("a phone number may hold only digits, spaces, '-', '.', '(', ')' and '/' after the '+'")]
    Character,
}

impl PhoneNumber {
    /// Reads a number as people write it: separators (space, `-`, `.`, `(`, `)`, `/`) are dropped.
    pub fn new(text: &str) -> Result<Self, PhoneNumberError> {
        let rest = text
            .trim()
            .strip_prefix('+')
            .ok_or(PhoneNumberError::NotInternational)?;
        let digits: String = rest.chars().filter(|c| !" -.()/".contains(*c)).collect();
        if !digits.chars().all(|c| c.is_ascii_digit()) {
            return Err(PhoneNumberError::Character);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(PhoneNumberError::Length(digits.len()));
        }
        Ok(Self(format!("+{digits}")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_masked_wherever_it_is_shown() {
        let number = PhoneNumber::new("+86 (138) 0000-5678").unwrap();
        assert_eq!(number.reveal(), "+8613800005678");
        assert_eq!(
            format!("{number} {number:?}"),
            "+86*******5678 PhoneNumber(+86*******5678)"
        );
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+86*******5678\"");
        assert_eq!(PhoneNumber::new("+1234567").unwrap().masked(), "+***4567");
    }

    #[test]
    fn bad_numbers_are_refused_without_being_repeated() {
        assert_eq!(PhoneNumber::new("13800005678"), Err(PhoneNumberError::NotInternational));
        assert_eq!(PhoneNumber::new("+12x45678"), Err(PhoneNumberError::Character));
        assert_eq!(PhoneNumber::new("+123"), Err(PhoneNumberError::Length(3)));
    }
}
