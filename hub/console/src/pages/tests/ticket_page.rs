//! What the page of a ticket says of visits, pauses, refusals and ends.

use super::*;
use crate::pages::parts::badge;
use crate::pages::ticket::promises;
use hub_core::prediction::SecondOpinion;
use hub_core::ticket::{Correction, HUB, PERSON_RINGS, TO_OWNER, TicketStatus};
use hub_store::ticket::TimelineEntry;

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
        part: None,
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

#[test]
fn of_two_promises_each_is_said_and_has_its_own_buttons() {
    let mut view = samples()[6].clone();
    let of_person = view.ticket.promise.take().unwrap();
    let of_call = Promise {
        what: PERSON_RINGS.into(),
        to: TO_OWNER.into(),
        by: sample::at("11:05"),
        made_by: HUB.into(),
        made_at: sample::at("09:01"),
    };
    (view.ticket.promise, view.ticket.next_promise) = (Some(of_call.clone()), Some(of_person.clone()));
    let page = ticket::page::render(&reader(Language::En), &view).into_string();
    for (promise, sentence) in [
        (&of_call, "that a person rings by 22 Nov 11:05."),
        (&of_person, "hose, by 22 Nov 18:00."),
    ] {
        assert_eq!(words(&page).matches(sentence).count(), 2, "{sentence}");
        let named = format!("name=\"by\" value=\"{}\"", promise.by);
        assert_eq!(page.matches(&named).count(), 2, "{named} is not in\n{page}");
    }
    let list = promises::render(&reader(Language::En), &[summary(view)], sample::at("12:00")).into_string();
    assert_eq!(list.matches("<tr>").count(), 2, "a ticket once, by what is due first");
}

/// Two clicks closed tickets as repaired: now nothing is chosen beforehand, and what speaks against it stands beside it.
#[test]
fn a_ticket_is_closed_with_nothing_chosen_and_beside_its_alarm() {
    let mut view = sample::booked();
    let form = |view: &TicketView| {
        let page = acts::render(&reader(Language::En), view).into_string();
        page.split("/close\"").nth(1).unwrap().to_owned()
    };
    let page = form(&view);
    for (name, rest) in [("resolution\" required", " selected"), ("verdict\"", "")] {
        assert!(
            page.contains(&format!(
                "<select name=\"{name}><option value=\"\"{rest}>Please choose …"
            )),
            "{page}"
        );
    }
    assert_eq!(page.matches(" selected").count(), 1);
    assert!(
        !page.contains("not_checked") && !page.contains("wrong"),
        "the outcome says it"
    );
    assert!(
        words(&page).contains("The alarm still stands; it was last told on 22 Nov 09:00."),
        "{page}"
    );
    view.appliance.last_sample_at = view.finding.as_ref().map(|finding| finding.prediction.at);
    assert!(
        form(&view).contains("Nothing has been read since then."),
        "{}",
        form(&view)
    );
    view.finding.as_mut().unwrap().state = hub_core::finding::FindingState::Cleared;
    assert!(form(&view).contains("does not stand any more"), "{}", form(&view));
}

#[test]
fn a_corrected_outcome_says_what_it_was_and_is_and_what_stays() {
    let outcome = |resolution, verdict| Outcome {
        resolution,
        verdict,
        note: "seal".into(),
        part: None,
    };
    let fixed = outcome(Resolution::ConfirmedFixed, Verdict::Right);
    let put_off = outcome(Resolution::ConfirmedDeferred, Verdict::OtherFault);
    let mut view = samples()[3].clone();
    view.ticket.outcome = Some(put_off.clone());
    view.ticket.correction = Some(Correction {
        count: 1,
        reason: "no part <b>".into(),
        by: "lena".into(),
        at: sample::at("10:00"),
    });
    let closed = TicketEvent::Closed { outcome: fixed };
    let corrected = TicketEvent::Corrected {
        outcome: put_off,
        reason: "no part <b>".into(),
    };
    view.timeline = [("09:30", "admin", closed), ("10:00", "lena", corrected)]
        .map(|(at, actor, event)| TimelineEntry {
            at: sample::at(at),
            actor: actor.into(),
            event,
        })
        .into();
    let page = ticket::page::render(&reader(Language::En), &view).into_string();
    let text = words(&page);
    for piece in [
        "Outcome corrected. It was: fault found and repaired; the prediction: right. It is: fault found, repair put off; \
         the prediction: another fault was found. Reason: “no part &lt;b&gt;”. The baseline that was started over",
        "Corrected by lena on 22 Nov 10:00: no part &lt;b&gt;",
        "until the readings are back at the baseline",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
    assert_eq!(
        page.matches(" selected").count(),
        2,
        "the form has what the outcome says"
    );
    view.ticket.correction.as_mut().unwrap().count = hub_core::ticket::CORRECTIONS_MAX;
    let page = ticket::page::render(&reader(Language::ZhCn), &view).into_string();
    assert!(page.contains("更正处理结果。原为：") && !page.contains("/correction\""));
}

#[test]
fn a_ticket_that_a_person_opened_is_not_rung_about_nor_judged() {
    let page = ticket::page::render(&reader(Language::En), &samples()[6]).into_string();
    let text = words(&page);
    for piece in [
        "Repair",
        "To do",
        "Person needed",
        "Not possible: there is no finding that a call could speak of.",
        "No finding: a person opened this ticket.",
        "Promised to Li Wei &lt;b&gt;: a new &lt;b&gt; hose, by 22 Nov 18:00.",
        "The promise is kept",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
    assert!(!page.contains("false-alarm") && !page.contains("false_alarm"), "{text}");
    assert!(page.contains("name=\"verdict\" value=\"not_checked\""));
}

#[test]
fn a_second_opinion_stands_beside_the_score_in_both_languages_and_without_one_nothing_does() {
    let mut view = samples()[0].clone();
    let page = |view: &TicketView, language| words(&ticket::page::render(&reader(language), view).into_string());
    let without = page(&view, Language::En);
    assert!(!without.contains("Second opinion"), "{without}");
    for (opinion, en, zh) in [
        (SecondOpinion::Agrees, "a second model agrees", "第二个模型也认为异常"),
        (
            SecondOpinion::Disagrees,
            "a second model does not agree",
            "第二个模型不认为异常",
        ),
    ] {
        let finding = view.finding.as_mut().expect("the sample has a finding");
        finding.prediction.second_opinion = Some(opinion);
        for (language, said) in [(Language::En, en), (Language::ZhCn, zh)] {
            let page = page(&view, language);
            assert!(page.contains(said), "{page}");
        }
    }
}
