//! A call that a person approves or refuses, and what is counted of it.

use super::dial::household;
use super::*;
use crate::call_rules::HoldReason;
use crate::contact::ContactPhase;
use crate::prediction::UNKNOWN_FAULT;
use crate::release::Predicted;
use crate::situation::{Dial, Home};
use jiff::SignedDuration;

fn refused() -> TicketEvent {
    TicketEvent::CallRefused {
        reason: "a filter was cleaned".into(),
    }
}

fn dials(unit: &mut Unit, tally: Tally) -> Dial {
    let (id, household) = (unit.situation.tickets[0].id, household());
    let home = Home {
        household: &household,
        calls: vec![],
    };
    let mut changes = Changes::default();
    unit.situation
        .dial(id, Some(&home), &[], tally, unit.now, &mut changes)
        .unwrap()
}

/// A ticket that waits for an approval.
fn ready() -> Unit {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let held = Dial::Held(HoldReason::ReadyToRing);
    assert_eq!(dials(&mut unit, Tally::default()), held);
    unit
}

fn pump() -> (TenantId, Predicted) {
    let predicted = Predicted {
        model: "washing-machine/1".into(),
        fault_class: "pump".into(),
    };
    (TenantId::new("acme").unwrap(), predicted)
}

#[test]
fn nobody_is_rung_until_a_person_approves() {
    let mut unit = ready();
    let changes = unit.act(0, &TicketEvent::CallApproved);
    assert_eq!(told(&changes), ["ticket.call_approved"]);
    assert_eq!(changes.lines[0].actor, "lena");
    assert_eq!(changes.tallies[&pump()], Tally::APPROVED);
    let contact = &unit.situation.tickets[0].contact;
    assert_eq!(
        (contact.due, contact.approved_by.as_deref()),
        (Some(morning()), Some("lena"))
    );
    assert_eq!(dials(&mut unit, Tally::default()), Dial::Ring(()));
}

#[test]
fn what_is_refused_is_not_rung_until_a_person_approves_it_after_all() {
    let mut unit = ready();
    let changes = unit.act(0, &refused());
    assert_eq!(told(&changes), ["ticket.call_refused"]);
    assert_eq!(changes.tallies[&pump()], Tally::REFUSED);
    unit.sees(alarm("pump", 0.99, Severity::Critical));
    let contact = &unit.situation.tickets[0].contact;
    assert_eq!(
        (contact.phase, contact.reason),
        (ContactPhase::Held, Some(HoldReason::CallRefused))
    );
    assert_eq!(dials(&mut unit, released()), Dial::Settled);
    assert!(!unit.situation.tickets[0].is_closed());
    unit.act(0, &TicketEvent::CallApproved);
    assert_eq!(dials(&mut unit, Tally::default()), Dial::Ring(()));
    // One that waits for its hour is taken back as well.
    unit.act(0, &refused());
    assert_eq!(dials(&mut unit, released()), Dial::Settled);
}

/// Approved in the night, rung in the morning.
#[test]
fn an_approval_waits_for_the_hour() {
    let mut unit = ready();
    unit.now = morning() + SignedDuration::from_hours(12);
    unit.act(0, &TicketEvent::CallApproved);
    let opening = morning() + SignedDuration::from_hours(23);
    let waits = Dial::Waits {
        until: opening,
        reason: HoldReason::QuietHours,
    };
    assert_eq!(dials(&mut unit, Tally::default()), waits);
    unit.now = opening;
    assert_eq!(dials(&mut unit, Tally::default()), Dial::Ring(()));
}

/// Before a fleet has a past no verdicts make a call go out by itself, an approval does; and what waits is not told each time it is seen.
#[test]
fn without_a_past_what_is_released_waits_for_an_approval() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let held = Dial::Held(HoldReason::NoCallLevel);
    assert_eq!(dials(&mut unit, released()), held);
    assert!(unit.situation.tickets[0].contact.waits_for_approval());
    assert!(told(&unit.sees(alarm("pump", 0.97, Severity::Major))).is_empty());
    unit.act(0, &TicketEvent::CallApproved);
    assert_eq!(dials(&mut unit, released()), Dial::Ring(()));

    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.learns_of_a_quiet_past();
    assert_eq!(dials(&mut unit, released()), Dial::Ring(()));
}

/// Whatever the tenant's own gate is, a call that names no part is looked at by a person.
#[test]
fn no_gate_is_low_enough_for_what_names_no_part() {
    let mut unit = Unit::new();
    unit.situation.rules.probability_min = 0.0;
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    unit.learns_of_a_quiet_past();
    assert_eq!(dials(&mut unit, released()), Dial::Held(HoldReason::ReadyToRing));

    let mut unit = Unit::new();
    unit.situation.rules.probability_min = 0.0;
    unit.sees(alarm("pump", 0.95, Severity::Major));
    unit.learns_of_a_quiet_past();
    let gate = unit.situation.gates["washing-machine"].clone();
    unit.situation.gates.insert("generic".to_owned(), gate);
    unit.situation.findings[0].prediction.model = "generic/1".into();
    assert_eq!(dials(&mut unit, released()), Dial::Held(HoldReason::ReadyToRing));
}

/// A fault that goes takes the refusal with it, and one that gets another name as well.
#[test]
fn a_refusal_is_of_this_fault() {
    let mut unit = ready();
    unit.act(0, &refused());
    unit.sees(CLEAR);
    let reason = unit.situation.tickets[0].contact.reason;
    assert_eq!(reason, Some(HoldReason::FindingCleared));
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let held = Dial::Held(HoldReason::ReadyToRing);
    assert_eq!(dials(&mut unit, Tally::default()), held, "refused before it went");

    let mut unit = Unit::new();
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    assert_eq!(dials(&mut unit, released()), held);
    unit.act(0, &refused());
    // Somebody has it: nothing is planned behind their back, and they may approve the call.
    unit.act(0, &TicketEvent::Taken);
    unit.sees(alarm("pump", 0.95, Severity::Major));
    assert!(unit.situation.tickets[0].contact.waits_for_approval());
}

/// An approval outlives a surge that meets it, and the call goes out when that is over.
#[test]
fn an_approved_call_waits_for_the_end_of_a_surge() {
    let mut unit = ready();
    unit.act(0, &TicketEvent::CallApproved);
    unit.surges();
    assert_eq!(dials(&mut unit, Tally::default()), Dial::Held(HoldReason::Surge));
    let contact = &mut unit.situation.tickets[0].contact;
    assert_eq!(contact.approved_by.as_deref(), Some("lena"));
    assert!(contact.end_surge(morning()) && !contact.end_surge(morning()));
    assert_eq!((contact.phase, contact.reason), (ContactPhase::Planned, None));
    unit.learns_of_a_quiet_past();
    assert_eq!(dials(&mut unit, Tally::default()), Dial::Ring(()));
}

/// A fault that goes takes the approval with it, and one that gets another name as well.
#[test]
fn an_approval_is_of_this_fault() {
    let mut unit = ready();
    unit.sees(CLEAR);
    let contact = &unit.situation.tickets[0].contact;
    assert_eq!(
        contact.reason,
        Some(HoldReason::FindingCleared),
        "nobody is asked any more"
    );
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let held = Dial::Held(HoldReason::ReadyToRing);
    assert_eq!(dials(&mut unit, Tally::default()), held);
    unit.act(0, &TicketEvent::CallApproved);
    unit.sees(CLEAR);
    unit.sees(alarm("pump", 0.95, Severity::Major));
    assert_eq!(dials(&mut unit, Tally::default()), held, "approved before it went");

    let mut unit = Unit::new();
    unit.sees(alarm(UNKNOWN_FAULT, 0.95, Severity::Major));
    assert_eq!(dials(&mut unit, released()), held, "it names no part");
    unit.act(0, &TicketEvent::CallApproved);
    unit.sees(alarm("pump", 0.95, Severity::Major));
    assert_eq!(dials(&mut unit, Tally::default()), held);
    assert!(unit.situation.tickets[0].contact.waits_for_approval());
}

/// Verdicts are counted once, for what was predicted when the ticket was closed, and a correction takes the old one back.
#[test]
fn verdicts_are_counted_and_taken_back() {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let put_off = unit.close(0, Resolution::ConfirmedDeferred, Verdict::Right);
    let added = |right, wrong| Tally {
        right,
        wrong,
        ..Tally::default()
    };
    assert_eq!(put_off.tallies[&pump()], added(1, 0));
    assert_eq!(unit.situation.tickets[0].judged, Some(pump().1));
    // A newer model is surer of the same fault meanwhile.
    unit.situation.findings[0].prediction.model = "washing-machine/2".into();
    let corrected = |resolution, verdict| {
        let TicketEvent::Closed { outcome } = closed(resolution, verdict) else {
            panic!("an end")
        };
        let reason = "the wrong line".to_owned();
        TicketEvent::Corrected { outcome, reason }
    };
    let wrong = unit.act(0, &corrected(Resolution::NoFaultFound, Verdict::Wrong));
    assert_eq!(wrong.tallies[&pump()], added(-1, 1));
    let unknown = unit.act(0, &corrected(Resolution::Unreachable, Verdict::NotChecked));
    assert_eq!(unknown.tallies[&pump()], added(0, -1));
    let words = unit.act(0, &corrected(Resolution::CustomerDeclined, Verdict::NotChecked));
    assert!(words.tallies.is_empty());
}
