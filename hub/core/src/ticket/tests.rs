use super::*;
use crate::appointment::tests::visit;
use crate::appointment::{AppointmentError, AppointmentEvent, AppointmentState, CancelledBy};
use crate::id::AttemptId;
use crate::outcome::{Resolution, Verdict};
use expect_test::expect;
use uuid::Uuid;

fn now() -> Timestamp {
    "2026-03-02T02:00:00Z".parse().unwrap()
}

fn ticket(state: TicketState) -> ServiceTicket {
    ServiceTicket {
        id: TicketId(Uuid::from_u128(1)),
        number: 7,
        tenant: TenantId::new("acme").unwrap(),
        appliance: ApplianceId(1),
        finding: FindingId(Uuid::from_u128(2)),
        fault_class: "drain_pump_wear".into(),
        severity: Severity::Major,
        state,
        assignee: None,
        opened_at: now(),
        closed_at: None,
        contact_due: None,
        call_requested_by: None,
        held: (state == TicketState::PersonNeeded).then_some(HoldReason::BelowGate),
        appointment: None,
        outcome: None,
        trace: TraceId(Uuid::from_u128(3)),
    }
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
    };
    let outcome = |resolution, verdict| TicketEvent::Closed {
        outcome: Outcome {
            resolution,
            verdict,
            note: "n".into(),
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
        ("call now", TicketEvent::CallRequested),
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

/// Every state against every event, as a table that a reviewer reads as the policy.
#[test]
fn state_by_event() {
    use TicketState as S;
    let states = [
        S::ContactPlanned,
        S::Contacting,
        S::PersonNeeded,
        S::Appointment,
        S::Closed,
    ];
    let mut table = String::new();
    for state in states {
        for (name, event) in events() {
            let line = match ticket(state).apply(&event, "li", now()) {
                Ok((after, actions)) => {
                    let held = after.held.map(|h| format!(" held {h:?}")).unwrap_or_default();
                    let actions: Vec<String> = actions
                        .iter()
                        .map(|a| format!("{a:?}").split(['(', ' ']).next().unwrap_or("").into())
                        .collect();
                    format!("{:?}{held} {}", after.state, actions.join(","))
                }
                Err(error) => format!("refused: {error}"),
            };
            table.push_str(&format!("{state:?} + {name} -> {}\n", line.trim_end()));
        }
    }
    expect![[r#"
            ContactPlanned + grew -> ContactPlanned
            ContactPlanned + cleared -> ContactPlanned
            ContactPlanned + waits -> ContactPlanned held QuietHours LookAt
            ContactPlanned + held -> PersonNeeded held ConsentWithdrawn StopLooking
            ContactPlanned + attempt -> Contacting StopLooking
            ContactPlanned + rings back -> Contacting StopLooking
            ContactPlanned + chose 1 -> ContactPlanned
            ContactPlanned + chose 9 -> ContactPlanned held DoNotCall
            ContactPlanned + no answer -> ContactPlanned
            ContactPlanned + declined -> ContactPlanned
            ContactPlanned + unknown -> ContactPlanned
            ContactPlanned + 9 then end -> ContactPlanned
            ContactPlanned + taken -> ContactPlanned
            ContactPlanned + call now -> ContactPlanned LookAt
            ContactPlanned + booked -> Appointment StopLooking
            ContactPlanned + fixed -> Closed StopLooking,SettleFinding
            ContactPlanned + nonsense -> refused: ticket 7: the outcome is refused
            Contacting + grew -> Contacting
            Contacting + cleared -> Contacting
            Contacting + waits -> refused: ticket 7 does not wait for a call
            Contacting + held -> refused: ticket 7 does not wait for a call
            Contacting + attempt -> refused: ticket 7 does not wait for a call
            Contacting + rings back -> refused: ticket 7: a call with the owner is under way; wait until it has ended
            Contacting + chose 1 -> Contacting
            Contacting + chose 9 -> Contacting held DoNotCall
            Contacting + no answer -> ContactPlanned LookAt
            Contacting + declined -> PersonNeeded held Declined StopLooking
            Contacting + unknown -> PersonNeeded held UnknownAttempt StopLooking
            Contacting + 9 then end -> PersonNeeded held DoNotCall StopLooking
            Contacting + taken -> Contacting
            Contacting + call now -> refused: ticket 7: a call with the owner is under way; wait until it has ended
            Contacting + booked -> refused: ticket 7: a call with the owner is under way; wait until it has ended
            Contacting + fixed -> refused: ticket 7: a call with the owner is under way; wait until it has ended
            Contacting + nonsense -> refused: ticket 7: a call with the owner is under way; wait until it has ended
            PersonNeeded + grew -> ContactPlanned held BelowGate LookAt
            PersonNeeded + cleared -> PersonNeeded held BelowGate
            PersonNeeded + waits -> refused: ticket 7 does not wait for a call
            PersonNeeded + held -> refused: ticket 7 does not wait for a call
            PersonNeeded + attempt -> refused: ticket 7 does not wait for a call
            PersonNeeded + rings back -> Contacting held BelowGate StopLooking
            PersonNeeded + chose 1 -> PersonNeeded held BelowGate
            PersonNeeded + chose 9 -> PersonNeeded held DoNotCall
            PersonNeeded + no answer -> PersonNeeded held BelowGate
            PersonNeeded + declined -> PersonNeeded held BelowGate
            PersonNeeded + unknown -> PersonNeeded held BelowGate
            PersonNeeded + 9 then end -> PersonNeeded held BelowGate
            PersonNeeded + taken -> PersonNeeded held BelowGate
            PersonNeeded + call now -> ContactPlanned LookAt
            PersonNeeded + booked -> Appointment StopLooking
            PersonNeeded + fixed -> Closed StopLooking,SettleFinding
            PersonNeeded + nonsense -> refused: ticket 7: the outcome is refused
            Appointment + grew -> Appointment
            Appointment + cleared -> Appointment
            Appointment + waits -> refused: ticket 7 does not wait for a call
            Appointment + held -> refused: ticket 7 does not wait for a call
            Appointment + attempt -> refused: ticket 7 does not wait for a call
            Appointment + rings back -> Contacting StopLooking
            Appointment + chose 1 -> Appointment
            Appointment + chose 9 -> Appointment held DoNotCall
            Appointment + no answer -> Appointment
            Appointment + declined -> Appointment
            Appointment + unknown -> Appointment
            Appointment + 9 then end -> Appointment
            Appointment + taken -> Appointment
            Appointment + call now -> ContactPlanned LookAt
            Appointment + booked -> Appointment StopLooking
            Appointment + fixed -> Closed StopLooking,SettleFinding
            Appointment + nonsense -> refused: ticket 7: the outcome is refused
            Closed + grew -> Closed
            Closed + cleared -> Closed
            Closed + waits -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + held -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + attempt -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + rings back -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + chose 1 -> Closed
            Closed + chose 9 -> Closed
            Closed + no answer -> Closed
            Closed + declined -> Closed
            Closed + unknown -> Closed
            Closed + 9 then end -> Closed
            Closed + taken -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + call now -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + booked -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + fixed -> refused: ticket 7 is closed; nothing can happen to it any more
            Closed + nonsense -> refused: ticket 7 is closed; nothing can happen to it any more
        "#]]
    .assert_eq(&table);
}

#[test]
fn key_1_ends_in_an_appointment_even_if_the_line_drops() {
    let (_, chose) = events().swap_remove(6);
    let (booked, _) = ticket(TicketState::Contacting).apply(&chose, HUB, now()).unwrap();
    let lost = TicketEvent::AttemptEnded {
        attempt: AttemptId(Uuid::from_u128(9)),
        inbound: false,
        result: CallResult::Unknown,
        disposition: Some(Disposition::AppointmentBooked),
        contact_due: now(),
    };
    let (after, _) = booked.apply(&lost, HUB, now()).unwrap();
    assert_eq!(after.state, TicketState::Appointment);
}

#[test]
fn only_a_call_in_which_somebody_was_spoken_with_counts_as_reached() {
    let after = |result| {
        let ended = TicketEvent::AttemptEnded {
            attempt: AttemptId(Uuid::from_u128(9)),
            inbound: false,
            result,
            disposition: None,
            contact_due: due(),
        };
        let (after, _) = ticket(TicketState::Contacting).apply(&ended, HUB, now()).unwrap();
        (after.state, after.held, after.contact_due)
    };
    let reached = (TicketState::PersonNeeded, Some(HoldReason::Reached), None);
    assert_eq!(after(CallResult::Answered), reached);
    let again = (TicketState::ContactPlanned, None, Some(due()));
    for result in [
        CallResult::Busy,
        CallResult::NoAnswer,
        CallResult::NoAudio,
        CallResult::NetworkFailure,
    ] {
        assert_eq!(after(result), again, "{result:?}");
    }
}

/// Applies the start and the end of a call in which the owner rang the main number.
fn rung_back(ticket: ServiceTicket, result: CallResult, disposition: Option<Disposition>) -> ServiceTicket {
    let attempt = AttemptId(Uuid::from_u128(9));
    let started = TicketEvent::AttemptStarted { attempt, inbound: true };
    let ended = TicketEvent::AttemptEnded {
        attempt,
        inbound: true,
        result,
        disposition,
        contact_due: now(),
    };
    let (in_call, _) = ticket.apply(&started, HUB, now()).unwrap();
    assert_eq!(in_call.state, TicketState::Contacting);
    in_call.apply(&ended, HUB, now()).unwrap().0
}

fn due() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn planned() -> ServiceTicket {
    ServiceTicket {
        contact_due: Some(due()),
        held: Some(HoldReason::Gap),
        ..ticket(TicketState::ContactPlanned)
    }
}

fn visited() -> ServiceTicket {
    ServiceTicket {
        appointment: Some(visit(AppointmentState::Confirmed, 6)),
        ..ticket(TicketState::Appointment)
    }
}

#[test]
fn an_owner_who_rings_back_and_chooses_nothing_changes_nothing() {
    for result in [
        CallResult::NoAnswer,
        CallResult::NoAudio,
        CallResult::NetworkFailure,
        CallResult::Unknown,
    ] {
        assert_eq!(rung_back(planned(), result, None), planned());
        let waits = ticket(TicketState::PersonNeeded);
        assert_eq!(rung_back(waits.clone(), result, None), waits);
        assert_eq!(rung_back(visited(), result, None), visited());
    }
    let nothing = Some(Disposition::NothingChosen);
    let spoken = rung_back(planned(), CallResult::Answered, nothing);
    assert_eq!(
        (spoken.state, spoken.held, spoken.contact_due),
        (TicketState::PersonNeeded, Some(HoldReason::Reached), None)
    );
    let waits = ticket(TicketState::PersonNeeded);
    assert_eq!(rung_back(waits.clone(), CallResult::Answered, nothing), waits);
    assert_eq!(rung_back(visited(), CallResult::Answered, nothing), visited());
}

#[test]
fn an_owner_with_a_visit_who_wants_another_time_gets_a_person() {
    for wish in [Disposition::AnotherTime, Disposition::PersonWanted] {
        let after = rung_back(visited(), CallResult::Answered, Some(wish));
        assert_eq!(
            (after.state, after.held, &after.appointment),
            (
                TicketState::PersonNeeded,
                Some(HoldReason::Reached),
                &visited().appointment
            )
        );
        // Another call in which nothing is chosen does not make the wish go away; key 1 does.
        assert_eq!(rung_back(after.clone(), CallResult::NoAnswer, None), after);
        let booked = rung_back(after, CallResult::Answered, Some(Disposition::AppointmentBooked));
        assert_eq!((booked.state, booked.held), (TicketState::Appointment, None));
    }
}

#[test]
fn a_call_that_is_refused_leaves_the_visit_as_it_was() {
    let (asked, _) = visited().apply(&TicketEvent::CallRequested, "li", now()).unwrap();
    let refused = TicketEvent::Held {
        reason: HoldReason::DoNotCall,
    };
    let (after, _) = asked.apply(&refused, HUB, now()).unwrap();
    assert_eq!(
        (after.state, after.held, after.contact_due, &after.appointment),
        (
            TicketState::Appointment,
            Some(HoldReason::DoNotCall),
            None,
            &visited().appointment
        )
    );
}

#[test]
fn a_fault_that_is_back_is_planned_again() {
    let gone = ServiceTicket {
        held: Some(HoldReason::FindingCleared),
        ..ticket(TicketState::PersonNeeded)
    };
    let (_, grew) = events().swap_remove(0);
    let (back, _) = gone.clone().apply(&grew, HUB, now()).unwrap();
    assert_eq!(
        (back.state, back.contact_due),
        (TicketState::ContactPlanned, Some(now()))
    );
    let taken = ServiceTicket {
        assignee: Some("li".into()),
        ..gone
    };
    let (kept, _) = taken.apply(&grew, HUB, now()).unwrap();
    assert_eq!(kept.state, TicketState::PersonNeeded, "a person has it");
}

#[test]
fn only_a_repair_or_a_persons_no_settles_a_finding() {
    let settled = |resolution, verdict| {
        let outcome = Outcome {
            resolution,
            verdict,
            note: String::new(),
        };
        let (_, actions) = ticket(TicketState::PersonNeeded)
            .apply(&TicketEvent::Closed { outcome }, "li", now())
            .unwrap();
        actions.into_iter().find_map(|action| match action {
            TicketAction::SettleFinding(settlement) => Some(settlement),
            _ => None,
        })
    };
    use {Resolution as R, Settlement as S, Verdict as V};
    for (resolution, verdict, settlement) in [
        (R::ConfirmedFixed, V::Right, S::Repaired),
        (R::ConfirmedRemoteFix, V::OtherFault, S::Repaired),
        (R::ConfirmedDeferred, V::Right, S::LeftAsItIs),
        (R::CustomerDeclined, V::NotChecked, S::LeftAsItIs),
        (R::Unreachable, V::NotChecked, S::LeftAsItIs),
        (R::NoFaultFound, V::Wrong, S::FalseAlarm),
        (R::FalseAlarm, V::Wrong, S::FalseAlarm),
    ] {
        assert_eq!(settled(resolution, verdict), Some(settlement));
    }
}

fn happens(ticket: ServiceTicket, event: AppointmentEvent) -> Result<ServiceTicket, TicketError> {
    ticket
        .apply(&TicketEvent::Visit(event), "li", now())
        .map(|(after, _)| after)
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
    let later = Slot {
        start: due() + jiff::SignedDuration::from_hours(24),
        end: due() + jiff::SignedDuration::from_hours(27),
    };
    let mut table = String::new();
    for state in [
        TicketState::Appointment,
        TicketState::PersonNeeded,
        TicketState::ContactPlanned,
        TicketState::Contacting,
    ] {
        for event in [E::Moved { slot: later }, called_off(), E::EnRoute, E::Done] {
            let name = event.name();
            let line = match happens(ServiceTicket { state, ..visited() }, event) {
                Ok(after) => format!("{:?}, visit {:?}", after.state, after.appointment.unwrap().state),
                Err(error) => format!("refused: {error}"),
            };
            table.push_str(&format!("{state:?} + {name} -> {line}\n"));
        }
    }
    expect![[r#"
        Appointment + moved -> Appointment, visit Moved
        Appointment + cancelled -> PersonNeeded, visit Cancelled
        Appointment + en_route -> Appointment, visit EnRoute
        Appointment + done -> PersonNeeded, visit Done
        PersonNeeded + moved -> Appointment, visit Moved
        PersonNeeded + cancelled -> PersonNeeded, visit Cancelled
        PersonNeeded + en_route -> PersonNeeded, visit EnRoute
        PersonNeeded + done -> PersonNeeded, visit Done
        ContactPlanned + moved -> Appointment, visit Moved
        ContactPlanned + cancelled -> ContactPlanned, visit Cancelled
        ContactPlanned + en_route -> ContactPlanned, visit EnRoute
        ContactPlanned + done -> ContactPlanned, visit Done
        Contacting + moved -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        Contacting + cancelled -> refused: ticket 7: a call with the owner is under way; wait until it has ended
        Contacting + en_route -> Contacting, visit EnRoute
        Contacting + done -> Contacting, visit Done
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
    let none = happens(ticket(TicketState::PersonNeeded), E::EnRoute).unwrap_err();
    assert_eq!(none.to_string(), "ticket 7 has no visit; agree one first");
}

#[test]
fn a_visit_that_was_called_off_is_not_waited_for_after_a_call() {
    let open = happens(visited(), called_off()).unwrap();
    assert_eq!((open.state, open.held), (TicketState::PersonNeeded, None));
    assert!(open.appointment.is_some() && open.standing_visit().is_none());
    let after = rung_back(open.clone(), CallResult::Answered, Some(Disposition::NothingChosen));
    assert_eq!(after.state, TicketState::PersonNeeded);
    let slot = visited().appointment.unwrap().slot;
    let booked = TicketEvent::Booked {
        slot,
        service_point: "pudong".into(),
    };
    let (again, _) = open.apply(&booked, "li", now()).unwrap();
    let another = again.standing_visit().unwrap();
    assert_eq!(again.state, TicketState::Appointment);
    assert_ne!(another.id, visited().appointment.unwrap().id, "another visit");
}

#[test]
fn no_visit_outlives_its_ticket() {
    use {AppointmentState as A, Resolution as R, Verdict as V};
    let closed_as = |before: A, resolution, verdict| {
        let outcome = Outcome {
            resolution,
            verdict,
            note: String::new(),
        };
        let ticket = ServiceTicket {
            appointment: Some(visit(before, 6)),
            ..visited()
        };
        let (after, actions) = ticket.apply(&TicketEvent::Closed { outcome }, "li", now()).unwrap();
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
