//! What a person is shown who decides about a call, on the page of the queue and on the ticket's own.

use super::*;
use hub_core::release::{Basis, EvidenceKind};

/// A ticket of a model with figures of this kind, whose call waits for an approval.
fn ready(kind: EvidenceKind) -> TicketView {
    let mut view = sample::withdrawn();
    if let Some(owner) = &mut view.owner {
        owner.consent = Consent::Given;
    }
    view.ticket.contact = ContactThread::held(HoldReason::ReadyToRing);
    if let Some(release) = &mut view.release {
        release.basis = Basis {
            kind,
            ..Basis::default()
        };
    }
    view
}

fn queue(language: Language, view: &TicketView, others: Vec<TicketView>) -> String {
    let page = Page {
        items: std::iter::once(view.clone()).chain(others).map(summary).collect(),
        next: None,
    };
    ticket::ready::render(&reader(language), Some(view), &page, "/ready-to-ring").into_string()
}

#[test]
fn the_queue_shows_what_speaks_for_the_call_and_how_far_it_is_from_going_out_by_itself() {
    let view = ready(EvidenceKind::Simulated);
    let page = queue(Language::En, &view, vec![sample::unsure()]);
    let text = words(&page).replace(['\u{2068}', '\u{2069}'], "");
    for piece in [
        "Not called: calls about such predictions are not released yet; a person approves each.",
        "high, 96 %",
        "simulated",
        "14 of 16 right, calls go out by themselves from 51 on",
        "5 approved, 1 refused",
        "Keys: a approves, r refuses.",
        "After it",
        "Unknown fault",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
    assert!(page.contains("<svg class=\"chart\""), "the readings are drawn");
    assert_eq!(page.matches("id=\"chart-title\"").count(), 1);
    for piece in [
        "data-key=\"a\"",
        "data-key=\"r\"",
        "name=\"back\" value=\"/ready-to-ring\"",
    ] {
        assert!(page.contains(piece), "{piece} is not in\n{page}");
    }
    let text = words(&queue(Language::ZhCn, &view, vec![])).replace(['\u{2068}', '\u{2069}'], "");
    for piece in [
        "16 个判定中 14 个正确",
        "满 51 个后自动呼叫",
        "仿真",
        "批准 5 次，不批准 1 次",
    ] {
        assert!(text.contains(piece), "{piece} is not in\n{text}");
    }
}

#[test]
fn each_kind_of_evidence_is_said_and_what_names_no_part_is_never_released() {
    for (kind, told) in [
        (EvidenceKind::Simulated, "simulated"),
        (EvidenceKind::Laboratory, "laboratory"),
        (EvidenceKind::Fleet, "fleet"),
    ] {
        let text = words(&queue(Language::En, &ready(kind), vec![]));
        assert!(text.contains(&format!("Evidence of the model\n{told}\n")), "{text}");
    }
    let unnamed = queue(Language::En, &sample::unsure(), vec![]);
    assert!(words(&unnamed).contains("no part is named, so a person approves each call"));
}

/// The same acts stand on the ticket's page; a call that is planned can be refused, and one that was refused approved after all.
#[test]
fn the_page_of_a_ticket_offers_what_can_be_decided() {
    let offers = |view: &TicketView| {
        let page = acts::render(&reader(Language::En), view).into_string();
        ["call/approve\"", "call/refuse\""].map(|act| page.contains(act))
    };
    let mut view = ready(EvidenceKind::Simulated);
    assert_eq!(offers(&view), [true, true]);
    view.ticket.contact = ContactThread::held(HoldReason::CallRefused);
    assert_eq!(offers(&view), [true, false]);
    view.ticket.contact = ContactThread::planned(sample::at("10:00"));
    assert_eq!(offers(&view), [false, true]);
    view.ticket.contact = ContactThread::held(HoldReason::Surge);
    assert_eq!(offers(&view), [false, true], "it goes out when the surge is over");
    view.ticket.contact = ContactThread::held(HoldReason::Reached);
    assert_eq!(offers(&view), [false, false]);
    let technician = Reader {
        actor: Some(Actor {
            roles: vec![hub_core::actor::Role::Technician],
            ..Actor::hub("wu")
        }),
        ..reader(Language::En)
    };
    let view = ready(EvidenceKind::Simulated);
    let page = acts::render(&technician, &view).into_string();
    assert!(!page.contains("call/approve"), "{page}");
}

#[test]
fn a_call_that_cannot_be_placed_is_not_offered_for_approval() {
    let mut view = ready(EvidenceKind::Simulated);
    if let Some(owner) = &mut view.owner {
        owner.do_not_call = true;
    }
    let page = queue(Language::En, &view, vec![]);
    assert!(page.contains("aria-keyshortcuts=\"a\" disabled"), "{page}");
    assert!(
        words(&page)
            .replace(['\u{2068}', '\u{2069}'], "")
            .contains("Not possible: the owner wants no more calls.")
    );
}
