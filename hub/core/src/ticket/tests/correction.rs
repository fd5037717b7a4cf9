//! A label that was wrong, and what takes its place.

use super::*;

fn labelled(resolution: Resolution, verdict: Verdict, note: &str) -> Outcome {
    Outcome {
        resolution,
        verdict,
        note: note.to_owned(),
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
