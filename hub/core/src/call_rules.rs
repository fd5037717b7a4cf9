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

/// Attempts in a row that rang nobody, after which a person looks: whatever is wrong with this number does not pass. By the usual
/// pauses that is two days, since each doubles the pause to the next.
pub const UNRUNG_MAX: usize = 12;

/// All that the decision looks at, read in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactFacts {
    /// The finding is still open.
    pub finding_open: bool,
    /// Its calibrated probability.
    pub probability: f32,
    /// Such predictions have earned calls that nobody approves ([`crate::release`]).
    pub released: bool,
    /// A person approved the call: neither the gate nor the release holds it back.
    pub approved: bool,
    /// What the fleet's history says against a call that nobody asked for; none where it allows one.
    pub withheld: Option<HoldReason>,
    /// The tickets of the appliance model surge: calls that would go out wait for the end of that.
    pub surges: bool,
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
    /// Outbound attempts for this ticket that count, oldest first: when each ended (or started, if still running) and its result.
    pub attempts: Vec<(Timestamp, Option<CallResult>)>,
    /// Those since the last of them, newest first, which rang nobody and do not count.
    pub unrung: Vec<(Timestamp, CallResult)>,
    /// Outbound attempts to this household for any ticket that count: when each started.
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
    /// A call has failed since that person asked. The wish waives what was before it, not what came after.
    pub tried_since_asked: bool,
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
    /// Such predictions have not earned calls by themselves: ready to ring once a person approves.
    ReadyToRing,
    /// A person has looked and does not want the owner rung.
    CallRefused,
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
    /// Call after call rang nobody: something is wrong with this number, or on the way to it.
    NeverRang,
    /// An attempt was cut off by a crash: whether it rang is not known.
    UnknownAttempt,
    /// The owner has answered and said what they want.
    Reached,
    /// The ticket has no finding, so a call would have nothing to say.
    NothingToSay,
    /// Far more tickets of this appliance model than budget and faults explain: its calls have stopped.
    Surge,
    /// Too little is known of the appliance model for a call that nobody asked for.
    NoCallLevel,
    /// High enough for a ticket, and below the score that a call needs.
    BelowCallLevel,
}

impl HoldReason {
    /// Those for which nothing but a person's approval is missing: such a ticket is ready to ring.
    pub const FOR_APPROVAL: [Self; 4] = [
        Self::BelowGate,
        Self::ReadyToRing,
        Self::NoCallLevel,
        Self::BelowCallLevel,
    ];
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
        return in_vain(facts).filter(|_| facts.tried_since_asked);
    }
    if !facts.finding_open {
        return Some(HoldReason::FindingCleared);
    }
    let said = facts.attempts.iter().rev().find_map(|(_, result)| stands(*result));
    said.or_else(|| in_vain(facts))
        .or_else(|| facts.declined_elsewhere.then_some(HoldReason::Declined))
        .or_else(|| facts.unknown_elsewhere.then_some(HoldReason::UnknownAttempt))
        .or_else(|| (facts.attempts.len() >= usize::from(rules.attempts_max)).then_some(HoldReason::AttemptsUsedUp))
        // The operator is asked about all of them at once, by the release of the model's calls.
        .or_else(|| facts.withheld.filter(|reason| *reason == HoldReason::Surge))
        .or_else(|| unapproved(rules, facts))
        // The last of all: whatever else holds a call stands on its ticket. Of those that would go out the operator is asked about all at
        // once, by the release of the model's calls.
        .or_else(|| facts.surges.then_some(HoldReason::Surge))
}

/// What a person waves through by approving the call. It comes late: nobody is asked about a call that would be held all the same, but
/// for a surge, which passes while the approval stands.
fn unapproved(rules: &CallRules, facts: &ContactFacts) -> Option<HoldReason> {
    if facts.approved {
        return None;
    }
    if facts.probability < rules.probability_min {
        return Some(HoldReason::BelowGate);
    }
    if !facts.released {
        return Some(HoldReason::ReadyToRing);
    }
    facts.withheld
}

/// Why calls that rang nobody are not placed any more.
fn in_vain(facts: &ContactFacts) -> Option<HoldReason> {
    let (_, last) = facts.unrung.first().filter(|_| facts.unrung.len() >= UNRUNG_MAX)?;
    match last {
        CallResult::TrunkRefused => Some(HoldReason::TrunkRefused),
        _ => Some(HoldReason::NeverRang),
    }
}

/// Why an attempt with this result is never followed by a call that no person asked for, however many attempts later.
fn stands(result: Option<CallResult>) -> Option<HoldReason> {
    match result? {
        CallResult::Declined => Some(HoldReason::Declined),
        CallResult::InvalidNumber => Some(HoldReason::InvalidNumber),
        CallResult::Unknown => Some(HoldReason::UnknownAttempt),
        CallResult::Answered => Some(HoldReason::Reached),
        CallResult::Busy
        | CallResult::NoAnswer
        | CallResult::NoAudio
        | CallResult::HungUpEarly
        | CallResult::TrunkRefused
        | CallResult::ExchangeDeclined
        | CallResult::NetworkFailure
        | CallResult::NotPlaced => None,
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

/// The pause after the last attempt, by what the network said. A person who asks for the call need not wait, until it fails.
fn pause_until(rules: &CallRules, facts: &ContactFacts) -> Option<Timestamp> {
    if facts.requested_by_person && !facts.tried_since_asked {
        return None;
    }
    let short = SignedDuration::from_mins(i64::from(rules.busy_minutes));
    let gap = SignedDuration::from_hours(i64::from(rules.gap_hours));
    let (at, pause) = match (facts.unrung.first(), facts.attempts.last()) {
        // It would decline again at once.
        (Some((at, CallResult::ExchangeDeclined)), _) => (at, gap),
        (Some((at, _)), _) => {
            let doubled = 1 << facts.unrung.len().saturating_sub(1).min(UNRUNG_MAX);
            (at, short.saturating_mul(doubled).min(gap.max(short)))
        }
        (None, Some((at, Some(CallResult::Busy | CallResult::NetworkFailure)))) => (at, short),
        // Also where there was no audio, or they were gone at once: the phone rang and somebody took it.
        (None, Some((at, _))) => (at, gap),
        (None, None) => return None,
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
mod tests;
