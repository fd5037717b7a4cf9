//! What an owner allows. A ledger: withdrawing is an entry like giving, and the last entry counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `source` of what a site file says.
pub const SITE_FILE: &str = "site_file";
/// `source` of key 9, pressed in a call.
pub const KEY_9: &str = "phone_key_9";

/// One entry of the ledger for service calls to an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// When it was said.
    pub at: Timestamp,
    /// Given or withdrawn.
    pub given: bool,
    /// How it came: `site_file`, `phone_key_9`, `console` …
    pub source: String,
}

/// What holds at the moment of looking. No entry is no consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The owner agreed to service calls.
    Given,
    /// The owner agreed once and took it back.
    Withdrawn,
    /// Nobody ever asked.
    NeverGiven,
}

/// The entry that was written down last decides. `ledger` comes oldest first, in the order of its numbers: clocks
/// differ and go back, the order of the ledger does not.
pub fn current(ledger: &[ConsentEntry]) -> Consent {
    match ledger.last() {
        Some(entry) if entry.given => Consent::Given,
        Some(_) => Consent::Withdrawn,
        None => Consent::NeverGiven,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_counts_whatever_its_clock_said() {
        let entry = |s, given| ConsentEntry {
            at: Timestamp::from_second(s).unwrap(),
            given,
            source: "t".into(),
        };
        assert_eq!(current(&[]), Consent::NeverGiven);
        assert_eq!(current(&[entry(1, true)]), Consent::Given);
        assert_eq!(current(&[entry(2, true), entry(1, false)]), Consent::Withdrawn);
        assert_eq!(current(&[entry(1, false), entry(1, true)]), Consent::Given);
    }
}
