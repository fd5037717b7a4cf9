use super::*;
use crate::appointment::{AppointmentEvent, CancelledBy};
use crate::call_result::{CallResult, Disposition};
use crate::contact::{AttemptEvent, Direction};
use crate::id::{AttemptId, PersonId};
use crate::ticket::HUB;
use expect_test::expect;
use jiff::SignedDuration;

fn in_call(offered: bool) -> (Unit, AttemptId) {
    let mut unit = Unit::new();
    unit.sees(alarm("pump", 0.95, Severity::Major));
    let (ticket, id) = (unit.situation.tickets[0].id, AttemptId(Uuid::from_u128(9)));
    let slot = crate::appointment::Slot {
        start: morning(),
        end: morning(),
    };
    let placing = Placing {
        id,
        owner: PersonId(Uuid::from_u128(3)),
        direction: Direction::Outbound,
        offered: offered.then_some(slot),
        service_point: Some(crate::site::ServicePoint {
            id: "pudong".into(),
            name: serde_json::from_value(serde_json::json!({ "zh-CN": "浦东", "en": "Pudong" })).unwrap(),
            zone: "Asia/Shanghai".into(),
            slots: Vec::new(),
        }),
        zone: None,
    };
    let mut changes = Changes::default();
    unit.situation.place(ticket, placing, morning(), &mut changes).unwrap();
    assert_eq!(told(&changes), ["ticket.attempt_started"]);
    assert!(changes.attempts[&id].is_new);
    (unit, id)
}

fn end(result: CallResult) -> AttemptEvent {
    AttemptEvent::Ended {
        result,
        detail: serde_json::Value::Null,
    }
}

/// Each key, and then the end of the call.
#[test]
fn keys_and_the_end_of_a_call() {
    use Disposition as D;
    let keys: [(&str, bool, &[Disposition]); 7] = [
        ("no key", true, &[]),
        ("1", true, &[D::AppointmentBooked]),
        ("1 without a slot", false, &[D::AppointmentBooked]),
        ("2", true, &[D::AnotherTime]),
        ("3", true, &[D::PersonWanted]),
        ("9", true, &[D::DoNotCall]),
        ("9 and then 1", true, &[D::DoNotCall, D::AppointmentBooked]),
    ];
    let mut table = String::new();
    for (name, offered, keys) in keys {
        let (mut unit, id) = in_call(offered);
        let mut changes = Changes::default();
        let mut happens = |unit: &mut Unit, event| unit.situation.call_event(id, event, morning(), &mut changes);
        happens(&mut unit, AttemptEvent::Answered).unwrap();
        for key in keys {
            happens(&mut unit, AttemptEvent::Chose(*key)).unwrap();
        }
        happens(&mut unit, end(CallResult::Answered)).unwrap();
        let visit = unit.situation.tickets[0].appointment.as_ref();
        let visit = visit.map_or(String::new(), |visit| {
            assert!(changes.appointments[&visit.id].is_new);
            format!(" visit from {} {:?}", visit.service_point, visit.state)
        });
        let refused = changes.refusals.len();
        writeln!(table, "{name}:{}{visit} refused {refused}", stands(&unit.situation)).unwrap();
        writeln!(table, "    {}", heard(&changes)).unwrap();
    }
    expect![[r#"
        no key: Open pump x1 with ticket; ticket Open/Held pump held Reached; refused 0
            contact.answered, contact.ended, ticket.attempt_ended
        1: Open pump x1 with ticket; ticket Paused/Done pump; visit from pudong Confirmed refused 0
            contact.answered, contact.chose, ticket.chose, appointment.confirmed, contact.ended, ticket.attempt_ended
        1 without a slot: Open pump x1 with ticket; ticket Open/Held pump held Reached; refused 0
            contact.answered, contact.chose, ticket.chose, contact.ended, ticket.attempt_ended
        2: Open pump x1 with ticket; ticket Open/Held pump held Reached; refused 0
            contact.answered, contact.chose, ticket.chose, contact.ended, ticket.attempt_ended
        3: Open pump x1 with ticket; ticket Open/Held pump held Reached; refused 0
            contact.answered, contact.chose, ticket.chose, contact.ended, ticket.attempt_ended
        9: Open pump x1 with ticket; ticket Open/Held pump held DoNotCall; refused 1
            contact.answered, contact.chose, ticket.chose, contact.ended, ticket.attempt_ended
        9 and then 1: Open pump x1 with ticket; ticket Open/Held pump held DoNotCall; refused 1
            contact.answered, contact.chose, ticket.chose, contact.chose, contact.ended, ticket.attempt_ended
    "#]]
    .assert_eq(&table);
}

#[test]
fn the_same_end_told_again_changes_nothing() {
    let (mut unit, id) = in_call(true);
    let mut changes = Changes::default();
    let ended = unit
        .situation
        .call_event(id, end(CallResult::Busy), morning(), &mut changes)
        .unwrap();
    let mut again = Changes::default();
    let later = morning() + SignedDuration::from_secs(9);
    let heard = unit
        .situation
        .call_event(id, end(CallResult::Busy), later, &mut again)
        .unwrap();
    assert_eq!(heard, ended);
    assert!(again.is_empty());
    let other = unit
        .situation
        .call_event(id, end(CallResult::Declined), later, &mut again);
    assert!(matches!(other, Err(SituationError::Attempt(_))));
    let unknown = AttemptId(Uuid::from_u128(10));
    let missing = unit
        .situation
        .call_event(unknown, end(CallResult::Busy), later, &mut again);
    assert!(matches!(missing, Err(SituationError::Missing { what: "attempt", .. })));
}

/// A ticket with a visit that was agreed by key 1.
fn with_visit() -> Unit {
    let (mut unit, id) = in_call(true);
    let mut changes = Changes::default();
    for event in [
        AttemptEvent::Chose(Disposition::AppointmentBooked),
        end(CallResult::Answered),
    ] {
        unit.situation.call_event(id, event, morning(), &mut changes).unwrap();
    }
    unit
}

#[test]
fn a_visit_is_saved_as_it_is_now() {
    let mut unit = with_visit();
    let visit = unit.situation.tickets[0].appointment.clone().unwrap();
    assert!(unit.act(0, &TicketEvent::Taken).appointments.is_empty());
    let later = crate::appointment::Slot {
        start: morning() + SignedDuration::from_hours(48),
        end: morning() + SignedDuration::from_hours(51),
    };
    let booked = TicketEvent::Booked {
        slot: later,
        service_point: "pudong".into(),
    };
    let moved = unit.act(0, &booked);
    assert_eq!(told(&moved), ["ticket.booked", "appointment.moved"]);
    let saved = &moved.appointments[&visit.id];
    assert_eq!((saved.now.slot, saved.is_new), (later, false), "the same visit");
    let set_out = unit.act(0, &TicketEvent::Visit(AppointmentEvent::EnRoute));
    assert_eq!(told(&set_out), ["ticket.visit", "appointment.en_route"]);
    let fixed = unit.close(0, Resolution::ConfirmedFixed, Verdict::Right);
    assert_eq!(
        told(&fixed),
        ["ticket.closed", "appointment.done", "ticket.visit", "finding.cleared"]
    );
    let lines: Vec<_> = fixed.lines.iter().map(|line| line.event.clone()).collect();
    assert_eq!(lines[1], TicketEvent::Visit(AppointmentEvent::Done));
    assert_eq!(fixed.lines[1].actor, HUB);
}

#[test]
fn a_ticket_that_is_closed_first_calls_its_visit_off() {
    let mut unit = with_visit();
    let closed = unit.close(0, Resolution::CustomerDeclined, Verdict::NotChecked);
    assert_eq!(
        told(&closed),
        ["ticket.closed", "appointment.cancelled", "ticket.visit"]
    );
    let called_off = AppointmentEvent::Cancelled {
        by: CancelledBy::Closing,
        reason: String::new(),
    };
    assert_eq!(closed.lines[1].event, TicketEvent::Visit(called_off));
}

/// Each end of a call in which nothing was chosen, and the next step.
#[test]
fn every_end_has_its_next_step() {
    use strum::VariantArray;
    let mut table = String::new();
    for result in CallResult::VARIANTS {
        let (mut unit, id) = in_call(true);
        let mut changes = Changes::default();
        unit.situation
            .call_event(id, end(*result), morning(), &mut changes)
            .unwrap();
        let due = unit.situation.tickets[0].contact.due;
        let due = due.map_or(String::new(), |due| {
            format!(" looked at after {} s", due.duration_since(morning()).as_secs())
        });
        writeln!(table, "{}:{}{due}", result.as_str(), stands(&unit.situation)).unwrap();
    }
    expect![[r#"
        answered: Open pump x1 with ticket; ticket Open/Held pump held Reached;
        busy: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 1 s
        no_answer: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 1 s
        declined: Open pump x1 with ticket; ticket Open/Held pump held Declined;
        invalid_number: Open pump x1 with ticket; ticket Open/Held pump held InvalidNumber;
        trunk_refused: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 600 s
        no_audio: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 1 s
        hung_up_early: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 1 s
        exchange_declined: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 600 s
        network_failure: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 600 s
        not_placed: Open pump x1 with ticket; ticket Open/Planned pump; looked at after 600 s
        unknown: Open pump x1 with ticket; ticket Open/Held pump held UnknownAttempt;
    "#]]
    .assert_eq(&table);
}

/// Who asked for a call waits for one that rings; only that uses up the wish.
#[test]
fn a_wish_for_a_call_outlives_one_that_rang_nobody() {
    for (events, wish) in [
        (&[end(CallResult::NetworkFailure)][..], Some("lena")),
        (&[end(CallResult::NotPlaced)], Some("lena")),
        (&[AttemptEvent::Ringing, end(CallResult::NoAnswer)], None),
        (&[AttemptEvent::Answered, end(CallResult::Answered)], None),
    ] {
        let mut unit = Unit::new();
        unit.sees(alarm("pump", 0.95, Severity::Major));
        unit.act(0, &TicketEvent::CallRequested);
        let (ticket, id) = (unit.situation.tickets[0].id, AttemptId(Uuid::from_u128(9)));
        let placing = Placing {
            id,
            owner: PersonId(Uuid::from_u128(3)),
            direction: Direction::Outbound,
            offered: None,
            service_point: None,
            zone: None,
        };
        let mut changes = Changes::default();
        let attempt = unit.situation.place(ticket, placing, morning(), &mut changes).unwrap();
        assert_eq!(attempt.requested_by.as_deref(), Some("lena"));
        for event in events {
            unit.situation
                .call_event(id, event.clone(), morning(), &mut changes)
                .unwrap();
        }
        let contact = &unit.situation.tickets[0].contact;
        assert_eq!(contact.requested_by.as_deref(), wish, "{events:?}");
        assert_eq!(contact.was_tried_since_asked(), wish.is_some(), "{events:?}");
        if wish.is_some() {
            unit.act(0, &TicketEvent::CallRequested);
            let again = &unit.situation.tickets[0].contact;
            assert!(!again.was_tried_since_asked(), "who asks again does not wait");
        }
    }
}
