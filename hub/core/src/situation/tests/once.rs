use super::*;
use crate::appointment::{AppointmentEvent, Slot};
use crate::call_rules::HoldReason;
use crate::finding::Finding;
use crate::prediction::UNKNOWN_FAULT;
use jiff::SignedDuration;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Deed {
    Sees(Observation),
    Acts(usize, TicketEvent),
    Waits(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let class = prop_oneof![Just("pump"), Just("bearing"), Just(UNKNOWN_FAULT)];
    let severity = prop_oneof![Just(Severity::Minor), Just(Severity::Major), Just(Severity::Critical)];
    let event = prop_oneof![
        Just(TicketEvent::Taken),
        Just(TicketEvent::CallRequested),
        Just(TicketEvent::CallApproved),
        Just(TicketEvent::CallRefused {
            reason: "not sure enough".into()
        }),
        Just(TicketEvent::Held {
            reason: HoldReason::BelowGate
        }),
        (0_i64..100).prop_map(booked),
        Just(TicketEvent::Visit(AppointmentEvent::EnRoute)),
        Just(TicketEvent::Visit(AppointmentEvent::Done)),
        Just(TicketEvent::Visit(AppointmentEvent::NoShow)),
        Just(closed(Resolution::ConfirmedFixed, Verdict::Right)),
        Just(closed(Resolution::FalseAlarm, Verdict::Wrong)),
        Just(closed(Resolution::ConfirmedDeferred, Verdict::Right)),
        Just(closed(Resolution::ConfirmedFixed, Verdict::Wrong)),
        Just(corrected(Resolution::ConfirmedFixed, Verdict::Right)),
        Just(corrected(Resolution::FalseAlarm, Verdict::Wrong)),
        Just(corrected(Resolution::ConfirmedDeferred, Verdict::Right)),
    ];
    prop_oneof![
        6 => (class, 0.0_f32..1.0, severity).prop_map(|(class, sure, bad)| Deed::Sees(alarm(class, sure, bad))),
        1 => Just(Deed::Sees(CLEAR)),
        3 => (0_usize..8, event).prop_map(|(ticket, event)| Deed::Acts(ticket, event)),
        1 => (1_i64..100).prop_map(Deed::Waits),
    ]
}

fn corrected(resolution: Resolution, verdict: Verdict) -> TicketEvent {
    let note = String::new();
    let outcome = Outcome {
        resolution,
        verdict,
        note,
        part: None,
    };
    let reason = "the wrong line".into();
    TicketEvent::Corrected { outcome, reason }
}

fn booked(hours: i64) -> TicketEvent {
    let start = morning() + SignedDuration::from_hours(hours);
    TicketEvent::Booked {
        slot: Slot { start, end: start },
        service_point: "pudong".into(),
    }
}

fn check(unit: &Unit) {
    for ticket in &unit.situation.tickets {
        let is_closed = ticket.is_closed();
        assert!(
            !is_closed || ticket.standing_visit().is_none(),
            "a visit outlives its ticket"
        );
    }
    let open: Vec<&Finding> = unit.situation.open().collect();
    let tickets = unit.situation.tickets.iter();
    let waiting: Vec<&ServiceTicket> = tickets.filter(|ticket| !ticket.is_closed()).collect();
    for (n, one) in open.iter().enumerate() {
        assert!(
            open[..n].iter().all(|other| other.fault_class != one.fault_class),
            "two open findings of a fault"
        );
    }
    for (n, one) in waiting.iter().enumerate() {
        let Some(fault) = &one.fault else { continue };
        let class = |ticket: &ServiceTicket| ticket.fault.as_ref().map(|fault| fault.fault_class.clone());
        assert!(
            waiting[..n].iter().all(|other| class(other) != class(one)),
            "two open tickets of a fault"
        );
        assert!(
            unit.situation.finding(fault.finding).is_ok(),
            "a ticket without its finding"
        );
    }
}

proptest! {
    /// Whatever scoring sees and people do: a fault has one open finding and one open ticket, and what is refused changes nothing.
    #[test]
    fn one_fault_is_one_finding_and_one_ticket(deeds in prop::collection::vec(deed(), 1..40)) {
        let mut unit = Unit::new();
        for deed in deeds {
            match deed {
                Deed::Sees(seen) => {
                    let changes = unit.sees(seen);
                    for line in &changes.lines {
                        let kind = format!("ticket.{}", line.event.name());
                        prop_assert!(changes.told.iter().any(|told| told.kind == kind), "a line that nobody is told of");
                    }
                }
                Deed::Acts(which, event) => {
                    let Some(ticket) = unit.situation.tickets.get(which) else { continue };
                    let (id, before, mut changes) = (ticket.id, unit.situation.clone(), Changes::default());
                    if unit.situation.act(id, &event, "lena", unit.now, &mut changes).is_err() {
                        prop_assert_eq!(&unit.situation, &before);
                        prop_assert!(changes.is_empty());
                    }
                    // The detector is told, and starts over.
                    unit.situation.restarted = false;
                }
                Deed::Waits(hours) => {
                    unit.now += SignedDuration::from_hours(hours);
                    let now = unit.now;
                    unit.with_ids(|situation, ids, changes| situation.end_cool_downs(ids, now, changes)).0.unwrap();
                }
            }
            check(&unit);
        }
    }
}
