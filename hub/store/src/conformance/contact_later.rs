//! What an owner said and what a crash left, in later attempts; slots and site files while calls begin and end.

use super::Harness;
use super::contact::{SCOPED, due, random, ring, view};
use super::scene::{PHONES, after, alarm, appliance, ended, morning, played, seen, site, ticket};
use crate::StoreError;
use crate::contact::Begun;
use hub_core::actor::Actor;
use hub_core::call_result::CallResult;
use hub_core::call_rules::HoldReason;
use hub_core::contact::{AttemptEvent, ContactPhase};
use hub_core::phone_number::PhoneNumber;
use hub_core::ticket::TicketEvent;
use std::sync::Arc;

/// A declined call holds the ticket for good, and every other ticket of that owner for a while.
pub(super) async fn a_no_is_remembered_past_a_call_that_a_person_asked_for(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let order = ring(&*store, id, 0).await;
    store
        .apply_attempt(order.attempt.id, ended(CallResult::Declined), after(1))
        .await
        .unwrap();
    let li = Actor::hub("li");
    let asked = |at| store.apply_ticket(&li, id, &TicketEvent::CallRequested, after(at));
    asked(2).await.unwrap();
    let order = ring(&*store, id, 3).await;
    store
        .apply_attempt(order.attempt.id, ended(CallResult::NoAnswer), after(4))
        .await
        .unwrap();
    assert_eq!(view(&*store, id).await.ticket.contact.phase, ContactPhase::Planned);
    let next_day = after(24 * 60);
    let held = Begun::Held(HoldReason::Declined);
    assert_eq!(store.begin_attempt(id, next_day, random()).await.unwrap(), held);
    // Another appliance of the same owner; not one of another owner.
    let other = ticket(&*store, "wm-4", 0.95).await;
    assert_eq!(store.begin_attempt(other, next_day, random()).await.unwrap(), held);
    let theirs = ticket(&*store, "wm-2", 0.95).await;
    ring(&*store, theirs, 24 * 60).await;
    // Thirty days later it is forgotten for other tickets, never for its own.
    let months = 31 * 24 * 60;
    let wm4 = appliance(&*store, "acme", "wm-4").await;
    let later = seen(vec![alarm(wm4, "drum_bearing", 0.95)]);
    let third = store.commit_scoring(&later, after(months)).await.unwrap()[0].opened;
    ring(&*store, third.unwrap(), months).await;
}

pub(super) async fn an_unknown_call_is_remembered_until_the_owner_has_answered_one(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let order = ring(&*store, id, 0).await;
    store
        .apply_attempt(order.attempt.id, ended(CallResult::Unknown), after(1))
        .await
        .unwrap();
    let other = ticket(&*store, "wm-4", 0.95).await;
    assert_eq!(
        store.begin_attempt(other, after(2), random()).await.unwrap(),
        Begun::Held(HoldReason::UnknownAttempt)
    );
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    let back = store.begin_inbound(&SCOPED, &caller, after(3), random()).await.unwrap();
    let back = back.order().unwrap().attempt.id;
    store
        .apply_attempt(back, AttemptEvent::Answered, after(4))
        .await
        .unwrap();
    store
        .apply_attempt(back, ended(CallResult::Answered), after(5))
        .await
        .unwrap();
    let wm4 = appliance(&*store, "acme", "wm-4").await;
    let later = seen(vec![alarm(wm4, "drum_bearing", 0.95)]);
    let third = store.commit_scoring(&later, after(6)).await.unwrap()[0].opened;
    ring(&*store, third.unwrap(), 6).await;
}

/// Somebody answered and nothing could be heard: a fault of the line. The owner is rung again, after the plan's gap.
pub(super) async fn a_call_without_audio_is_placed_again_after_the_gap(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let order = ring(&*store, id, 0).await;
    let over = store
        .apply_attempt(order.attempt.id, ended(CallResult::NoAudio), after(1))
        .await
        .unwrap();
    assert_eq!((over.result, over.disposition), (Some(CallResult::NoAudio), None));
    let story = view(&*store, id).await;
    assert_eq!(
        (story.ticket.contact.phase, story.ticket.contact.reason),
        (ContactPhase::Planned, None)
    );
    assert_eq!(story.attempts, [over], "as it is read again");
    let early = store.begin_attempt(id, after(20), random()).await.unwrap();
    assert!(
        matches!(
            early,
            Begun::Waits {
                reason: HoldReason::Gap,
                ..
            }
        ),
        "{early:?}"
    );
    ring(&*store, id, 24 * 60).await;
}

/// Two calls a day are allowed: of four that failed on their way none counts, and two that rang are all there are.
pub(super) async fn calls_that_rang_nobody_use_up_no_place(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = ticket(&*store, "wm-1", 0.95).await;
    let failed = [
        (0, CallResult::NetworkFailure),
        (12, CallResult::NotPlaced),
        (40, CallResult::TrunkRefused),
        (90, CallResult::NetworkFailure),
    ];
    for (minutes, result) in failed {
        let attempt = ring(&*store, id, minutes).await.attempt.id;
        let over = store.apply_attempt(attempt, ended(result), after(minutes + 1)).await;
        assert_eq!(over.unwrap().rang_at, None);
    }
    let rung = async |ticket, minutes| {
        let attempt = ring(&*store, ticket, minutes).await.attempt.id;
        store
            .apply_attempt(attempt, AttemptEvent::Ringing, after(minutes))
            .await
            .unwrap();
        let end = ended(CallResult::NoAnswer);
        store.apply_attempt(attempt, end, after(minutes + 1)).await.unwrap()
    };
    let first = rung(id, 200).await;
    assert_eq!(first.rang_at, Some(after(200)));
    assert_eq!(
        view(&*store, id).await.attempts.last(),
        Some(&first),
        "as it is read again"
    );
    rung(id, 390).await;
    let third = store.begin_attempt(id, after(571), random()).await.unwrap();
    let until = after(24 * 60 + 200);
    let reason = HoldReason::PerDay;
    assert_eq!(third, Begun::Waits { until, reason });
}

pub(super) async fn an_inbound_call_that_ends_plans_no_outbound_one(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let unsure = ticket(&*store, "wm-1", 0.5).await;
    store.begin_attempt(unsure, morning(), random()).await.unwrap();
    let before = view(&*store, unsure).await.ticket;
    assert_eq!(before.contact.reason, Some(HoldReason::BelowGate));
    let caller = PhoneNumber::new(PHONES[0]).unwrap();
    let back = store.begin_inbound(&SCOPED, &caller, after(1), random()).await.unwrap();
    let back = back.order().unwrap().attempt.id;
    store
        .apply_attempt(back, ended(CallResult::NetworkFailure), after(2))
        .await
        .unwrap();
    assert_eq!(view(&*store, unsure).await.ticket, before);
    assert!(due(&*store, after(10_000)).await.is_empty());
    // One that was planned is due when it was.
    let planned = ticket(&*store, "wm-2", 0.95).await;
    let until = after(120);
    let reason = HoldReason::Gap;
    store
        .apply_ticket(
            &Actor::hub("hub"),
            planned,
            &TicketEvent::Waits { until, reason },
            morning(),
        )
        .await
        .unwrap();
    let caller = PhoneNumber::new(PHONES[1]).unwrap();
    let back = store.begin_inbound(&SCOPED, &caller, after(3), random()).await.unwrap();
    let back = back.order().unwrap().attempt.id;
    assert!(due(&*store, after(600)).await.is_empty(), "in a call");
    store
        .apply_attempt(back, ended(CallResult::NoAnswer), after(4))
        .await
        .unwrap();
    let after_call = view(&*store, planned).await.ticket;
    assert_eq!(
        (after_call.contact.phase, after_call.contact.due),
        (ContactPhase::Planned, Some(until))
    );
    assert!(due(&*store, after(119)).await.is_empty());
    assert_eq!(due(&*store, until).await, [planned]);
}

/// Two people agree the same slot, which has one place, at the same time; and a slot offered in a call is promised.
pub(super) async fn the_last_place_of_a_slot_is_given_once(h: &dyn Harness) {
    let (_place, left) = played(h).await;
    let right = Arc::clone(&left);
    let first = ticket(&*left, "wm-1", 0.95).await;
    let second = ticket(&*left, "wm-2", 0.95).await;
    let slot = view(&*left, first).await.next_slot.unwrap();
    assert_eq!(view(&*right, second).await.next_slot, Some(slot));
    let booked = |slot| TicketEvent::Booked {
        slot,
        service_point: "pudong".into(),
    };
    let (a, b) = (booked(slot), booked(slot));
    let (li, wu) = (Actor::hub("li"), Actor::hub("wu"));
    let (a, b) = tokio::join!(
        left.apply_ticket(&li, first, &a, after(1)),
        right.apply_ticket(&wu, second, &b, after(1))
    );
    let refused: Vec<_> = [&a, &b].into_iter().filter_map(|done| done.as_ref().err()).collect();
    assert!(
        matches!(refused.as_slice(), [StoreError::Conflict(why)] if why.contains("is taken")),
        "{a:?} {b:?}"
    );
    let (has, without) = if a.is_ok() { (first, second) } else { (second, first) };
    // The same again for the ticket that has it is no conflict with itself.
    left.apply_ticket(&Actor::hub("li"), has, &booked(slot), after(2))
        .await
        .unwrap();
    let order = ring(&*left, without, 3).await;
    let promised = order.attempt.offered.unwrap();
    assert_ne!(promised, slot);
    let steal = left
        .apply_ticket(&Actor::hub("li"), has, &booked(promised), after(4))
        .await;
    assert!(matches!(steal, Err(StoreError::Conflict(_))), "{steal:?}");
    let mut invented = promised;
    invented.start = after(9_999);
    let nowhere = left
        .apply_ticket(&Actor::hub("li"), has, &booked(invented), after(5))
        .await;
    assert!(matches!(nowhere, Err(StoreError::Conflict(_))), "{nowhere:?}");
}

/// Calls that end and a site file that is applied want the same appliances and owners; nobody waits in a circle.
pub(super) async fn a_site_file_can_be_applied_while_calls_begin_and_end(h: &dyn Harness) {
    let (_place, left) = played(h).await;
    let right = Arc::clone(&left);
    let id = ticket(&*left, "wm-1", 0.95).await;
    let calls = async {
        for n in 0..40 {
            left.apply_ticket(&Actor::hub("li"), id, &TicketEvent::CallRequested, after(n))
                .await
                .unwrap();
            let order = ring(&*left, id, n).await;
            left.apply_attempt(order.attempt.id, ended(CallResult::NoAnswer), after(n))
                .await
                .unwrap();
        }
    };
    let sites = async {
        for n in 0..40 {
            let mut site = site();
            site.tenants[0].visit_price.amount = n;
            for owner in &mut site.tenants[0].owners {
                owner.name = format!("Person {n}");
            }
            site.tenants[0].service_points[0].name.en = format!("Point {n}");
            right.apply_site(&site, morning(), false).await.unwrap();
        }
    };
    tokio::join!(calls, sites);
}
