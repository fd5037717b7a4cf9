//! Calls that a surge has stopped, and how they go on.

use super::Harness;
use super::budget::{FAMILY, PUMP, days, keep, lena, rung, sees};
use super::contact::{due, ring};
use super::scene::{alarm_on, appliance, ledger_of, morning, played, seen, tenant};
use crate::budget::CallRelease;
use crate::contact::Begun;
use crate::error::StoreError;
use hub_core::actor::Actor;
use hub_core::budget::ledger::Ledger;
use hub_core::call_rules::HoldReason;
use hub_core::release::Basis;
use hub_core::situation::Observation;
use hub_core::ticket::TicketEvent;

/// No sound washing machine comes near the score of an alarm.
fn quiet() -> Ledger {
    ledger_of(FAMILY, |id| 0.2 + 0.0001 * id as f32)
}

/// The same, and its breaker has stopped calls.
fn surging() -> Ledger {
    let mut ledger = quiet();
    assert!(ledger.breaker(FAMILY).count(20, 0.1, morning()));
    ledger
}

pub(super) async fn calls_that_a_surge_has_stopped_go_on_when_a_person_says_so(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let acme = tenant("acme");
    let release = |reason: &str, until| CallRelease {
        family: FAMILY.to_owned(),
        model: FAMILY.to_owned(),
        reason: reason.to_owned(),
        until,
    };
    let fits = release("new firmware, harmless", days(1));
    let unknown = store.release_calls(&lena(), &acme, &fits, morning()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    keep(&*store, Ledger::default(), &[]).await;
    let nothing = store.release_calls(&lena(), &acme, &fits, morning()).await;
    assert!(matches!(nothing, Err(StoreError::Conflict(_))), "{nothing:?}");

    keep(&*store, surging(), &[]).await;
    let earned = sees(&*store, "wm-1", 1.5).await.unwrap();
    assert_eq!(rung(&*store, earned).await, Begun::Held(HoldReason::Surge));
    // What waits for an approval stays in that queue, and an approval outlives the surge.
    let washer = appliance(&*store, "acme", "wm-2").await;
    let simulated = seen(vec![alarm_on(Basis::default(), washer, PUMP, 0.95)]);
    let told = store.commit_scoring(&simulated, morning()).await.unwrap();
    let approved = told[0].opened.unwrap();
    assert_eq!(rung(&*store, approved).await, Begun::Held(HoldReason::ReadyToRing));
    let approval = TicketEvent::CallApproved;
    store
        .apply_ticket(&lena(), approved, &approval, morning())
        .await
        .unwrap();
    assert_eq!(rung(&*store, approved).await, Begun::Held(HoldReason::Surge));
    let contact = async |ticket| {
        let story = store.ticket(&Actor::hub("test"), ticket, morning()).await.unwrap();
        story.ticket.contact
    };
    assert_eq!(contact(approved).await.approved_by.as_deref(), Some("lena"));
    // One that a person has taken is left to them.
    let taken = sees(&*store, "wm-4", 1.5).await.unwrap();
    assert_eq!(rung(&*store, taken).await, Begun::Held(HoldReason::Surge));
    let takes = TicketEvent::Taken;
    store.apply_ticket(&lena(), taken, &takes, morning()).await.unwrap();
    keep(&*store, surging(), &[]).await;
    assert!(due(&*store, morning()).await.is_empty(), "it surges still");
    for wrong in [release("", days(1)), release("x", days(31)), release("x", morning())] {
        let refused = store.release_calls(&lena(), &acme, &wrong, morning()).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    store.release_calls(&lena(), &acme, &fits, morning()).await.unwrap();
    let shown = store.budgets(&lena(), &acme).await.unwrap().remove(0);
    let stop = shown.ledger.model(FAMILY).unwrap().breaker.stop().cloned().unwrap();
    let released = stop.release.unwrap();
    assert_eq!((released.by.as_str(), released.until), ("lena", days(1)));
    assert_eq!(shown.lines[0].change.name(), "released");
    // What was held for it alone is looked at again, and rung about.
    let again = due(&*store, morning()).await;
    assert_eq!(again.len(), 2, "{again:?}");
    for ticket in [earned, approved] {
        ring(&*store, ticket, 0).await;
    }
    assert_eq!(contact(taken).await.reason, Some(HoldReason::Surge));
}

pub(super) async fn calls_go_on_when_a_surge_is_over_by_itself(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    keep(&*store, surging(), &[]).await;
    let ticket = sees(&*store, "wm-1", 1.5).await.unwrap();
    assert_eq!(rung(&*store, ticket).await, Begun::Held(HoldReason::Surge));
    let gone = sees(&*store, "wm-2", 1.5).await.unwrap();
    assert_eq!(rung(&*store, gone).await, Begun::Held(HoldReason::Surge));
    let washer = appliance(&*store, "acme", "wm-2").await;
    let clear = seen(vec![Observation::Clear { appliance: washer }]);
    store.commit_scoring(&clear, morning()).await.unwrap();
    keep(&*store, quiet(), &[]).await;
    assert_eq!(due(&*store, morning()).await, [ticket], "the other fault has gone");
    ring(&*store, ticket, 0).await;
}
