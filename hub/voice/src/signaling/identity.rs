//! Who calls, as the headers of a call say it: what a trunk asserts (RFC 3325), and what a caller states by himself. Numbers are read by
//! the trunk's number plan, where it has one.

use super::name_addr::{NameAddr, elements};
use hub_core::number_plan::NumberPlan;
use hub_core::phone_number::PhoneNumber;

/// The headers of a request that say who calls, each as it came. `Remote-Party-ID` is what carriers used before RFC 3325. Has no
/// `Debug`: they can hold anybody's number.
#[derive(Clone, Default)]
pub struct CallerHeaders {
    /// `From`.
    pub from: Option<String>,
    /// `P-Asserted-Identity`, as often as it stands there.
    pub asserted: Vec<String>,
    /// `P-Preferred-Identity`, likewise.
    pub preferred: Vec<String>,
    /// `Remote-Party-ID`, likewise.
    pub remote_party: Vec<String>,
}

/// Who calls, and whose word it is. None where the number is withheld or no telephone number that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The trunk's: it has looked.
    Asserted(Option<PhoneNumber>),
    /// The trunk asserts somebody, but by a name that is no telephone number that can be read (the name of a line, a national form without
    /// a plan); the number is the caller's own word.
    Named(PhoneNumber),
    /// The caller's own, and nobody asserts anything. From can hold whatever a caller likes.
    Stated(Option<PhoneNumber>),
}

impl Identity {
    /// Reads it. Where the trunk asserts a number, or that the caller wants to be nobody, only that counts; a `Remote-Party-ID`
    /// asserts the calling party with `screen=yes`. Without a plan a number has `+` and its country code.
    pub fn of(headers: &CallerHeaders, plan: Option<&NumberPlan>) -> Self {
        let reader = Reader { headers, plan };
        if !headers.asserted.is_empty() {
            return reader.asserted(&headers.asserted, |_| true);
        }
        let is_screened = |party: &NameAddr<'_>| {
            let says = |name, value| party.param(name).map(|found| found.eq_ignore_ascii_case(value));
            says("screen", "yes") == Some(true) && says("party", "calling").unwrap_or(true)
        };
        let screened = |value: &String| list(value).iter().any(is_screened);
        if headers.remote_party.iter().any(screened) {
            return reader.asserted(&headers.remote_party, is_screened);
        }
        Identity::Stated(reader.stated())
    }

    /// The caller states a number, and no assertion of the trunk says whether it is his.
    pub fn is_unchecked(&self) -> bool {
        match self {
            Identity::Asserted(_) | Identity::Stated(None) => false,
            Identity::Named(_) | Identity::Stated(Some(_)) => true,
        }
    }

    /// Who it is taken for: what the trunk asserts; what a caller states only where the trunk is known to have looked.
    pub fn number(self, believe_from: bool) -> Option<PhoneNumber> {
        match self {
            Identity::Asserted(number) => number,
            Identity::Named(number) => believe_from.then_some(number),
            Identity::Stated(number) => number.filter(|_| believe_from),
        }
    }
}

/// The headers of a call, read by a plan.
struct Reader<'a> {
    headers: &'a CallerHeaders,
    plan: Option<&'a NumberPlan>,
}

impl Reader<'_> {
    /// What the elements of `values` that count assert.
    fn asserted(&self, values: &[String], counts: impl Fn(&NameAddr<'_>) -> bool) -> Identity {
        let number = self.first_number(values, &counts);
        if number.is_none()
            && names_somebody(values, counts)
            && let Some(stated) = self.stated()
        {
            return Identity::Named(stated);
        }
        Identity::Asserted(number)
    }

    /// The number that a caller states.
    fn stated(&self) -> Option<PhoneNumber> {
        let from = self.headers.from.as_deref();
        let from = from.and_then(|value| NameAddr::parse(value).ok());
        let stated = from.and_then(|from| from.number(self.plan));
        stated.or_else(|| self.first_number(&self.headers.preferred, |_| true))
    }

    fn first_number(&self, values: &[String], counts: impl Fn(&NameAddr<'_>) -> bool) -> Option<PhoneNumber> {
        let all = values.iter().flat_map(|value| list(value));
        all.filter(|party| counts(party))
            .find_map(|party| party.number(self.plan))
    }
}

/// The elements of a header that can be read; none of a list that cannot be split.
fn list(value: &str) -> Vec<NameAddr<'_>> {
    let elements = elements(value).unwrap_or_default().into_iter();
    elements.filter_map(|element| NameAddr::parse(element).ok()).collect()
}

/// Whether a header names a caller: all of it can be read, and none that counts is anonymous (RFC 3323 §4.1.1.3).
/// What cannot be read might say that the caller is to stay unknown.
fn names_somebody(values: &[String], counts: impl Fn(&NameAddr<'_>) -> bool) -> bool {
    let names =
        |element: &str| NameAddr::parse(element).is_ok_and(|party| !(counts(&party) && is_anonymous(party.uri)));
    values.iter().all(|value| {
        let elements = elements(value).unwrap_or_default();
        !elements.is_empty() && elements.into_iter().all(&names)
    })
}

/// An address by which networks say that a caller is withheld or not known.
fn is_anonymous(uri: &str) -> bool {
    let address = uri.split([';', '?']).next().unwrap_or_default();
    let address = address.split_once(':').map_or(address, |(_, rest)| rest);
    let (user, host) = address.rsplit_once('@').unwrap_or((address, address));
    let domain = host.split(':').next().unwrap_or_default().rsplit('.').next();
    let is = |words: &[&str], found: &str| words.iter().any(|word| found.eq_ignore_ascii_case(word));
    let user_words = [
        "",
        "anonymous",
        "unknown",
        "unavailable",
        "restricted",
        "private",
        "withheld",
    ];
    is(&user_words, user) || is(&["invalid"], domain.unwrap_or_default())
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
