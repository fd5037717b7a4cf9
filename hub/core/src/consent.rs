//! What a person allows, by purpose and channel. A ledger: withdrawing is an entry like giving, and the last entry on a subject
//! counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::VariantArray;

/// `source` of what a site file says.
pub const SITE_FILE: &str = "site_file";
/// `source` of key 9, pressed in a call.
pub const KEY_9: &str = "phone_key_9";
/// `source` of a withdrawal by somebody else, whose number proved to be the same.
pub const NUMBERS_JOINED: &str = "numbers_joined";

/// What a person is approached for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A fault that the readings foretell.
    PredictedFault,
    /// A visit that was agreed: reminders and changes.
    Appointment,
}

/// How a person is approached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A telephone call.
    Call,
    /// A text message.
    Message,
    /// An email.
    Email,
}

/// What an entry of the ledger is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What for.
    pub purpose: Purpose,
    /// How.
    pub channel: Channel,
}

impl Subject {
    /// Calls about a predicted fault: those that the hub places by itself.
    pub const SERVICE_CALLS: Self = Self {
        purpose: Purpose::PredictedFault,
        channel: Channel::Call,
    };

    /// Calls, whatever for: what key 9 is about.
    pub fn calls() -> impl Iterator<Item = Self> {
        let channel = Channel::Call;
        Purpose::VARIANTS.iter().map(move |&purpose| Self { purpose, channel })
    }

    /// Each purpose by each channel.
    pub fn all() -> impl Iterator<Item = Self> {
        let channels = Channel::VARIANTS.iter();
        channels.flat_map(|&channel| Purpose::VARIANTS.iter().map(move |&purpose| Self { purpose, channel }))
    }
}

/// One entry of a person's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEntry {
    /// Purpose and channel.
    pub subject: Subject,
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
    /// The person agreed.
    Given,
    /// The person agreed once and took it back.
    Withdrawn,
    /// Nobody ever asked.
    NeverGiven,
}

/// What the ledger says of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Purpose and channel.
    #[serde(flatten)]
    pub subject: Subject,
    /// What holds.
    pub consent: Consent,
    /// When it was said.
    pub at: Timestamp,
}

/// What holds of each subject in a ledger: the entry that was written down last decides. `ledger` comes oldest first, in the order
/// of its numbers: clocks differ and go back, the order of the ledger does not.
pub fn current(ledger: &[ConsentEntry]) -> Vec<Standing> {
    let mut standings = BTreeMap::new();
    for entry in ledger {
        let consent = if entry.given {
            Consent::Given
        } else {
            Consent::Withdrawn
        };
        let (subject, at) = (entry.subject, entry.at);
        standings.insert(subject, Standing { subject, consent, at });
    }
    standings.into_values().collect()
}

/// What a site file's word adds to what it said before on a subject (`file_said`) and what anybody else said (`others_said`): an
/// entry where it says something new. Its "yes" never undoes what the person took back elsewhere.
pub fn is_news(given: bool, file_said: Option<bool>, others_said: Option<bool>) -> bool {
    let taken_back = others_said == Some(false);
    file_said.unwrap_or(false) != given && !(given && taken_back)
}

/// Whether a person has refused what a subject is about: nothing is allowed, and of what anybody but a site file said of it, the last
/// was "no". Whom a site file leaves out, or lists without consent, has refused nothing by that.
pub fn is_refused(ledger: &[ConsentEntry], subject: Subject) -> bool {
    let mut latest_first = ledger.iter().rev().filter(|entry| entry.subject == subject);
    let is_allowed = latest_first.clone().next().is_some_and(|last| last.given);
    let of_others = latest_first.find(|entry| entry.source != SITE_FILE);
    !is_allowed && of_others.is_some_and(|last| !last.given)
}

/// What is added to the ledgers of persons whose numbers prove to be one: of each who agreed to what another of them took back, their
/// place among the ledgers, the subject, and when it was taken back. The number's "no" counts. What was added so before is handed on
/// to nobody: who shares another number with them has taken back nothing.
pub fn joined(ledgers: &[&[ConsentEntry]]) -> Vec<(usize, Subject, Timestamp)> {
    let said = |ledger: &[ConsentEntry], subject| -> Option<ConsentEntry> {
        let mut latest_first = ledger.iter().rev();
        latest_first.find(|entry| entry.subject == subject).cloned()
    };
    let mut added = Vec::new();
    for subject in Subject::all() {
        let last: Vec<_> = ledgers.iter().map(|ledger| said(ledger, subject)).collect();
        let own_refusals = last.iter().flatten();
        let own_refusals = own_refusals.filter(|entry| !entry.given && entry.source != NUMBERS_JOINED);
        let Some(at) = own_refusals.map(|entry| entry.at).max() else {
            continue;
        };
        let agreed = last.iter().enumerate();
        let agreed = agreed.filter(|(_, entry)| entry.as_ref().is_some_and(|entry| entry.given));
        added.extend(agreed.map(|(place, _)| (place, subject, at)));
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(s: i64, given: bool, subject: Subject) -> ConsentEntry {
        ConsentEntry {
            subject,
            at: Timestamp::from_second(s).unwrap(),
            given,
            source: "t".into(),
        }
    }

    #[test]
    fn the_last_entry_counts_whatever_its_clock_said() {
        let calls = |s, given| entry(s, given, Subject::SERVICE_CALLS);
        let said = |ledger: &[ConsentEntry]| current(ledger).first().map(|standing| standing.consent);
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[calls(1, true)]), Some(Consent::Given));
        assert_eq!(said(&[calls(2, true), calls(1, false)]), Some(Consent::Withdrawn));
        assert_eq!(said(&[calls(1, false), calls(1, true)]), Some(Consent::Given));
    }

    #[test]
    fn each_subject_stands_by_itself() {
        let all: Vec<Subject> = Subject::all().collect();
        assert_eq!(all.len(), Purpose::VARIANTS.len() * Channel::VARIANTS.len());
        let ledger: Vec<_> = all.iter().map(|&subject| entry(1, true, subject)).collect();
        let mut ledger: Vec<_> = ledger.into_iter().collect();
        ledger.extend(Subject::calls().map(|subject| entry(2, false, subject)));
        for standing in current(&ledger) {
            let is_call = standing.subject.channel == Channel::Call;
            assert_eq!(standing.consent == Consent::Withdrawn, is_call, "{standing:?}");
        }
    }

    #[test]
    fn the_no_of_a_number_counts_for_all_who_have_it() {
        let calls = |s, given| entry(s, given, Subject::SERVICE_CALLS);
        let handed_on = ConsentEntry {
            source: NUMBERS_JOINED.into(),
            ..calls(4, false)
        };
        let yes = vec![calls(1, true)];
        let no = vec![calls(1, true), calls(3, false)];
        let never = Vec::new();
        let again = vec![calls(1, false), calls(2, true)];
        let of = |ledgers: &[&Vec<ConsentEntry>]| {
            let ledgers: Vec<&[ConsentEntry]> = ledgers.iter().map(|ledger| ledger.as_slice()).collect();
            let added = joined(&ledgers).into_iter();
            added
                .map(|(place, subject, at)| {
                    assert_eq!(subject, Subject::SERVICE_CALLS);
                    (place, at.as_second())
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&[&yes, &no]), [(0, 3)]);
        assert_eq!(of(&[&no, &yes, &never, &again]), [(1, 3), (3, 3)]);
        assert_eq!(of(&[&yes, &again, &never]), []);
        assert_eq!(of(&[&no, &no, &never]), []);
        assert_eq!(of(&[&yes, &vec![calls(1, true), handed_on]]), []);
    }

    #[test]
    fn a_site_file_refuses_nothing_in_a_persons_name() {
        let said = |ledger: &[(bool, &str)]| {
            let entries = (1..).zip(ledger).map(|(s, (given, source))| ConsentEntry {
                source: (*source).to_owned(),
                ..entry(s, *given, Subject::SERVICE_CALLS)
            });
            is_refused(&entries.collect::<Vec<_>>(), Subject::SERVICE_CALLS)
        };
        for refused in [
            &[(false, KEY_9)][..],
            &[(true, SITE_FILE), (false, "console")],
            &[(true, SITE_FILE), (false, KEY_9), (false, SITE_FILE)],
            &[(true, SITE_FILE), (false, NUMBERS_JOINED)],
        ] {
            assert!(said(refused), "{refused:?}");
        }
        for open in [
            &[(true, SITE_FILE), (false, SITE_FILE)][..],
            &[(true, "console"), (false, SITE_FILE)],
            &[(false, KEY_9), (true, "console")],
            &[],
        ] {
            assert!(!said(open), "{open:?}");
        }
    }

    #[test]
    fn a_file_adds_what_is_new_and_undoes_no_refusal() {
        assert!(is_news(true, None, None) && is_news(true, Some(false), Some(true)));
        assert!(is_news(false, Some(true), Some(false)));
        assert!(!is_news(false, None, None) && !is_news(true, Some(true), None));
        assert!(!is_news(true, None, Some(false)));
    }
}
