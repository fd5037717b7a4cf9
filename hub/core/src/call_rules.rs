//! May this owner be rung now? Decided from what is stored at the moment of dialling, in the transaction that dials.

use crate::call_result::CallResult;
use crate::consent::Consent;
use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// Calibrated probability from which a call is placed by itself, where a tenant's rules say nothing else.
pub const PROBABILITY_MIN: f32 = 0.9;

/// A tenant's rules for calls that the hub places by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallRules {
    /// A call is placed by itself only at this calibrated probability or above; below it a person reviews.
    pub probability_min: f32,
    /// Local time of the household from which calls are allowed.
    pub from: Time,
    /// Local time of the household from which they are not.
    pub until: Time,
    /// Attempts for one ticket.
    pub attempts_max: u16,
    /// Calls to one household within 24 hours, over all tickets and persons.
    pub per_day_max: u16,
    /// Hours between two attempts when nobody answered.
    pub gap_hours: u16,
    /// Minutes before a busy line is tried again.
    pub busy_minutes: u16,
}

impl Default for CallRules {
    fn default() -> Self {
        Self {
            probability_min: PROBABILITY_MIN,
            from: Time::constant(9, 0, 0, 0),
            until: Time::constant(20, 0, 0, 0),
            attempts_max: 3,
            per_day_max: 2,
            gap_hours: 3,
            busy_minutes: 10,
        }
    }
}

/// What an owner's earlier calls said counts for this long, whichever ticket they were for.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 30);

/// All that the decision looks at, read in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactFacts {
    /// The finding is still open.
    pub finding_open: bool,
    /// Its calibrated probability.
    pub probability: f32,
    /// The ticket still waits for a contact.
    pub ticket_open: bool,
    /// There is a person with a number.
    pub owner_known: bool,
    /// The person's word.
    pub consent: Consent,
    /// The number is on the do-not-call list of this tenant.
    pub do_not_call: bool,
    /// The household's time zone; `None` if it is not a zone we know.
    pub zone: Option<TimeZone>,
    /// Outbound attempts for this ticket, oldest first: when each ended (or started, if still running) and its result.
    pub attempts: Vec<(Timestamp, Option<CallResult>)>,
    /// Outbound attempts to this household for any ticket: when each started.
    pub to_household: Vec<Timestamp>,
    /// Within [`REMEMBERED`] an outbound attempt to this household, for whichever ticket, was declined.
    pub declined_elsewhere: bool,
    /// Within [`REMEMBERED`] an outbound attempt to this household, for whichever ticket, was cut off, and they have not
    /// answered a call since.
    pub unknown_elsewhere: bool,
    /// A call with this household is up now.
    pub in_call: bool,
    /// A person pressed "call now": the gate, the caps and a crash no longer hold it back; consent and the hour do.
    pub requested_by_person: bool,
}

/// Why nobody is rung, now or by itself. Shown on the ticket in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Outside the hours in which the household may be rung.
    QuietHours,
    /// Too soon after the last attempt.
    Gap,
    /// The household has been rung often enough in 24 hours.
    PerDay,
    /// A call with this household is up.
    InCall,
    /// Below the gate: a person reviews.
    BelowGate,
    /// Consent was withdrawn.
    ConsentWithdrawn,
    /// Consent was never given.
    NoConsent,
    /// The number is on the do-not-call list.
    DoNotCall,
    /// No owner or no number.
    NoOwner,
    /// The household's time zone is not known, so its night is not known either.
    NoTimeZone,
    /// The readings came back to the baseline.
    FindingCleared,
    /// The ticket no longer waits for a call.
    TicketSettled,
    /// All attempts are used up.
    AttemptsUsedUp,
    /// The owner declined a call: never by phone again without a person.
    Declined,
    /// The number does not exist.
    InvalidNumber,
    /// The trunk refused the call: its set-up needs a person.
    TrunkRefused,
    /// The tenant has no trunk; looked at again when it has one.
    NoTrunk,
    /// An attempt was cut off by a crash: whether it rang is not known.
    UnknownAttempt,
    /// The owner has answered and said what they want.
    Reached,
    /// The ticket has no finding, so a call would have nothing to say.
    NothingToSay,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Ring.
    Ring,
    /// Look again then.
    Wait {
        /// Time from which it is looked at again.
        until: Timestamp,
        /// Reason.
        reason: HoldReason,
    },
    /// Not by itself: a person decides.
    Person(HoldReason),
}

/// Decides. Reasons that need a person come before those that pass with time.
pub fn decide(rules: &CallRules, facts: &ContactFacts, now: Timestamp) -> Decision {
    if let Some(reason) = forbidden(facts).or_else(|| used_up(rules, facts)) {
        return Decision::Person(reason);
    }
    let Some(zone) = &facts.zone else {
        return Decision::Person(HoldReason::NoTimeZone);
    };
    let waits = [
        quiet_until(rules, zone, now).map(|until| (until, HoldReason::QuietHours)),
        pause_until(rules, facts).map(|until| (until, HoldReason::Gap)),
        per_day_until(rules, facts, now).map(|until| (until, HoldReason::PerDay)),
        facts
            .in_call
            .then(|| (now + SignedDuration::from_mins(1), HoldReason::InCall)),
    ];
    match waits
        .into_iter()
        .flatten()
        .filter(|(until, _)| *until > now)
        .max_by_key(|(until, _)| *until)
    {
        Some((until, reason)) => Decision::Wait { until, reason },
        None => Decision::Ring,
    }
}

/// What nobody can wave through.
fn forbidden(facts: &ContactFacts) -> Option<HoldReason> {
    if !facts.ticket_open {
        return Some(HoldReason::TicketSettled);
    }
    never_rung(facts.owner_known, facts.do_not_call, facts.consent)
}

/// Why an owner is not rung, no matter who asks for it: there is no number, or it is on the do-not-call list, or their word on
/// calls is not a yes. None if a person may ask for a call.
pub fn never_rung(has_number: bool, do_not_call: bool, consent: Consent) -> Option<HoldReason> {
    if !has_number {
        return Some(HoldReason::NoOwner);
    }
    if do_not_call {
        return Some(HoldReason::DoNotCall);
    }
    match consent {
        Consent::Given => None,
        Consent::Withdrawn => Some(HoldReason::ConsentWithdrawn),
        Consent::NeverGiven => Some(HoldReason::NoConsent),
    }
}

/// What a person may wave through by asking for the call.
fn used_up(rules: &CallRules, facts: &ContactFacts) -> Option<HoldReason> {
    if facts.requested_by_person {
        return None;
    }
    if !facts.finding_open {
        return Some(HoldReason::FindingCleared);
    }
    if facts.probability < rules.probability_min {
        return Some(HoldReason::BelowGate);
    }
    let said = facts.attempts.iter().rev().find_map(|(_, result)| stands(*result));
    said.or_else(|| facts.declined_elsewhere.then_some(HoldReason::Declined))
        .or_else(|| facts.unknown_elsewhere.then_some(HoldReason::UnknownAttempt))
        .or_else(|| (facts.attempts.len() >= usize::from(rules.attempts_max)).then_some(HoldReason::AttemptsUsedUp))
}

/// Why an attempt with this result is never followed by a call that no person asked for, however many attempts later.
fn stands(result: Option<CallResult>) -> Option<HoldReason> {
    match result? {
        CallResult::Declined => Some(HoldReason::Declined),
        CallResult::InvalidNumber => Some(HoldReason::InvalidNumber),
        CallResult::TrunkRefused => Some(HoldReason::TrunkRefused),
        CallResult::Unknown => Some(HoldReason::UnknownAttempt),
        CallResult::Answered => Some(HoldReason::Reached),
        CallResult::Busy | CallResult::NoAnswer | CallResult::NoAudio | CallResult::NetworkFailure => None,
    }
}

impl CallRules {
    /// Whether a household in this zone may be rung at this hour.
    pub fn allow(&self, zone: &TimeZone, at: Timestamp) -> bool {
        (self.from..self.until).contains(&at.to_zoned(zone.clone()).time())
    }
}

/// The next instant at which the household may be rung, or `None` if it may be now. Holds across a change of the
/// clocks, since both bounds are local times.
fn quiet_until(rules: &CallRules, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if rules.allow(zone, now) {
        return None;
    }
    let local = now.to_zoned(zone.clone());
    let day = if local.time() < rules.from {
        local.date()
    } else {
        local.date().tomorrow().ok()?
    };
    day.to_datetime(rules.from)
        .to_zoned(zone.clone())
        .ok()
        .map(|opening| opening.timestamp())
}

/// The pause after the last attempt, by what the network said. A person who asks for the call need not wait.
fn pause_until(rules: &CallRules, facts: &ContactFacts) -> Option<Timestamp> {
    let (at, result) = facts.attempts.last().filter(|_| !facts.requested_by_person)?;
    let pause = match result {
        Some(CallResult::Busy | CallResult::NetworkFailure) => SignedDuration::from_mins(i64::from(rules.busy_minutes)),
        // Also where there was no audio: the phone rang and somebody took it.
        _ => SignedDuration::from_hours(i64::from(rules.gap_hours)),
    };
    at.checked_add(pause).ok()
}

fn per_day_until(rules: &CallRules, facts: &ContactFacts, now: Timestamp) -> Option<Timestamp> {
    let day = SignedDuration::from_hours(24);
    let mut recent: Vec<_> = facts
        .to_household
        .iter()
        .filter(|at| now.duration_since(**at) < day)
        .collect();
    recent.sort();
    let over = recent
        .len()
        .checked_sub(usize::from(rules.per_day_max))
        .filter(|_| !facts.requested_by_person)?;
    recent.get(over)?.checked_add(day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ContactFacts {
        ContactFacts {
            finding_open: true,
            probability: 0.95,
            ticket_open: true,
            owner_known: true,
            consent: Consent::Given,
            do_not_call: false,
            zone: Some(TimeZone::get("Asia/Shanghai").unwrap()),
            attempts: vec![],
            to_household: vec![],
            declined_elsewhere: false,
            unknown_elsewhere: false,
            in_call: false,
            requested_by_person: false,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// 10:00 in Shanghai.
    fn morning() -> Timestamp {
        at("2026-03-02T02:00:00Z")
    }

    fn decided(change: impl FnOnce(&mut ContactFacts)) -> Decision {
        let mut facts = facts();
        change(&mut facts);
        decide(&CallRules::default(), &facts, morning())
    }

    #[test]
    fn rings_only_when_everything_allows_it() {
        use HoldReason as H;
        assert_eq!(decided(|_| {}), Decision::Ring);
        let person = |change: fn(&mut ContactFacts)| match decided(change) {
            Decision::Person(reason) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(person(|f| f.finding_open = false), H::FindingCleared);
        assert_eq!(person(|f| f.probability = 0.899), H::BelowGate);
        assert_eq!(person(|f| f.ticket_open = false), H::TicketSettled);
        assert_eq!(person(|f| f.owner_known = false), H::NoOwner);
        assert_eq!(person(|f| f.consent = Consent::Withdrawn), H::ConsentWithdrawn);
        assert_eq!(person(|f| f.consent = Consent::NeverGiven), H::NoConsent);
        assert_eq!(person(|f| f.do_not_call = true), H::DoNotCall);
        assert_eq!(person(|f| f.zone = None), H::NoTimeZone);
    }

    #[test]
    fn a_person_may_ask_but_never_against_the_owners_word_or_the_night() {
        let asked = |change: fn(&mut ContactFacts)| {
            decided(|f| {
                f.requested_by_person = true;
                f.probability = 0.1;
                f.attempts = vec![(morning(), Some(CallResult::Unknown)); 5];
                f.to_household = vec![morning(); 5];
                change(f);
            })
        };
        assert_eq!(asked(|_| {}), Decision::Ring);
        assert_eq!(
            asked(|f| f.consent = Consent::Withdrawn),
            Decision::Person(HoldReason::ConsentWithdrawn)
        );
        assert_eq!(asked(|f| f.do_not_call = true), Decision::Person(HoldReason::DoNotCall));
        // In Honolulu it is 16:00 of the day before, in Los Angeles 18:00, in Berlin 03:00.
        let berlin = asked(|f| f.zone = Some(TimeZone::get("Europe/Berlin").unwrap()));
        assert_eq!(
            berlin,
            Decision::Wait {
                until: at("2026-03-02T08:00:00Z"),
                reason: HoldReason::QuietHours
            }
        );
    }

    #[test]
    fn each_cause_has_its_pause_and_its_end() {
        let after = |result, minutes_ago| {
            decided(|f| {
                f.attempts = vec![(morning() - SignedDuration::from_mins(minutes_ago), Some(result))];
            })
        };
        let wait = |minutes| Decision::Wait {
            until: morning() + SignedDuration::from_mins(minutes),
            reason: HoldReason::Gap,
        };
        assert_eq!(after(CallResult::Busy, 4), wait(6));
        assert_eq!(after(CallResult::Busy, 10), Decision::Ring);
        assert_eq!(after(CallResult::NoAnswer, 10), wait(170));
        assert_eq!(after(CallResult::NoAudio, 10), wait(170));
        assert_eq!(after(CallResult::NoAudio, 180), Decision::Ring);
        assert_eq!(
            after(CallResult::Declined, 9_999),
            Decision::Person(HoldReason::Declined)
        );
        assert_eq!(
            after(CallResult::Unknown, 9_999),
            Decision::Person(HoldReason::UnknownAttempt)
        );
        assert_eq!(
            after(CallResult::InvalidNumber, 9_999),
            Decision::Person(HoldReason::InvalidNumber)
        );
        assert_eq!(
            after(CallResult::TrunkRefused, 9_999),
            Decision::Person(HoldReason::TrunkRefused)
        );
        assert_eq!(
            after(CallResult::Answered, 9_999),
            Decision::Person(HoldReason::Reached)
        );
        let three = decided(|f| f.attempts = vec![(at("2026-03-01T02:00:00Z"), Some(CallResult::NoAnswer)); 3]);
        assert_eq!(three, Decision::Person(HoldReason::AttemptsUsedUp));
    }

    #[test]
    fn what_stopped_the_calls_outlives_a_call_that_a_person_asked_for() {
        use CallResult as C;
        let stopped = [
            (C::Declined, HoldReason::Declined),
            (C::Unknown, HoldReason::UnknownAttempt),
            (C::InvalidNumber, HoldReason::InvalidNumber),
            (C::TrunkRefused, HoldReason::TrunkRefused),
            (C::Answered, HoldReason::Reached),
        ];
        let long_ago = morning() - SignedDuration::from_hours(20);
        for (result, reason) in stopped {
            for later in [C::NoAnswer, C::Busy, C::NoAudio, C::NetworkFailure] {
                let again = |asked| {
                    decided(|f| {
                        f.attempts = vec![(long_ago, Some(result)), (long_ago, Some(later))];
                        f.requested_by_person = asked;
                    })
                };
                assert_eq!(again(false), Decision::Person(reason));
                assert_eq!(again(true), Decision::Ring);
            }
        }
    }

    #[test]
    fn what_the_owner_said_for_another_ticket_counts() {
        assert_eq!(
            decided(|f| f.declined_elsewhere = true),
            Decision::Person(HoldReason::Declined)
        );
        assert_eq!(
            decided(|f| f.unknown_elsewhere = true),
            Decision::Person(HoldReason::UnknownAttempt)
        );
        let asked = decided(|f| {
            f.declined_elsewhere = true;
            f.requested_by_person = true;
        });
        assert_eq!(asked, Decision::Ring);
    }

    #[test]
    fn two_calls_a_day_to_one_person_over_all_tickets() {
        let held = decided(|f| {
            f.to_household = vec![
                at("2026-03-01T03:00:00Z"),
                at("2026-03-01T09:00:00Z"),
                at("2026-02-27T09:00:00Z"),
            ]
        });
        assert_eq!(
            held,
            Decision::Wait {
                until: at("2026-03-02T03:00:00Z"),
                reason: HoldReason::PerDay
            }
        );
    }

    #[test]
    fn the_morning_after_the_clocks_change_starts_at_nine() {
        // Berlin, night to 29 March 2026: summer time begins, 09:00 is 07:00 UTC instead of 08:00.
        let mut facts = facts();
        facts.zone = Some(TimeZone::get("Europe/Berlin").unwrap());
        let decision = decide(&CallRules::default(), &facts, at("2026-03-28T20:00:00Z"));
        assert_eq!(
            decision,
            Decision::Wait {
                until: at("2026-03-29T07:00:00Z"),
                reason: HoldReason::QuietHours
            }
        );
    }
}
