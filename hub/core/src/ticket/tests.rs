mod correction;
mod outcome;
mod people;
mod visits;

use super::label::tests::declared;
use super::*;
use crate::appointment::AppointmentState;
use crate::appointment::tests::visit;
use crate::call_result::CallResult;
use crate::call_rules::HoldReason;
use crate::contact::ContactPhase;
use crate::id::{AttemptId, FindingId};
use crate::outcome::Resolution;
use expect_test::expect;
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

/// Where a ticket stands at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Planned,
    InCall,
    Held,
    Visit,
    Closed,
}

fn ticket(stands: Stands) -> ServiceTicket {
    let (category, phase) = match stands {
        Stands::Planned => (TicketCategory::Open, ContactPhase::Planned),
        Stands::InCall => (TicketCategory::Open, ContactPhase::InCall),
        Stands::Held => (TicketCategory::Open, ContactPhase::Held),
        Stands::Visit => (TicketCategory::Paused, ContactPhase::Done),
        Stands::Closed => (TicketCategory::Resolved, ContactPhase::Done),
    };
    ServiceTicket {
        id: TicketId(Uuid::from_u128(1)),
        number: 7,
        tenant: TenantId::new("acme").unwrap(),
        appliance: ApplianceId(1),
        kind: TicketKind::PredictedFault,
        fault: Some(TicketFault {
            finding: FindingId(Uuid::from_u128(2)),
            fault_class: "drain_pump_wear".into(),
            severity: Severity::Major,
        }),
        status: TicketStatus::first(category, &declared()),
        assignee: None,
        opened_at: now(),
        closed_at: None,
        contact: ContactThread {
            phase,
            due: None,
            requested_by: None,
            approved_by: None,
            reason: (stands == Stands::Held).then_some(HoldReason::BelowGate),
        },
        appointment: None,
        promise: None,
        next_promise: None,
        outcome: None,
        correction: None,
        judged: None,
        trace: TraceId(Uuid::from_u128(3)),
    }
}

fn stands(ticket: &ServiceTicket) -> (TicketCategory, ContactPhase) {
    (ticket.status.category, ticket.contact.phase)
}

/// What becomes of a ticket by an event that `actor` causes, with the labels of [`declared`].
fn after(ticket: ServiceTicket, event: &TicketEvent, actor: &str) -> Result<ServiceTicket, TicketError> {
    ticket.apply(event, actor, &declared(), now()).map(|(ticket, _)| ticket)
}

fn events() -> Vec<(&'static str, TicketEvent)> {
    let attempt = AttemptId(Uuid::from_u128(9));
    let slot = Slot {
        start: now(),
        end: now(),
    };
    let ended = |result, disposition| TicketEvent::AttemptEnded {
        attempt,
        inbound: false,
        result,
        disposition,
        contact_due: now(),
    };
    let chose = |disposition| TicketEvent::Chose {
        attempt,
        disposition,
        slot: Some(slot),
        service_point: Some("sp".into()),
        rings_by: None,
    };
    let outcome = |resolution, verdict| TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: "n".into(),
            part: None,
        },
    };
    vec![
        (
            "grew",
            TicketEvent::FindingGrew {
                fault_class: "x".into(),
                probability: 0.95,
                severity: Severity::Critical,
            },
        ),
        ("cleared", TicketEvent::FindingCleared),
        (
            "waits",
            TicketEvent::Waits {
                until: now(),
                reason: HoldReason::QuietHours,
            },
        ),
        (
            "held",
            TicketEvent::Held {
                reason: HoldReason::ConsentWithdrawn,
            },
        ),
        (
            "attempt",
            TicketEvent::AttemptStarted {
                attempt,
                inbound: false,
            },
        ),
        ("rings back", TicketEvent::AttemptStarted { attempt, inbound: true }),
        ("chose 1", chose(Disposition::AppointmentBooked)),
        ("chose 9", chose(Disposition::DoNotCall)),
        ("no answer", ended(CallResult::NoAnswer, None)),
        ("declined", ended(CallResult::Declined, None)),
        ("unknown", ended(CallResult::Unknown, None)),
        ("9 then end", ended(CallResult::Answered, Some(Disposition::DoNotCall))),
        ("taken", TicketEvent::Taken),
        ("paused by a person", TicketEvent::StatusSet { label: "parts".into() }),
        ("noted", TicketEvent::Noted { text: "n".into() }),
        (
            "promise kept",
            TicketEvent::PromiseKept {
                by: None,
                of_call: None,
            },
        ),
        ("call now", TicketEvent::CallRequested),
        ("approved", TicketEvent::CallApproved),
        ("refused", TicketEvent::CallRefused { reason: "r".into() }),
        (
            "booked",
            TicketEvent::Booked {
                slot,
                service_point: "sp".into(),
            },
        ),
        ("fixed", outcome(Resolution::ConfirmedFixed, Verdict::Right)),
        ("nonsense", outcome(Resolution::ConfirmedFixed, Verdict::Wrong)),
    ]
}

fn settlement(actions: &[TicketAction]) -> Option<Settlement> {
    actions.iter().find_map(|action| match action {
        TicketAction::SettleFinding(settlement) => Some(*settlement),
        TicketAction::NoteVisit(_) | TicketAction::NotePromise | TicketAction::TakeBack { .. } => None,
    })
}

/// A person agrees a visit.
fn visit_agreed() -> TicketEvent {
    let is_booked = |event: &TicketEvent| matches!(event, TicketEvent::Booked { .. });
    let events = events().into_iter().map(|(_, event)| event);
    events.into_iter().find(is_booked).unwrap()
}

/// Every state against every event, as a table that a reviewer reads as the policy.
#[test]
fn state_by_event() {
    use Stands as S;
    let mut table = String::new();
    for before in [S::Planned, S::InCall, S::Held, S::Visit, S::Closed] {
        for (name, event) in events() {
            let line = match ticket(before).apply(&event, "li", &declared(), now()) {
                Ok((after, actions)) => {
                    let (category, phase) = stands(&after);
                    let held = after.contact.reason.map(|h| format!(" held {h:?}")).unwrap_or_default();
                    let due = after.contact.due.map(|_| " due").unwrap_or_default();
                    let settled = settlement(&actions)
                        .map(|s| format!(" finding {s:?}"))
                        .unwrap_or_default();
                    format!("{category:?}/{phase:?}{held}{due}{settled}")
                }
                Err(error) => format!("refused: {error}"),
            };
            table.push_str(&format!("{before:?} + {name} -> {line}\n"));
        }
    }
    expect![[r#"
        Planned + grew -> Open/Planned
        Planned + cleared -> Open/Planned
        Planned + waits -> Open/Planned held QuietHours due
        Planned + held -> Open/Held held ConsentWithdrawn
        Planned + attempt -> Open/InCall
        Planned + rings back -> Open/InCall
        Planned + chose 1 -> Paused/Planned
        Planned + chose 9 -> Open/Planned held DoNotCall
        Planned + no answer -> Open/Planned
        Planned + declined -> Open/Planned
        Planned + unknown -> Open/Planned
        Planned + 9 then end -> Open/Planned
        Planned + taken -> Open/Planned
        Planned + paused by a person -> Paused/Planned
        Planned + noted -> Open/Planned
        Planned + promise kept -> refused: ticket 7 has no such promise
        Planned + call now -> Open/Planned due
        Planned + approved -> refused: ticket 7 is not ready to ring: no call of it waits for anybody's approval
        Planned + refused -> Open/Held held CallRefused
        Planned + booked -> Paused/Done
        Planned + fixed -> Resolved/Done finding Repaired
        Planned + nonsense -> refused: ticket 7: the outcome is refused
        InCall + grew -> Open/InCall
        InCall + cleared -> Open/InCall
        InCall + waits -> refused: ticket 7 does not wait for a call
        InCall + held -> refused: ticket 7 does not wait for a call
        InCall + attempt -> refused: ticket 7 does not wait for a call
        InCall + rings back -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + chose 1 -> Paused/InCall
        InCall + chose 9 -> Open/InCall held DoNotCall
        InCall + no answer -> Open/Planned due
        InCall + declined -> Open/Held held Declined
        InCall + unknown -> Open/Held held UnknownAttempt
        InCall + 9 then end -> Open/Held held DoNotCall
        InCall + taken -> Open/InCall
        InCall + paused by a person -> Paused/InCall
        InCall + noted -> Open/InCall
        InCall + promise kept -> refused: ticket 7 has no such promise
        InCall + call now -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + approved -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + refused -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + booked -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + fixed -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        InCall + nonsense -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        Held + grew -> Open/Planned held BelowGate due
        Held + cleared -> Open/Held held FindingCleared
        Held + waits -> refused: ticket 7 does not wait for a call
        Held + held -> refused: ticket 7 does not wait for a call
        Held + attempt -> refused: ticket 7 does not wait for a call
        Held + rings back -> Open/InCall held BelowGate
        Held + chose 1 -> Paused/Held held BelowGate
        Held + chose 9 -> Open/Held held DoNotCall
        Held + no answer -> Open/Held held BelowGate
        Held + declined -> Open/Held held BelowGate
        Held + unknown -> Open/Held held BelowGate
        Held + 9 then end -> Open/Held held BelowGate
        Held + taken -> Open/Held held BelowGate
        Held + paused by a person -> Paused/Held held BelowGate
        Held + noted -> Open/Held held BelowGate
        Held + promise kept -> refused: ticket 7 has no such promise
        Held + call now -> Open/Planned due
        Held + approved -> Open/Planned due
        Held + refused -> Open/Held held CallRefused
        Held + booked -> Paused/Done
        Held + fixed -> Resolved/Done finding Repaired
        Held + nonsense -> refused: ticket 7: the outcome is refused
        Visit + grew -> Paused/Done
        Visit + cleared -> Paused/Done
        Visit + waits -> refused: ticket 7 does not wait for a call
        Visit + held -> refused: ticket 7 does not wait for a call
        Visit + attempt -> refused: ticket 7 does not wait for a call
        Visit + rings back -> Paused/InCall
        Visit + chose 1 -> Paused/Done
        Visit + chose 9 -> Paused/Done held DoNotCall
        Visit + no answer -> Paused/Done
        Visit + declined -> Paused/Done
        Visit + unknown -> Paused/Done
        Visit + 9 then end -> Paused/Done
        Visit + taken -> Paused/Done
        Visit + paused by a person -> Paused/Done
        Visit + noted -> Paused/Done
        Visit + promise kept -> refused: ticket 7 has no such promise
        Visit + call now -> Paused/Planned due
        Visit + approved -> refused: ticket 7 is not ready to ring: no call of it waits for anybody's approval
        Visit + refused -> refused: ticket 7 is not ready to ring: no call of it waits for anybody's approval
        Visit + booked -> Paused/Done
        Visit + fixed -> Resolved/Done finding Repaired
        Visit + nonsense -> refused: ticket 7: the outcome is refused
        Closed + grew -> Resolved/Done
        Closed + cleared -> Resolved/Done
        Closed + waits -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + held -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + attempt -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + rings back -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + chose 1 -> Resolved/Done
        Closed + chose 9 -> Resolved/Done
        Closed + no answer -> Resolved/Done
        Closed + declined -> Resolved/Done
        Closed + unknown -> Resolved/Done
        Closed + 9 then end -> Resolved/Done
        Closed + taken -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + paused by a person -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + noted -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + promise kept -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + call now -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + approved -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + refused -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + booked -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + fixed -> refused: ticket 7 is closed; only its outcome can be corrected
        Closed + nonsense -> refused: ticket 7 is closed; only its outcome can be corrected
    "#]]
    .assert_eq(&table);
}

#[test]
fn key_1_ends_in_an_appointment_even_if_the_line_drops() {
    let (_, chose) = events().swap_remove(6);
    let booked = after(ticket(Stands::InCall), &chose, HUB).unwrap();
    let lost = TicketEvent::AttemptEnded {
        attempt: AttemptId(Uuid::from_u128(9)),
        inbound: false,
        result: CallResult::Unknown,
        disposition: Some(Disposition::AppointmentBooked),
        contact_due: now(),
    };
    let after = after(booked, &lost, HUB).unwrap();
    assert_eq!(stands(&after), (TicketCategory::Paused, ContactPhase::Done));
}

#[test]
fn only_a_call_in_which_somebody_was_spoken_with_counts_as_reached() {
    let reached = |result| {
        let ended = TicketEvent::AttemptEnded {
            attempt: AttemptId(Uuid::from_u128(9)),
            inbound: false,
            result,
            disposition: None,
            contact_due: due(),
        };
        let contact = after(ticket(Stands::InCall), &ended, HUB).unwrap().contact;
        (contact.phase, contact.reason, contact.due)
    };
    let held = (ContactPhase::Held, Some(HoldReason::Reached), None);
    assert_eq!(reached(CallResult::Answered), held);
    let again = (ContactPhase::Planned, None, Some(due()));
    for result in [
        CallResult::Busy,
        CallResult::NoAnswer,
        CallResult::NoAudio,
        CallResult::HungUpEarly,
        CallResult::NetworkFailure,
        CallResult::TrunkRefused,
        CallResult::ExchangeDeclined,
        CallResult::NotPlaced,
    ] {
        assert_eq!(reached(result), again, "{result:?}");
    }
}

/// Applies the start and the end of a call in which the owner rang the main number.
fn rung_back(ticket: ServiceTicket, result: CallResult, disposition: Option<Disposition>) -> ServiceTicket {
    rung_back_and(ticket, None, result, disposition)
}

/// The same with something that happens in between.
fn rung_back_and(
    ticket: ServiceTicket,
    between: Option<&TicketEvent>,
    result: CallResult,
    disposition: Option<Disposition>,
) -> ServiceTicket {
    let attempt = AttemptId(Uuid::from_u128(9));
    let started = TicketEvent::AttemptStarted { attempt, inbound: true };
    let ended = TicketEvent::AttemptEnded {
        attempt,
        inbound: true,
        result,
        disposition,
        contact_due: now(),
    };
    let in_call = after(ticket, &started, HUB).unwrap();
    assert_eq!(in_call.contact.phase, ContactPhase::InCall);
    let in_call = match between {
        Some(event) => after(in_call, event, HUB).unwrap(),
        None => in_call,
    };
    after(in_call, &ended, HUB).unwrap()
}

fn due() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn planned() -> ServiceTicket {
    let mut ticket = ticket(Stands::Planned);
    ticket.contact.due = Some(due());
    ticket.contact.reason = Some(HoldReason::Gap);
    ticket
}

fn visited() -> ServiceTicket {
    ServiceTicket {
        appointment: Some(visit(AppointmentState::Confirmed, 6)),
        ..ticket(Stands::Visit)
    }
}

#[test]
fn an_owner_who_rings_back_and_chooses_nothing_changes_nothing() {
    for result in [
        CallResult::NoAnswer,
        CallResult::NoAudio,
        CallResult::HungUpEarly,
        CallResult::NetworkFailure,
        CallResult::NotPlaced,
        CallResult::Unknown,
    ] {
        assert_eq!(rung_back(planned(), result, None), planned());
        let waits = ticket(Stands::Held);
        assert_eq!(rung_back(waits.clone(), result, None), waits);
        assert_eq!(rung_back(visited(), result, None), visited());
    }
    let nothing = Some(Disposition::NothingChosen);
    let spoken = rung_back(planned(), CallResult::Answered, nothing);
    assert_eq!(
        (stands(&spoken), spoken.contact),
        (
            (TicketCategory::Open, ContactPhase::Held),
            ContactThread::held(HoldReason::Reached)
        )
    );
    let waits = ticket(Stands::Held);
    assert_eq!(rung_back(waits.clone(), CallResult::Answered, nothing), waits);
    assert_eq!(rung_back(visited(), CallResult::Answered, nothing), visited());
}

#[test]
fn an_owner_with_a_visit_who_wants_another_time_gets_a_person() {
    for wish in [Disposition::AnotherTime, Disposition::PersonWanted] {
        let after = rung_back(visited(), CallResult::Answered, Some(wish));
        assert_eq!(
            (stands(&after), after.contact.reason, &after.appointment),
            (
                (TicketCategory::Open, ContactPhase::Held),
                Some(HoldReason::Reached),
                &visited().appointment
            )
        );
        // Another call in which nothing is chosen does not make the wish go away; key 1 does.
        assert_eq!(rung_back(after.clone(), CallResult::NoAnswer, None), after);
        let chose = TicketEvent::Chose {
            attempt: AttemptId(Uuid::from_u128(9)),
            disposition: Disposition::AppointmentBooked,
            slot: visited().appointment.map(|visit| visit.slot),
            service_point: Some("sp".into()),
            rings_by: None,
        };
        let booked = rung_back_and(
            after,
            Some(&chose),
            CallResult::Answered,
            Some(Disposition::AppointmentBooked),
        );
        assert_eq!(
            (stands(&booked), booked.contact.reason),
            ((TicketCategory::Paused, ContactPhase::Done), None)
        );
    }
}

#[test]
fn a_fault_that_is_back_is_planned_again() {
    let mut gone = ticket(Stands::Held);
    gone.contact.reason = Some(HoldReason::FindingCleared);
    let (_, grew) = events().swap_remove(0);
    let back = after(gone.clone(), &grew, HUB).unwrap().contact;
    assert_eq!((back.phase, back.due), (ContactPhase::Planned, Some(now())));
    let taken = ServiceTicket {
        assignee: Some("li".into()),
        ..gone
    };
    let kept = after(taken, &grew, HUB).unwrap();
    assert_eq!(kept.contact.phase, ContactPhase::Held, "a person has it");
}
