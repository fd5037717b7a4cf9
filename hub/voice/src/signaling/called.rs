//! Which of our numbers was called. Carriers write it as E.164 has it, or as one dials it from abroad, from elsewhere in the
//! country or from next door. Our own numbers are known, so no plan of a carrier's is needed to tell. Text in, text out: knows
//! neither the SIP library nor trunks.

use super::name_addr;
use hub_core::phone_number::PhoneNumber;

/// What is dialled before a country code, in most countries.
const INTERNATIONAL: [&str; 6] = ["", "00", "011", "0011", "010", "810"];
/// What is dialled before a national number, in most countries.
const NATIONAL: [&str; 4] = ["", "0", "8", "06"];
/// A number without its area code has no fewer digits: shorter ones could be anybody's.
const LOCAL_MIN: usize = 7;

/// A number that was called, as it came. Has no `Debug`: it can be anybody's.
#[derive(Clone, PartialEq, Eq)]
pub struct Called {
    digits: String,
    global: bool,
}

/// How well a number fits one of ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Its last digits.
    Local,
    /// All but the country code.
    National,
    /// All of it.
    Whole,
}

impl Called {
    /// Reads a `sip:`, `sips:` or `tel:` address. None where it holds no telephone number.
    pub fn read(uri: &str) -> Option<Self> {
        Self::of_user(name_addr::user(uri)?)
    }

    /// Reads the user part of an address, with its parameters.
    pub fn of_user(user: &str) -> Option<Self> {
        let text = name_addr::subscriber(user)?;
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let is_number = !digits.is_empty() && !text.chars().skip(1).any(|c| c == '+');
        is_number.then(|| Self {
            global: text.starts_with('+'),
            digits,
        })
    }

    /// The number, where it was written with `+` and its country code.
    pub fn global(&self) -> Option<PhoneNumber> {
        let number = PhoneNumber::new(&format!("+{}", self.digits)).ok();
        number.filter(|_| self.global)
    }

    fn fit(&self, own: &PhoneNumber) -> Option<Fit> {
        let whole = own.reveal().trim_start_matches('+');
        if self.global {
            return (self.digits == whole).then_some(Fit::Whole);
        }
        let is_after = |prefixes: &[&str], number: &str| {
            let prefix = self.digits.strip_suffix(number);
            prefix.is_some_and(|prefix| prefixes.contains(&prefix))
        };
        if is_after(&INTERNATIONAL, whole) {
            return Some(Fit::Whole);
        }
        let national = whole.get(country_code_len(whole)..)?;
        if is_after(&NATIONAL, national) {
            return Some(Fit::National);
        }
        let is_tail = self.digits.len() >= LOCAL_MIN && national.ends_with(&self.digits);
        is_tail.then_some(Fit::Local)
    }
}

impl From<&PhoneNumber> for Called {
    fn from(number: &PhoneNumber) -> Self {
        Self {
            digits: number.reveal().trim_start_matches('+').to_owned(),
            global: true,
        }
    }
}

/// The owner of the number that was called, of those that share an address: whose number fits best. None where no number
/// fits, or two of them equally well: a call that could be for two companies is for neither.
pub fn owner<'a, T>(called: &Called, own: impl Iterator<Item = (&'a PhoneNumber, T)>) -> Option<T> {
    let mut best: Option<(Fit, T)> = None;
    let mut is_tie = false;
    for (number, owner) in own {
        let Some(fit) = called.fit(number) else { continue };
        match &best {
            Some((known, _)) if *known > fit => {}
            Some((known, _)) if *known == fit => is_tie = true,
            _ => {
                best = Some((fit, owner));
                is_tie = false;
            }
        }
    }
    best.filter(|_| !is_tie).map(|(_, owner)| owner)
}

/// How many of a number's digits are its country code (ITU-T E.164, list of assigned country codes).
fn country_code_len(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

#[cfg(test)]
#[path = "called_tests.rs"]
mod tests;
