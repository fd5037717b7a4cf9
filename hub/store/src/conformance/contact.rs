//! The transaction that dials, the keys an owner presses, and what a crash leaves.

use super::Harness;
use super::scene::{PHONES, after, appliance, ended, has_a_quiet_past, morning, played, seen, site, tenant, ticket};
use crate::Store;
use crate::contact::{Begun, DialOrder, DueContact, RangIn, attempt_id};
use crate::ticket::TicketView;
use hub_core::actor::Actor;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::call_rules::HoldReason;
use hub_core::consent::Consent;
use hub_core::contact::{AttemptEvent, AttemptState, ContactPhase, Direction};
use hub_core::id::TicketId;
use hub_core::phone_number::PhoneNumber;
use hub_core::situation::Observation;
use hub_core::ticket::{TicketCategory, TicketEvent};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

static RANDOM: AtomicU8 = AtomicU8::new(0);

pub(super) fn random() -> [u8; 20] {
    [RANDOM.fetch_add(1, Ordering::Relaxed); 20]
}

pub(super) async fn ring(store: &dyn Store, ticket: TicketId, minutes: i64) -> DialOrder {
    has_a_quiet_past(store).await;
    let random = random();
    match store.begin_attempt(ticket, after(minutes), random).await.unwrap() {
        Begun::Ring(order) => {
            let id = attempt_id(after(minutes), &random);
            assert_eq!(order.attempt.id, id, "who got no answer ends it by this id");
            *order
        }
        other => panic!("{other:?}"),
    }
}

pub(super) async fn view(store: &dyn Store, ticket: TicketId) -> TicketView {
    store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap()
}

/// Tickets whose contact is due at `now`, the longest due first.
pub(super) async fn due(store: &dyn Store, now: Timestamp) -> Vec<TicketId> {
    let due = store.contacts_due(&[], now, 100).await.unwrap();
    due.into_iter().map(|due| due.ticket).collect()
}

pub(super) async fn key_1_books_the_slot_that_was_offered(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let planned = view(&*store, id).await.ticket;
    let due_now = DueContact {
        ticket: id,
        tenant: planned.tenant,
        trace: planned.trace,
        waited_for_trunk: false,
    };
    assert_eq!(
        store.contacts_due(&[], morning(), 10).await.unwrap(),
        std::slice::from_ref(&due_now)
    );
    assert_eq!(
        store.contacts_due(&[tenant("beta")], morning(), 10).await.unwrap(),
        [due_now]
    );
    let closed = [tenant("beta"), tenant("acme")];
    assert!(store.contacts_due(&closed, morning(), 10).await.unwrap().is_empty());
    let order = ring(&*store, id, 0).await;
    assert_eq!(order.owner.phone, Some(PhoneNumber::new(PHONES[0]).unwrap()));
    assert_eq!((order.brand.en.as_str(), order.visit_price.amount), ("Acme", 80));
    let slot = order.attempt.offered.unwrap();
    assert_eq!(slot.start.to_string(), "2026-03-03T01:00:00Z");
    assert_eq!(view(&*store, id).await.ticket.contact.phase, ContactPhase::InCall);
    assert!(due(&*store, after(600)).await.is_empty());
    assert_eq!(
        store.begin_attempt(id, after(1), random()).await.unwrap(),
        Begun::Settled
    );
    // While it is promised here, another owner is offered the next one.
    let second = ticket(&*store, "wm-2", 0.95).await;
    let other = ring(&*store, second, 1).await;
    assert_eq!(other.attempt.offered.unwrap().start.to_string(), "2026-03-05T06:00:00Z");
    let attempt = order.attempt.id;
    store
        .apply_attempt(attempt, AttemptEvent::Ringing, after(1))
        .await
        .unwrap();
    store
        .apply_attempt(attempt, AttemptEvent::Answered, after(1))
        .await
        .unwrap();
    let one = AttemptEvent::Chose(Disposition::AppointmentBooked);
    store.apply_attempt(attempt, one, after(2)).await.unwrap();
    let done = store
        .apply_attempt(attempt, ended(CallResult::Answered), after(3))
        .await
        .unwrap();
    assert_eq!(
        (done.state, done.result),
        (AttemptState::Ended, Some(CallResult::Answered))
    );
    let story = view(&*store, id).await;
    assert_eq!(story.ticket.contact.phase, ContactPhase::Done);
    assert_eq!(story.ticket.status.category, TicketCategory::Paused);
    assert_eq!(story.ticket.appointment.as_ref().unwrap().slot, slot);
    assert_eq!(story.ticket.appointment.unwrap().service_point, "pudong");
    assert_eq!(story.attempts, std::slice::from_ref(&done));
    assert_eq!(story.timeline.len(), 4, "{:?}", story.timeline);
    assert!(
        store
            .apply_attempt(attempt, ended(CallResult::Busy), after(4))
            .await
            .is_err(),
        "it ends once"
    );
    let again = store
        .apply_attempt(attempt, ended(CallResult::Answered), after(5))
        .await;
    assert_eq!(again.unwrap(), done, "the same end told again");
    assert_eq!(view(&*store, id).await.timeline.len(), 4);
    assert_eq!(
        store.contacts(&Actor::hub("test"), None, 10).await.unwrap().items.len(),
        2
    );
    assert!(
        store
            .contacts(&Actor::hub("test").within(Some(tenant("beta"))), None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

pub(super) async fn nobody_is_rung_against_a_rule(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let unsure = ticket(&*store, "wm-1", 0.5).await;
    let held = |reason| Begun::Held(reason);
    assert_eq!(
        store.begin_attempt(unsure, morning(), random()).await.unwrap(),
        held(HoldReason::BelowGate)
    );
    assert_eq!(
        view(&*store, unsure).await.ticket.contact.reason,
        Some(HoldReason::BelowGate)
    );
    let never_asked = ticket(&*store, "wm-3", 0.95).await;
    assert_eq!(
        store.begin_attempt(never_asked, morning(), random()).await.unwrap(),
        held(HoldReason::NoConsent)
    );
    let id = ticket(&*store, "wm-2", 0.95).await;
    has_a_quiet_past(&*store).await;
    let night = after(11 * 60);
    match store.begin_attempt(id, night, random()).await.unwrap() {
        Begun::Waits {
            until,
            reason: HoldReason::QuietHours,
        } => assert_eq!(until.to_string(), "2026-03-03T01:00:00Z"),
        other => panic!("{other:?}"),
    }
    assert!(due(&*store, night).await.is_empty());
    // The readings come back; the stale guard sees it.
    let wm2 = appliance(&*store, "acme", "wm-2").await;
    store
        .commit_scoring(&seen(vec![Observation::Clear { appliance: wm2 }]), after(12 * 60))
        .await
        .unwrap();
    let next_day = after(24 * 60);
    assert_eq!(
        store.begin_attempt(id, next_day, random()).await.unwrap(),
        held(HoldReason::FindingCleared)
    );
    // A person asks for it; the owner's word still counts.
    store
        .apply_ticket(&Actor::hub("li"), id, &TicketEvent::CallRequested, next_day)
        .await
        .unwrap();
    store
        .set_consent(&tenant("acme"), "wang", false, "console", next_day)
        .await
        .unwrap();
    assert_eq!(
        store.begin_attempt(id, next_day, random()).await.unwrap(),
        held(HoldReason::ConsentWithdrawn)
    );
    store
        .apply_ticket(&Actor::hub("li"), id, &TicketEvent::CallRequested, next_day)
        .await
        .unwrap();
    store
        .set_consent(&tenant("acme"), "wang", true, "console", after(24 * 60 + 1))
        .await
        .unwrap();
    let order = ring(&*store, id, 24 * 60 + 2).await;
    assert_eq!(order.attempt.requested_by.as_deref(), Some("li"));
}

pub(super) async fn two_tickets_of_one_owner_never_ring_at_once_nor_too_often(h: &dyn Harness) {
    let (_place, left) = played(h).await;
    let right = Arc::clone(&left);
    let first = ticket(&*left, "wm-1", 0.95).await;
    let second = ticket(&*left, "wm-4", 0.95).await;
    has_a_quiet_past(&*left).await;
    let (a, b) = tokio::join!(
        left.begin_attempt(first, morning(), random()),
        right.begin_attempt(second, morning(), random())
    );
    let begun = [a.unwrap(), b.unwrap()];
    assert_eq!(
        begun.iter().filter(|b| matches!(b, Begun::Ring(_))).count(),
        1,
        "{begun:?}"
    );
    let in_call = begun.iter().any(|b| {
        matches!(
            b,
            Begun::Waits {
                reason: HoldReason::InCall,
                ..
            }
        )
    });
    assert!(in_call, "{begun:?}");
    let rung = begun.into_iter().find_map(|b| match b {
        Begun::Ring(order) => Some(order.attempt),
        _ => None,
    });
    let rung = rung.unwrap();
    left.apply_attempt(rung.id, ended(CallResult::NoAnswer), after(1))
        .await
        .unwrap();
    let other = if rung.ticket == first { second } else { first };
    let again = ring(&*left, other, 2).await;
    left.apply_attempt(again.attempt.id, ended(CallResult::Busy), after(3))
        .await
        .unwrap();
    assert!(matches!(
        left.begin_attempt(rung.ticket, after(190), random()).await.unwrap(),
        Begun::Waits {
            reason: HoldReason::PerDay,
            ..
        }
    ));
}

pub(super) async fn key_9_stands_through_a_crash_and_a_crashed_call_is_not_repeated(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let nine = ticket(&*store, "wm-1", 0.95).await;
    let cut_off = ticket(&*store, "wm-2", 0.95).await;
    let order = ring(&*store, nine, 0).await;
    ring(&*store, cut_off, 0).await;
    store
        .apply_attempt(order.attempt.id, AttemptEvent::Answered, after(1))
        .await
        .unwrap();
    store
        .apply_attempt(order.attempt.id, AttemptEvent::Chose(Disposition::DoNotCall), after(1))
        .await
        .unwrap();
    // A later key does not take it back.
    let one = AttemptEvent::Chose(Disposition::AppointmentBooked);
    store.apply_attempt(order.attempt.id, one, after(1)).await.unwrap();
    // Gone without a word: another hub starts on what is stored.
    drop(store);
    let store = place.hub().await;
    let recovered = store.recover_attempts(after(5)).await.unwrap();
    assert_eq!(recovered.len(), 2);
    assert!(
        recovered
            .iter()
            .all(|attempt| attempt.result == Some(CallResult::Unknown))
    );
    assert!(store.recover_attempts(after(6)).await.unwrap().is_empty());
    let said_no = view(&*store, nine).await;
    let owner = said_no.owner.unwrap();
    assert_eq!(
        (owner.consent, owner.do_not_call, owner.consent_at),
        (Consent::Withdrawn, true, Some(after(1)))
    );
    assert_eq!(
        (said_no.ticket.contact.phase, said_no.ticket.contact.reason),
        (ContactPhase::Held, Some(HoldReason::DoNotCall))
    );
    assert_eq!(said_no.ticket.appointment, None);
    let unknown = view(&*store, cut_off).await.ticket;
    assert_eq!(
        (unknown.contact.phase, unknown.contact.reason),
        (ContactPhase::Held, Some(HoldReason::UnknownAttempt))
    );
    assert!(due(&*store, after(10_000)).await.is_empty());
    // Applying the site file again does not bring the consent back, and nobody can wave the list through.
    store.apply_site(&site(), after(7), false).await.unwrap();
    store
        .apply_ticket(&Actor::hub("li"), nine, &TicketEvent::CallRequested, after(8))
        .await
        .unwrap();
    let refused = store.begin_attempt(nine, after(8), random()).await.unwrap();
    assert_eq!(refused, Begun::Held(HoldReason::DoNotCall));
}

pub(super) async fn an_owner_who_rings_back_reaches_their_open_ticket(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    let order = ring(&*store, id, 0).await;
    let inbound = |minutes| store.begin_inbound(&SCOPED, &caller, after(minutes), random());
    assert_eq!(inbound(1).await.unwrap(), RangIn::InCall, "it is in a call already");
    store
        .apply_attempt(order.attempt.id, ended(CallResult::NoAnswer), after(2))
        .await
        .unwrap();
    let back = inbound(3).await.unwrap().order().unwrap();
    assert_eq!((back.attempt.direction, back.attempt.ticket), (Direction::Inbound, id));
    assert_eq!(back.attempt.requested_by, None);
    assert!(back.attempt.offered.is_some());
    let stranger = PhoneNumber::new("+8613700000000").unwrap();
    assert_eq!(
        store
            .begin_inbound(&SCOPED, &stranger, after(3), random())
            .await
            .unwrap(),
        RangIn::Unknown
    );
    assert_eq!(
        store
            .begin_inbound(&tenant("beta"), &caller, after(3), random())
            .await
            .unwrap(),
        RangIn::Unknown
    );
}

pub(super) static SCOPED: std::sync::LazyLock<hub_core::id::TenantId> = std::sync::LazyLock::new(|| tenant("acme"));

/// Key 1 in a call that had nothing to offer is a wish that a person fulfils.
pub(super) async fn without_a_slot_key_1_asks_for_a_person(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let mut site = site();
    site.tenants[0].service_points[0].slots.clear();
    store.apply_site(&site, morning(), false).await.unwrap();
    let id = ticket(&*store, "wm-1", 0.95).await;
    let order = ring(&*store, id, 0).await;
    assert_eq!(order.attempt.offered, None);
    let one = AttemptEvent::Chose(Disposition::AppointmentBooked);
    let attempt = store.apply_attempt(order.attempt.id, one, after(1)).await.unwrap();
    assert_eq!(attempt.disposition, Some(Disposition::AnotherTime));
    store
        .apply_attempt(order.attempt.id, ended(CallResult::Answered), after(2))
        .await
        .unwrap();
    let story = view(&*store, id).await;
    assert_eq!(
        (story.ticket.contact.phase, story.ticket.appointment),
        (ContactPhase::Held, None)
    );
}
