//! Who rings the main number: owners of whom nothing is open, and callers whom nobody knows; and the promises that calls make.

use super::Harness;
use super::contact::{SCOPED, due, random, ring, view};
use super::scene::{PHONES, after, ended, morning, played, site, tenant, ticket};
use crate::contact::{DueContact, RangIn};
use crate::ticket::TicketFilter;
use crate::{Store, StoreError};
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::contact::AttemptEvent;
use hub_core::id::{DeviceId, TenantId, TicketId};
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::{TicketCategory, TicketEvent, TicketKind};
use jiff::Timestamp;

fn phone(number: &str) -> PhoneNumber {
    PhoneNumber::new(number).unwrap()
}

fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

/// Tickets with promises, a page of one after the other.
async fn promised(store: &dyn Store) -> Vec<(TicketId, Timestamp)> {
    let filter = TicketFilter {
        promised: true,
        ..TicketFilter::default()
    };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .tickets(&Actor::hub("test"), &filter, after.as_deref(), 1)
            .await
            .unwrap();
        let tickets = page.items.into_iter().map(|summary| summary.ticket);
        all.extend(tickets.map(|ticket| (ticket.id, ticket.promise.unwrap().by)));
        let Some(next) = page.next else { return all };
        after = Some(next);
    }
}

/// What key 3 promised stands on the ticket and leads the list, the first due first, until a person kept or released it.
pub(super) async fn what_a_call_promises_is_listed_until_a_person_says_otherwise(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let li = Actor::hub("li");
    let mut made = Vec::new();
    for (wm, minutes) in [("wm-2", 24 * 60), ("wm-1", 0)] {
        let id = ticket(store, wm, 0.95).await;
        let order = ring(store, id, minutes).await;
        let said = order.attempt.rings_by.unwrap();
        let three = AttemptEvent::Chose(Disposition::PersonWanted);
        store
            .apply_attempt(order.attempt.id, three, after(minutes + 1))
            .await
            .unwrap();
        let end = ended(CallResult::Answered);
        store
            .apply_attempt(order.attempt.id, end, after(minutes + 2))
            .await
            .unwrap();
        let promise = view(store, id).await.ticket.promise.unwrap();
        assert!(promise.is_of_call() && promise.by == said, "{promise:?}");
        made.push((id, said));
    }
    made.reverse();
    assert!(made[0].1 < made[1].1, "{made:?}");
    assert_eq!(promised(store).await, made);
    // Another call by the hub does not keep it.
    store
        .apply_ticket(&li, made[0].0, &TicketEvent::CallRequested, after(60))
        .await
        .unwrap();
    let order = ring(store, made[0].0, 60).await;
    store
        .apply_attempt(order.attempt.id, ended(CallResult::Answered), after(61))
        .await
        .unwrap();
    assert_eq!(promised(store).await, made);
    let reason = "spoken with".to_owned();
    let released = TicketEvent::PromiseReleased {
        reason,
        by: None,
        of_call: None,
    };
    store.apply_ticket(&li, made[0].0, &released, after(62)).await.unwrap();
    assert_eq!(promised(store).await, made[1..]);
    assert_eq!(view(store, made[0].0).await.timeline.last().unwrap().event, released);
    store
        .apply_ticket(
            &li,
            made[1].0,
            &TicketEvent::PromiseKept {
                by: None,
                of_call: None,
            },
            after(63),
        )
        .await
        .unwrap();
    assert_eq!(promised(store).await, []);
}

/// What a person promised for a later time stands behind what a call promises, and comes to the front as that is kept.
pub(super) async fn a_call_takes_no_promise_of_a_person_away(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let li = Actor::hub("li");
    let id = ticket(&*store, "wm-1", 0.95).await;
    let part = TicketEvent::Promised {
        what: "A new pump".into(),
        to: "Chen Jing".into(),
        by: after(48 * 60),
    };
    store.apply_ticket(&li, id, &part, morning()).await.unwrap();
    let order = ring(&*store, id, 0).await;
    let said = order.attempt.rings_by.unwrap();
    let three = AttemptEvent::Chose(Disposition::PersonWanted);
    store.apply_attempt(order.attempt.id, three, after(1)).await.unwrap();
    let end = ended(CallResult::Answered);
    store.apply_attempt(order.attempt.id, end, after(2)).await.unwrap();
    drop(store);

    let store = place.hub().await;
    assert_eq!(promised(&*store).await, [(id, said)], "a ticket is listed once");
    let both = view(&*store, id).await.ticket;
    let times: Vec<_> = both.promises().map(|one| (one.is_of_call(), one.by)).collect();
    assert_eq!(times, [(true, said), (false, after(48 * 60))]);
    let kept = TicketEvent::PromiseKept {
        by: Some(said),
        of_call: None,
    };
    store.apply_ticket(&li, id, &kept, after(60)).await.unwrap();
    let again = store.apply_ticket(&li, id, &kept, after(60)).await;
    assert!(matches!(again, Err(StoreError::Ticket(_))), "{again:?}");
    assert_eq!(promised(&*store).await, [(id, after(48 * 60))]);
    let left = view(&*store, id).await.ticket;
    assert_eq!((left.promise, left.next_promise), (both.next_promise, None));
}

/// An owner of whom nothing is open: a ticket is opened for the call, and the next call finds it.
pub(super) async fn an_owner_without_a_ticket_gets_one_by_ringing(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let wang = phone(PHONES[1]);
    let rings = |minutes| store.begin_inbound(&SCOPED, &wang, after(minutes), random());
    let (one, other) = futures::future::join(rings(0), rings(0)).await;
    let (begun, busy): (Vec<RangIn>, Vec<RangIn>) = [one.unwrap(), other.unwrap()]
        .into_iter()
        .partition(|rang_in| matches!(rang_in, RangIn::Order(_)));
    assert_eq!(busy, [RangIn::InCall], "of two calls at once, one opens a ticket");
    let order = begun.into_iter().find_map(RangIn::order).unwrap();
    assert!(order.finding.is_none() && order.visit.is_none());
    assert_eq!(order.appliance.device, device("wm-2"));
    assert_eq!(rings(1).await.unwrap(), RangIn::InCall, "they are in a call");
    let opened = view(store, order.attempt.ticket).await;
    assert_eq!((opened.ticket.kind, opened.ticket.number), (TicketKind::Consult, 1));
    assert_eq!(opened.timeline[0].event, TicketEvent::RangIn);
    let end = ended(CallResult::Answered);
    store.apply_attempt(order.attempt.id, end, after(2)).await.unwrap();
    let again = rings(3).await.unwrap().order().unwrap();
    assert_eq!(again.attempt.ticket, order.attempt.ticket);
    let three = AttemptEvent::Chose(Disposition::PersonWanted);
    store.apply_attempt(again.attempt.id, three, after(4)).await.unwrap();
    assert_eq!(
        promised(store).await,
        [(again.attempt.ticket, again.attempt.rings_by.unwrap())]
    );
    assert!(due(store, after(600)).await.is_empty(), "the hub rings nobody about it");
}

/// A caller whom nobody knows names a ticket, or an appliance by the figures of its serial number: a person rings its household.
pub(super) async fn a_stranger_names_an_appliance_by_keys(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let mut wanted = site();
    let mut add = |id: &str, owner: Option<&str>| {
        let mut made = wanted.tenants[0].devices[0].clone();
        (made.id, made.owner, made.secret_sha256) = (device(id), owner.map(Into::into), None);
        wanted.tenants[0].devices.push(made);
    };
    add("SN-2041-8412", Some("wang"));
    add("twin-777777", Some("wang"));
    add("777777", Some("wang"));
    add("nobody-555555", None);
    store.apply_site(&wanted, morning(), false).await.unwrap();
    let greeting = store.greeting(&SCOPED, morning()).await.unwrap().unwrap();
    assert_eq!(
        (greeting.brand.en.as_str(), greeting.zone.as_str()),
        ("Acme", "Asia/Shanghai")
    );
    assert_eq!(store.greeting(&tenant("gamma"), morning()).await.unwrap(), None);
    let by = greeting.rings_by;
    let names = |tenant: &str, figures: &'static str| {
        let named = TenantId::new(tenant).unwrap();
        async move { store.name_by_keys(&named, figures, by, after(1)).await.unwrap() }
    };
    for nothing in ["", "99", "20418413", "2041841", "777777", "555555", "1 2"] {
        assert!(!names("acme", nothing).await, "{nothing}");
    }
    assert!(!names("beta", "20418412").await, "another tenant's");
    assert!(names("acme", "20418412").await);
    let made = promised(store).await;
    assert_eq!(made.iter().map(|(_, by)| *by).collect::<Vec<_>>(), [by]);
    let opened = view(store, made[0].0).await;
    assert_eq!(opened.appliance.device, device("SN-2041-8412"));
    assert_eq!((opened.ticket.kind, opened.timeline.len()), (TicketKind::Consult, 2));
    // Again changes nothing, and the ticket's own number names it too.
    assert!(names("acme", "20418412").await && names("acme", "1").await);
    assert_eq!(view(store, made[0].0).await, opened);
    // Of an open ticket nothing but the promise changes.
    let id = ticket(store, "wm-1", 0.95).await;
    let before = view(store, id).await.ticket;
    assert!(names("acme", "2").await);
    let after_it = view(store, id).await.ticket;
    assert_eq!((&after_it.status, &after_it.contact), (&before.status, &before.contact));
    assert_eq!(
        (after_it.status.category, after_it.promise.unwrap().by),
        (TicketCategory::Open, by)
    );
    // A closed ticket's number is a number as any other.
    let outcome = Outcome {
        resolution: Resolution::CustomerDeclined,
        verdict: Verdict::NotChecked,
        note: String::new(),
        part: None,
    };
    let closed = TicketEvent::Closed { outcome };
    store
        .apply_ticket(&Actor::hub("li"), id, &closed, after(2))
        .await
        .unwrap();
    assert!(!names("acme", "2").await);
    // Nobody keeps a promise of a closed ticket: it is over, and the timeline says so.
    let over = TicketEvent::PromiseReleased {
        reason: String::new(),
        by: None,
        of_call: None,
    };
    let last = view(store, id).await.timeline.pop().unwrap();
    assert_eq!(last.event, over);
    assert!(promised(store).await.iter().all(|(of, _)| *of != id));
}

/// What a person promised for an earlier time is about something else: what the caller was told stands beside it.
pub(super) async fn a_promise_of_a_person_swallows_none_of_a_call(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = ticket(store, "wm-1", 0.95).await;
    let part = TicketEvent::Promised {
        what: "A new pump".into(),
        to: "Chen Jing".into(),
        by: after(10),
    };
    store
        .apply_ticket(&Actor::hub("li"), id, &part, morning())
        .await
        .unwrap();
    assert!(store.name_by_keys(&SCOPED, "1", after(60), after(1)).await.unwrap());
    let named = view(store, id).await;
    let promises = named.ticket.promises();
    let times: Vec<_> = promises.map(|one| (one.is_of_call(), one.by)).collect();
    assert_eq!(times, [(false, after(10)), (true, after(60))]);
    // A call has promised as much already.
    assert!(store.name_by_keys(&SCOPED, "1", after(60), after(2)).await.unwrap());
    assert_eq!(view(store, id).await, named);
}

/// A ticket of a tenant without a trunk waits for one, and is looked at as soon as it is there.
pub(super) async fn a_ticket_waits_for_the_trunk_of_its_tenant(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let store = &*store;
    let id = ticket(store, "wm-1", 0.95).await;
    let until = after(24 * 60);
    let waits = |reason| TicketEvent::Waits { until, reason };
    let hub = Actor::hub("hub");
    store
        .apply_ticket(&hub, id, &waits(HoldReason::Gap), after(1))
        .await
        .unwrap();
    assert_eq!(store.contacts_due(&[], after(2), 10).await.unwrap(), []);
    store
        .apply_ticket(&hub, id, &waits(HoldReason::NoTrunk), after(3))
        .await
        .unwrap();
    let waited = DueContact {
        ticket: id,
        tenant: SCOPED.clone(),
        trace: view(store, id).await.ticket.trace,
        waited_for_trunk: true,
    };
    assert_eq!(store.contacts_due(&[], after(4), 10).await.unwrap(), [waited]);
    let closed = [SCOPED.clone()];
    assert_eq!(store.contacts_due(&closed, after(4), 10).await.unwrap(), []);
    ring(store, id, 5).await;
}
