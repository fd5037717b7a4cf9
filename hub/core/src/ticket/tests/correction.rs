//! A label that was wrong, and what takes its place.

use super::*;
use crate::appointment::{AppointmentEvent, AppointmentState, CancelledBy};

fn labelled(resolution: Resolution, verdict: Verdict, note: &str) -> Outcome {
    Outcome {
        resolution,
        verdict,
        note: note.to_owned(),
        part: None,
    }
}

fn closed() -> ServiceTicket {
    let outcome = labelled(Resolution::FalseAlarm, Verdict::Wrong, "n");
    after(ticket(Stands::Held), &TicketEvent::Closed { outcome }, "li").unwrap()
}

fn corrected(outcome: Outcome, reason: &str) -> TicketEvent {
    TicketEvent::Corrected {
        outcome,
        reason: reason.to_owned(),
    }
}

#[test]
fn a_corrected_ticket_stays_closed_and_says_by_whom_and_why() {
    let right = labelled(Resolution::ConfirmedFixed, Verdict::Right, "seal changed");
    let before = closed();
    let event = corrected(right.clone(), "the wrong ticket");
    let (ticket, actions) = before.clone().apply(&event, "lena", &declared(), due()).unwrap();
    let correction = ticket.correction.clone().unwrap();
    assert_eq!((correction.count, correction.by.as_str()), (1, "lena"));
    assert_eq!((correction.reason.as_str(), correction.at), ("the wrong ticket", due()));
    assert_eq!(
        (ticket.outcome.as_ref(), ticket.closed_at),
        (Some(&right), before.closed_at)
    );
    assert_eq!(stands(&ticket), stands(&before));
    let taken_back = TicketAction::TakeBack {
        settlement: Settlement::FalseAlarm,
        at: now(),
    };
    assert_eq!(actions, [taken_back, TicketAction::SettleFinding(Settlement::Repaired)]);
    // The next one takes back what this one did.
    let put_off = labelled(Resolution::ConfirmedDeferred, Verdict::Right, "");
    let (_, actions) = ticket
        .apply(&corrected(put_off, "no part"), "lena", &declared(), due())
        .unwrap();
    let taken_back = TicketAction::TakeBack {
        settlement: Settlement::Repaired,
        at: due(),
    };
    assert_eq!(
        actions,
        [taken_back, TicketAction::SettleFinding(Settlement::LeftAsItIs)]
    );
}

/// Two clicks ended the visit three days before its slot; what people have said of it is not touched.
#[test]
fn a_visit_that_the_closing_ended_ends_as_the_new_outcome_has_it() {
    use AppointmentState as A;
    let fixed = || labelled(Resolution::ConfirmedFixed, Verdict::Right, "");
    let put_off = || labelled(Resolution::ConfirmedDeferred, Verdict::Right, "");
    let told = |ticket: ServiceTicket, outcome| {
        let event = corrected(outcome, "nobody was there");
        let (ticket, actions) = ticket.apply(&event, "lena", &declared(), due()).unwrap();
        let noted = actions.into_iter().find_map(|action| match action {
            TicketAction::NoteVisit(event) => Some(event),
            TicketAction::NotePromise | TicketAction::SettleFinding(_) | TicketAction::TakeBack { .. } => None,
        });
        let visit = ticket.appointment.clone().unwrap();
        (ticket, visit.state, noted)
    };
    let closed = after(visited(), &TicketEvent::Closed { outcome: fixed() }, "li").unwrap();
    let (ticket, state, noted) = told(closed, put_off());
    let called_off = AppointmentEvent::Cancelled {
        by: CancelledBy::Closing,
        reason: String::new(),
    };
    assert_eq!((state, noted), (A::Cancelled, Some(called_off)));
    // Another one that says the same of the visit, and one after it that says the other again.
    let (ticket, state, noted) = told(ticket, labelled(Resolution::Unreachable, Verdict::NotChecked, ""));
    assert_eq!((state, noted), (A::Cancelled, None));
    let (_, state, noted) = told(ticket, fixed());
    assert_eq!((state, noted), (A::Done, Some(AppointmentEvent::Done)));
    // Said by people, an hour before the closing or in the same moment.
    for said in [A::Done, A::Cancelled, A::NoShow] {
        for hours in [0, 1] {
            let mut ticket = visited();
            let visit = ticket.appointment.as_mut().unwrap();
            visit.state = said;
            visit.changed_at = now() - jiff::SignedDuration::from_hours(hours);
            let (closed_as, then) = if said == A::Done {
                (put_off(), fixed())
            } else {
                (fixed(), put_off())
            };
            let closed = after(ticket, &TicketEvent::Closed { outcome: closed_as }, "li").unwrap();
            let (_, state, noted) = told(closed, then);
            assert_eq!((state, noted), (said, None));
        }
    }
}

#[test]
fn words_alone_change_nothing_that_was_learned() {
    let outcome = labelled(Resolution::NoFaultFound, Verdict::Wrong, "looked at on site");
    let event = corrected(outcome, "somebody was there");
    let (ticket, actions) = closed().apply(&event, "li", &declared(), now()).unwrap();
    assert_eq!((actions, ticket.correction.unwrap().count), (vec![], 1));
}

#[test]
fn a_correction_has_a_reason_a_change_and_an_end() {
    let right = || labelled(Resolution::ConfirmedFixed, Verdict::Right, "");
    let refused = |ticket: ServiceTicket, outcome, reason: &str| {
        let refused = after(ticket, &corrected(outcome, reason), "li").unwrap_err();
        crate::error_chain::in_full(&refused)
    };
    assert!(refused(ticket(Stands::Held), right(), "r").contains("not closed"));
    assert!(refused(closed(), right(), " ").contains("1 to 500"));
    assert!(refused(closed(), right(), &"x".repeat(501)).contains("1 to 500"));
    let same = labelled(Resolution::FalseAlarm, Verdict::Wrong, "n");
    assert!(refused(closed(), same, "r").contains("already"));
    let nonsense = labelled(Resolution::ConfirmedFixed, Verdict::Wrong, "");
    assert!(refused(closed(), nonsense, "r").contains("contradicts"));
    let mut ticket = closed();
    for n in 0..CORRECTIONS_MAX {
        let outcome = labelled(Resolution::FalseAlarm, Verdict::Wrong, &n.to_string());
        ticket = after(ticket, &corrected(outcome, "r"), "li").unwrap();
    }
    assert!(refused(ticket, right(), "r").contains("20 times"));
}
