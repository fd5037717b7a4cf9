//! What the page of a ticket says of visits, pauses, refusals and ends.

use super::*;
use crate::pages::parts::badge;
use crate::pages::ticket::promises;
use hub_core::ticket::{HUB, PERSON_RINGS, TO_OWNER, TicketStatus};

#[test]
fn a_visit_stands_in_the_list_and_beside_a_call() {
    let mut view = sample::booked();
    let page = |view: &TicketView| words(&ticket::page::render(&reader(Language::En), view).into_string());
    assert!(page(&view).contains("Visit agreed\n"), "{}", page(&view));
    view.ticket.contact.phase = ContactPhase::InCall;
    let text = page(&view);
    assert!(
        text.contains("09:00–12:00") && text.contains("Visit agreed: "),
        "{text}"
    );
    let acts = acts::render(&reader(Language::En), &view).into_string();
    assert!(acts.contains("no_show") && !acts.contains("cancelled"), "{acts}");
}

#[test]
fn a_ticket_that_a_person_paused_waits_for_nobody() {
    let mut view = samples()[6].clone();
    view.ticket.status = TicketStatus {
        category: TicketCategory::Paused,
        label: "waiting".into(),
    };
    let row = |view: &TicketView| {
        let name = view.labels.name(&view.ticket.status.label);
        words(&badge::state(&reader(Language::En), &view.ticket, &name).into_string())
    };
    assert_eq!(row(&view), "Waiting");
}

#[test]
fn a_date_is_that_of_the_refusal_and_of_no_yes() {
    let mut view = sample::withdrawn();
    let story = |view: &TicketView| words(&story::render(&reader(Language::En), view).into_string());
    assert!(story(&view).contains("2026"), "{}", story(&view));
    view.owner.as_mut().unwrap().consent = Consent::Given;
    assert!(!story(&view).contains("2026"), "{}", story(&view));
}

#[test]
fn a_closed_repair_speaks_of_no_prediction_and_of_no_promise() {
    let mut view = samples()[6].clone();
    view.ticket.status.category = TicketCategory::Resolved;
    view.ticket.outcome = Some(Outcome {
        resolution: Resolution::ConfirmedFixed,
        verdict: Verdict::NotChecked,
        note: String::new(),
    });
    let text = words(&ticket::page::render(&reader(Language::En), &view).into_string());
    assert!(!text.contains("prediction") && !text.contains("Promised to"), "{text}");
}

#[test]
fn who_may_not_read_calls_is_not_told_that_there_were_none() {
    let mut view = sample::booked();
    view.attempts.clear();
    let text = words(&ticket::page::render(&reader(Language::En), &view).into_string());
    assert!(!text.contains("Nobody has been rung"), "{text}");
}

#[test]
fn a_promise_leads_the_list_until_it_is_kept_or_released() {
    let mut called = sample::booked();
    called.ticket.promise = Some(Promise {
        what: PERSON_RINGS.into(),
        to: TO_OWNER.into(),
        by: sample::at("11:05"),
        made_by: HUB.into(),
        made_at: sample::at("09:01"),
    });
    let reader = reader(Language::En);
    let tickets = [summary(called.clone()), summary(samples()[6].clone())];
    let list = words(&promises::render(&reader, &tickets, sample::at("12:00")).into_string());
    let (first, second) = list.split_once("18:00").unwrap();
    assert!(
        first.contains("A person rings the owner\nOverdue\n22 Nov 11:05"),
        "{list}"
    );
    assert!(
        first.matches("Overdue").count() == 1 && !second.contains("Overdue"),
        "{list}"
    );
    let none = promises::render(&reader, &[summary(sample::unsure())], sample::at("12:00"));
    assert_eq!(none.into_string(), "");

    let page = words(&ticket::page::render(&reader, &called).into_string());
    assert!(
        page.contains("A call has promised the owner that a person rings by 22 Nov 11:05."),
        "{page}"
    );
    assert!(page.contains("The promise need not be kept …"), "{page}");
}
