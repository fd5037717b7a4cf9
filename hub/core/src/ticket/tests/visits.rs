//! What becomes of a visit, and of the ticket that waits for it.

use super::*;
use crate::appointment::{AppointmentError, AppointmentEvent, CancelledBy};

fn happens(ticket: ServiceTicket, event: AppointmentEvent) -> Result<ServiceTicket, TicketError> {
    after(ticket, &TicketEvent::Visit(event), "li")
}

fn called_off() -> AppointmentEvent {
    AppointmentEvent::Cancelled {
        by: CancelledBy::Owner,
        reason: String::new(),
    }
}

/// What each event of a visit makes of a ticket that waits for the visit, of one that a call is planned for, and of one in a call.
#[test]
fn a_visit_and_its_ticket() {
    use AppointmentEvent as E;
    use Stands as S;
    let later = Slot {
        start: due() + jiff::SignedDuration::from_hours(24),
        end: due() + jiff::SignedDuration::from_hours(27),
    };
    let mut table = String::new();
    for before in [S::Visit, S::Held, S::Planned, S::InCall] {
        for event in [E::Moved { slot: later }, called_off(), E::EnRoute, E::Done] {
            let name = event.name();
            let ticket = ServiceTicket {
                appointment: visited().appointment,
                ..ticket(before)
            };
            let line = match happens(ticket, event) {
                Ok(after) => {
                    let (category, phase) = stands(&after);
                    format!("{category:?}/{phase:?}, visit {:?}", after.appointment.unwrap().state)
                }
                Err(error) => format!("refused: {error}"),
            };
            table.push_str(&format!("{before:?} + {name} -> {line}\n"));
        }
    }
    expect![[r#"
        Visit + moved -> Paused/Done, visit Moved
        Visit + cancelled -> Open/Held, visit Cancelled
        Visit + en_route -> Paused/Done, visit EnRoute
        Visit + done -> Open/Held, visit Done
        Held + moved -> Paused/Done, visit Moved
        Held + cancelled -> Open/Held, visit Cancelled
        Held + en_route -> Open/Held, visit EnRoute
        Held + done -> Open/Held, visit Done
        Planned + moved -> Paused/Done, visit Moved
        Planned + cancelled -> Open/Planned, visit Cancelled
        Planned + en_route -> Open/Planned, visit EnRoute
        Planned + done -> Open/Planned, visit Done
        InCall + moved -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + cancelled -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + en_route -> Open/InCall, visit EnRoute
        InCall + done -> Open/InCall, visit Done
    "#]]
    .assert_eq(&table);
    let early = happens(visited(), E::NoShow).unwrap_err();
    assert!(matches!(
        early,
        TicketError::Visit {
            source: AppointmentError::NotBegun(_),
            ..
        }
    ));
    let none = happens(ticket(S::Held), E::EnRoute).unwrap_err();
    assert_eq!(none.to_string(), "ticket 7 has no visit; agree one first");
}

#[test]
fn a_visit_that_was_called_off_is_not_waited_for_after_a_call() {
    let held = (TicketCategory::Open, ContactPhase::Held);
    let open = happens(visited(), called_off()).unwrap();
    assert_eq!((stands(&open), open.contact.reason), (held, None));
    assert!(open.appointment.is_some() && open.standing_visit().is_none());
    let spoken = rung_back(open.clone(), CallResult::Answered, Some(Disposition::NothingChosen));
    assert_eq!(stands(&spoken), held);
    let slot = visited().appointment.unwrap().slot;
    let booked = TicketEvent::Booked {
        slot,
        service_point: "pudong".into(),
    };
    let again = after(open, &booked, "li").unwrap();
    let another = again.standing_visit().unwrap();
    assert_eq!(stands(&again), (TicketCategory::Paused, ContactPhase::Done));
    assert_ne!(another.id, visited().appointment.unwrap().id, "another visit");
}

#[test]
fn a_ticket_whose_visit_ends_during_a_call_is_open_after_it() {
    let done = TicketEvent::Visit(AppointmentEvent::Done);
    let over = rung_back_and(visited(), Some(&done), CallResult::NoAnswer, None);
    assert_eq!(stands(&over), (TicketCategory::Open, ContactPhase::Held));
}

#[test]
fn no_visit_outlives_its_ticket() {
    use {AppointmentState as A, Resolution as R, Verdict as V};
    let closed_as = |before: A, resolution, verdict| {
        let outcome = Outcome {
            resolution,
            verdict,
            note: String::new(),
            part: None,
        };
        let ticket = ServiceTicket {
            appointment: Some(visit(before, 6)),
            ..visited()
        };
        let (after, actions) = ticket
            .apply(&TicketEvent::Closed { outcome }, "li", &declared(), now())
            .unwrap();
        let noted = actions
            .iter()
            .any(|action| matches!(action, TicketAction::NoteVisit(_)));
        (after.appointment.unwrap().state, noted)
    };
    for (before, resolution, verdict, after) in [
        (A::Confirmed, R::ConfirmedFixed, V::Right, (A::Done, true)),
        (A::EnRoute, R::NoFaultFound, V::Wrong, (A::Done, true)),
        (A::Moved, R::ConfirmedRemoteFix, V::Right, (A::Cancelled, true)),
        (A::Confirmed, R::CustomerDeclined, V::NotChecked, (A::Cancelled, true)),
        (A::Proposed, R::ConfirmedFixed, V::Right, (A::Cancelled, true)),
        (A::Done, R::ConfirmedDeferred, V::Right, (A::Done, false)),
        (A::NoShow, R::Unreachable, V::NotChecked, (A::NoShow, false)),
    ] {
        assert_eq!(
            closed_as(before, resolution, verdict),
            after,
            "{before:?} {resolution:?}"
        );
    }
}

#[test]
fn a_call_after_a_wish_for_another_time_that_reaches_nobody_leaves_the_visit_awaited() {
    let wish = rung_back(visited(), CallResult::Answered, Some(Disposition::AnotherTime));
    let asked = after(wish, &TicketEvent::CallRequested, "li").unwrap();
    assert_eq!(stands(&asked), (TicketCategory::Open, ContactPhase::Planned));
    let attempt = AttemptId(Uuid::from_u128(9));
    let started = TicketEvent::AttemptStarted {
        attempt,
        inbound: false,
    };
    let ended = TicketEvent::AttemptEnded {
        attempt,
        inbound: false,
        result: CallResult::NoAnswer,
        disposition: None,
        contact_due: due(),
    };
    let rung = after(asked, &started, HUB).unwrap();
    let over = after(rung, &ended, HUB).unwrap();
    assert_eq!(stands(&over), (TicketCategory::Paused, ContactPhase::Done));
}

#[test]
fn a_call_that_is_refused_leaves_the_visit_as_it_was() {
    let asked = || after(visited(), &TicketEvent::CallRequested, "li").unwrap();
    let of_rules = TicketEvent::Held {
        reason: HoldReason::DoNotCall,
    };
    let of_person = TicketEvent::CallRefused { reason: "r".into() };
    for (refused, reason) in [(of_rules, HoldReason::DoNotCall), (of_person, HoldReason::CallRefused)] {
        let after = after(asked(), &refused, HUB).unwrap();
        let mut wanted = visited();
        wanted.contact.reason = Some(reason);
        assert_eq!(after, wanted);
    }
}
