//! Tickets for people: those that they open, the labels that a tenant declares, notes and promises.

use super::Harness;
use super::scene::{PHONES, after, appliance, morning, played, site, tenant, ticket};
use crate::Store;
use crate::error::StoreError;
use crate::ticket::{TicketFilter, TicketSummary, TicketView};
use hub_core::actor::{Actor, Role};
use hub_core::call_rules::HoldReason;
use hub_core::contact::ContactThread;
use hub_core::id::{ApplianceId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{TicketCategory, TicketError, TicketEvent, TicketKind, TicketLabels};
use std::sync::LazyLock;

static LI: LazyLock<Actor> = LazyLock::new(|| Actor::administrator("li"));

async fn view(store: &dyn Store, id: TicketId) -> TicketView {
    store.ticket(&LI, id, morning()).await.unwrap()
}

async fn listed(store: &dyn Store, filter: &TicketFilter) -> Vec<TicketSummary> {
    store.tickets(&LI, filter, None, 10).await.unwrap().items
}

/// Several of one kind stand beside each other and beside what the hub found; the hub rings nobody about them.
pub(super) async fn a_person_opens_a_ticket_that_no_finding_speaks_of(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let washer = appliance(&*store, "acme", "wm-1").await;
    let predicted = ticket(&*store, "wm-1", 0.95).await;
    let open = |kind, note, minutes| store.open_ticket(&LI, washer, kind, note, after(minutes));
    let first = open(TicketKind::Repair, "It leaks.", 1).await.unwrap();
    let second = open(TicketKind::Repair, "The door is stuck.", 2).await.unwrap();
    assert_eq!((first.number, second.number, &first.fault), (2, 3, &None));
    assert_eq!(first.contact, ContactThread::held(HoldReason::NothingToSay));
    let story = view(&*store, first.id).await;
    assert_eq!((&story.ticket, &story.finding), (&first, &None));
    assert_eq!(story.timeline.len(), 1);
    assert_eq!(story.timeline[0].actor, "li");
    let note = "It leaks.".to_owned();
    let kind = TicketKind::Repair;
    assert_eq!(story.timeline[0].event, TicketEvent::Reported { kind, note });
    let repairs = TicketFilter {
        kind: Some(TicketKind::Repair),
        ..TicketFilter::default()
    };
    let repairs = listed(&*store, &repairs).await;
    assert_eq!(
        repairs
            .iter()
            .map(|one| (one.ticket.number, one.probability))
            .collect::<Vec<_>>(),
        [(3, None), (2, None)]
    );
    // Nobody is rung about it, not even when a person asks; who rings is spoken with about what the hub found.
    let asked = store
        .apply_ticket(&LI, first.id, &TicketEvent::CallRequested, after(2))
        .await;
    assert!(
        matches!(asked, Err(StoreError::Ticket(TicketError::NothingToSay(2)))),
        "{asked:?}"
    );
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    let call = store
        .begin_inbound(&tenant("acme"), &caller, after(3), [7; 20])
        .await
        .unwrap();
    assert_eq!(call.order().unwrap().attempt.ticket, predicted);
    // A predicted fault is the hub's, and a word is wanted.
    assert!(open(TicketKind::PredictedFault, "I know it.", 4).await.is_err());
    assert!(open(TicketKind::Consult, " ", 4).await.is_err());
    let elsewhere = store.open_ticket(&LI, ApplianceId(999), kind, "n", after(4)).await;
    assert!(matches!(elsewhere, Err(StoreError::NotFound { .. })), "{elsewhere:?}");
}

/// A label is the tenant's: the hub changes it with the category alone, and one that is not declared any more goes by its id.
pub(super) async fn labels_are_declared_set_and_asked_for(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let label = |id: &str, category: &str, en: &str| serde_json::json!({ "id": id, "category": category, "name": { "zh-CN": "名", "en": en } });
    let declared = serde_json::json!([
        label("new", "open", "New"),
        label("second-line", "open", "Second line"),
        label("parts", "paused", "Waits for parts"),
        label("over", "resolved", "Over"),
    ]);
    let before = ticket(&*store, "wm-2", 0.95).await;
    let mut wanted = site();
    wanted.tenants[0].ticket_labels = serde_json::from_value(declared).unwrap();
    let changes = store.apply_site(&wanted, after(1), false).await.unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(store.apply_site(&wanted, after(1), false).await.unwrap().is_empty());
    let id = ticket(&*store, "wm-1", 0.95).await;
    assert_eq!(view(&*store, id).await.labels, wanted.tenants[0].ticket_labels);
    assert_eq!(view(&*store, id).await.ticket.status.label, "new");
    let set = |label: &str| TicketEvent::StatusSet { label: label.into() };
    store.apply_ticket(&LI, id, &set("parts"), after(2)).await.unwrap();
    for refused in ["over", "nowhere"] {
        assert!(store.apply_ticket(&LI, id, &set(refused), after(2)).await.is_err());
    }
    let of = |category: Option<TicketCategory>, label: Option<&str>| TicketFilter {
        category,
        label: label.map(Into::into),
        ..TicketFilter::default()
    };
    let named =
        |found: Vec<TicketSummary>| -> Vec<_> { found.into_iter().map(|one| (one.ticket.id, one.label.en)).collect() };
    let parts = [(id, "Waits for parts".to_owned())];
    assert_eq!(named(listed(&*store, &of(None, Some("parts"))).await), parts);
    assert_eq!(
        named(listed(&*store, &of(Some(TicketCategory::Paused), None)).await),
        parts
    );
    let open = listed(&*store, &of(Some(TicketCategory::Open), None)).await;
    assert_eq!(named(open), [(before, "open".to_owned())], "not declared any more");
    // The file declares none again.
    store.apply_site(&site(), after(3), false).await.unwrap();
    assert_eq!(view(&*store, id).await.labels, TicketLabels::default());
}

pub(super) async fn notes_and_promises_are_kept_with_the_ticket(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let promised = TicketEvent::Promised {
        what: "A new pump".into(),
        to: "Chen Jing".into(),
        by: after(600),
    };
    store.apply_ticket(&LI, id, &promised, after(1)).await.unwrap();
    let promise = view(&*store, id).await.ticket.promise.unwrap();
    assert_eq!(
        (promise.what.as_str(), promise.to.as_str()),
        ("A new pump", "Chen Jing")
    );
    assert_eq!((promise.by, promise.made_at), (after(600), after(1)));
    assert_eq!(promise.made_by, "li");
    // A technician writes down what they saw, and promises nothing.
    let technician = Actor {
        roles: vec![Role::Technician],
        ..Actor::hub("wu")
    };
    let noted = TicketEvent::Noted {
        text: "The hose is new.".into(),
    };
    store.apply_ticket(&technician, id, &noted, after(2)).await.unwrap();
    let promise_kept = TicketEvent::PromiseKept {
        by: None,
        of_call: None,
    };
    let kept = store.apply_ticket(&technician, id, &promise_kept, after(3)).await;
    assert!(matches!(kept, Err(StoreError::NotAllowed(_))), "{kept:?}");
    store.apply_ticket(&LI, id, &promise_kept, after(3)).await.unwrap();
    let story = view(&*store, id).await;
    assert_eq!(story.ticket.promise, None);
    let lines: Vec<_> = story
        .timeline
        .iter()
        .map(|line| (&*line.actor, line.event.clone()))
        .collect();
    assert_eq!(lines[1..], [("li", promised), ("wu", noted), ("li", promise_kept)]);
}
