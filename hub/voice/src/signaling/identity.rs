//! Who calls, as the headers of a call say it: what a trunk asserts (RFC 3325), and what a caller states by himself.

use super::name_addr::{NameAddr, elements};
use hub_core::phone_number::PhoneNumber;

/// The headers of a request that say who calls, each as it came. `Remote-Party-ID` is what carriers used before RFC 3325.
#[derive(Debug, Default)]
pub struct CallerHeaders<'a> {
    /// `From`.
    pub from: Option<&'a str>,
    /// `P-Asserted-Identity`, as often as it stands there.
    pub asserted: Vec<&'a str>,
    /// `P-Preferred-Identity`, likewise.
    pub preferred: Vec<&'a str>,
    /// `Remote-Party-ID`, likewise.
    pub remote_party: Vec<&'a str>,
}

/// Who calls, and whose word it is. None where the number is withheld or no global telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The trunk's: it has looked.
    Asserted(Option<PhoneNumber>),
    /// The caller's own, and nobody asserts anything. From can hold whatever a caller likes.
    Stated(Option<PhoneNumber>),
}

impl Identity {
    /// Reads it. Where the trunk asserts anybody, only that counts, also when it is no number; a `Remote-Party-ID` asserts the
    /// calling party with `screen=yes`.
    pub fn of(headers: &CallerHeaders<'_>) -> Self {
        if !headers.asserted.is_empty() {
            return Identity::Asserted(first_number(&headers.asserted, |_| true));
        }
        let is_screened = |party: &NameAddr<'_>| {
            let says = |name, value| party.param(name).map(|found| found.eq_ignore_ascii_case(value));
            says("screen", "yes") == Some(true) && says("party", "calling").unwrap_or(true)
        };
        let screened = |value: &&str| list(value).iter().any(is_screened);
        if headers.remote_party.iter().any(screened) {
            return Identity::Asserted(first_number(&headers.remote_party, is_screened));
        }
        let from = headers.from.and_then(|value| NameAddr::parse(value).ok());
        let stated = from.and_then(|from| from.number());
        Identity::Stated(stated.or_else(|| first_number(&headers.preferred, |_| true)))
    }

    /// Who it is taken for: what the trunk asserts; what a caller states only where the trunk is known to have looked.
    pub fn number(self, believe_from: bool) -> Option<PhoneNumber> {
        match self {
            Identity::Asserted(number) => number,
            Identity::Stated(number) => number.filter(|_| believe_from),
        }
    }
}

/// The elements of a header that can be read; none of a list that cannot be split.
fn list(value: &str) -> Vec<NameAddr<'_>> {
    let elements = elements(value).unwrap_or_default().into_iter();
    elements.filter_map(|element| NameAddr::parse(element).ok()).collect()
}

fn first_number(values: &[&str], counts: impl Fn(&NameAddr<'_>) -> bool) -> Option<PhoneNumber> {
    let all = values.iter().flat_map(|value| list(value));
    all.filter(|party| counts(party)).find_map(|party| party.number())
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
