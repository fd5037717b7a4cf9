//! Quarantine: looked through within a scope, and left once by what can be read now.

use super::Harness;
use super::scene::{after, appliance, message, morning, played, repeated, rolled_up, stored, tenant};
use crate::Store;
use crate::quarantine::QuarantineFilter;
use crate::telemetry::{Ingest, Partly, Quarantined};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;

fn held(appliance: ApplianceId, reason: &str) -> Ingest {
    Ingest::Quarantine(Quarantined {
        appliance,
        topic: "d/wm-1/t".into(),
        payload: reason.as_bytes().to_vec(),
        reason: reason.into(),
        received_at: morning(),
    })
}

async fn numbers(store: &dyn Store, actor: &Actor, reason: Option<&str>) -> Vec<i64> {
    let filter = QuarantineFilter {
        appliance: None,
        reason: reason.map(str::to_owned),
    };
    let page = store.quarantine(actor, &filter, None, 200).await.unwrap();
    page.items.iter().map(|held| held.number).collect()
}

pub(super) async fn quarantine_is_searched_within_the_scope(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (own, foreign) = (
        appliance(&*store, "acme", "wm-1").await,
        appliance(&*store, "beta", "wm-1").await,
    );
    let all = [
        held(own, "Bad CBOR"),
        held(own, "unknown 100%_"),
        held(foreign, "bad cbor"),
    ];
    store.ingest(&all).await.unwrap();
    let acme = Actor::hub("test").within(Some(tenant("acme")));
    let (ours, every) = (
        numbers(&*store, &acme, None).await,
        numbers(&*store, &Actor::hub("test"), None).await,
    );
    assert_eq!((ours.len(), every.len()), (2, 3));
    assert_eq!(numbers(&*store, &Actor::hub("test"), Some("BAD cbor")).await.len(), 2);
    assert_eq!(numbers(&*store, &acme, Some("100%_")).await.len(), 1, "no wildcards");
    assert_eq!(numbers(&*store, &acme, Some("10_%")).await.len(), 0);
    let first = store
        .quarantine(&acme, &QuarantineFilter::default(), None, 1)
        .await
        .unwrap();
    assert_eq!(
        (first.items[0].number, first.items[0].device.as_str()),
        (ours[0], "wm-1")
    );
    let second = store
        .quarantine(&acme, &QuarantineFilter::default(), first.next.as_deref(), 1)
        .await
        .unwrap();
    assert_eq!((second.items[0].number, second.next), (ours[1], None));
    let chosen = store.held(&acme, &every).await.unwrap();
    assert_eq!(
        chosen.iter().map(|h| h.number).collect::<Vec<_>>(),
        [ours[1], ours[0]],
        "oldest first, own only"
    );
}

pub(super) async fn a_payload_leaves_quarantine_once_with_what_it_holds(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    store.ingest(&[held(id, "one"), held(id, "two")]).await.unwrap();
    let all = numbers(&*store, &Actor::hub("test"), None).await;
    let (two, one) = (all[0], all[1]);
    // JSON without a time stamp is never taken for a repeat, so only the row itself keeps it from being stored twice.
    let mut content = message(id, 1, 0, 2);
    content.identity = Identity::Content(vec![false, false]);
    let again = content.clone();
    let (a, b) = tokio::join!(
        store.replay(one, Ingest::Telemetry(content)),
        store.replay(one, Ingest::Telemetry(again.clone()))
    );
    let mut stored = [a.unwrap().stored, b.unwrap().stored];
    stored.sort_unstable();
    assert_eq!(stored, [0, 2], "exactly one of both stores it");
    assert_eq!(store.replay(one, Ingest::Telemetry(again)).await.unwrap().stored, 0);
    assert_eq!(store.samples_stored().await.unwrap(), 2);
    assert_eq!(numbers(&*store, &Actor::hub("test"), None).await, [two]);
    store.still_held(two, "now for another reason").await.unwrap();
    assert_eq!(
        store.held(&Actor::hub("test"), &[two]).await.unwrap()[0].kept.reason,
        "now for another reason"
    );
    while store.roll_up(100).await.unwrap() > 0 {}
    let view = store.appliance(&Actor::hub("test"), id).await.unwrap();
    assert_eq!((view.samples, view.quarantined), (2, 1));
    let tallies = store.tallies().await.unwrap();
    let acme = tallies.iter().find(|t| t.tenant == tenant("acme")).unwrap();
    assert_eq!(
        (acme.appliances, acme.online, acme.samples, acme.quarantined),
        (4, 0, 2, 1)
    );
}

/// Two readings under stated times from the `first` second on, and something beside them that could not be taken.
fn partly(id: ApplianceId, first: u64, aside: &str, minutes: i64) -> Ingest {
    let mut taken = message(id, 1, first, 2);
    taken.identity = Identity::Content(vec![true, true]);
    taken.received_at = after(minutes);
    let Ingest::Quarantine(mut aside) = held(id, aside) else {
        unreachable!("that is what it makes");
    };
    aside.received_at = after(minutes);
    Ingest::Partly(Box::new(Partly { taken, aside }))
}

pub(super) async fn what_could_not_be_taken_is_stored_with_the_rest_and_once(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let hub = Actor::hub("test");
    let in_quarantine = async || numbers(&*store, &hub, None).await.len();
    let ingest = async |batch: &[Ingest]| store.ingest(batch).await.unwrap();
    assert_eq!(ingest(&[partly(id, 0, "one", 0)]).await, [stored(2)]);
    assert_eq!(in_quarantine().await, 1);
    // As after a lost acknowledgement.
    assert_eq!(ingest(&[partly(id, 0, "one", 9)]).await, [repeated(2)]);
    assert_eq!(in_quarantine().await, 1);
    // Nothing is lost where only the readings were stored before.
    assert_eq!(ingest(&[partly(id, 0, "two", 0)]).await, [repeated(2)]);
    assert_eq!(in_quarantine().await, 2);
    let twice = [partly(id, 10, "three", 0), partly(id, 10, "three", 0)];
    assert_eq!(ingest(&twice).await, [stored(2), repeated(2)]);
    let two_of_two = [partly(id, 0, "four", 0), partly(id, 0, "four", 0)];
    assert_eq!(ingest(&two_of_two).await, [repeated(2); 2]);
    assert_eq!(in_quarantine().await, 4);
    let once = Ingest::Once {
        appliance: id,
        packet_id: 7,
        content: Box::new(partly(id, 20, "five", 0)),
    };
    assert_eq!(ingest(&[once.clone(), once]).await, [stored(2), repeated(2)]);
    assert_eq!(in_quarantine().await, 5);
    // Read again, a part of it can be taken.
    let newest = numbers(&*store, &hub, None).await[0];
    let replayed = store.replay(newest, partly(id, 30, "six", 0)).await.unwrap();
    assert_eq!(replayed, stored(2));
    let left = numbers(&*store, &hub, None).await;
    assert!(left.len() == 5 && left[0] > newest, "{left:?}");
    rolled_up(&*store).await;
    let view = store.appliance(&hub, id).await.unwrap();
    assert_eq!((view.samples, view.quarantined), (8, 5));
}
