//! What devices that run our agent say of themselves: kept, counted over their starts, and gone with the agent.

use super::Harness;
use super::scene::{after, appliance, morning, played, stored, tenant, waiting};
use crate::Store;
use crate::birth::{Birth, DROPPED_MAX, KeptBirth, ResetReason, StateContent};
use crate::telemetry::{Command, Ingest};
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;

/// A birth message of a start with what was given up since.
fn birth(boot: u64, dropped_events: u64, dropped_telemetry: u64) -> Birth {
    Birth {
        boot,
        model: "WM7".into(),
        firmware: "1.4.2".into(),
        sdk: "0.1.0".into(),
        reset: ResetReason::PowerOn,
        takes_cbor: true,
        settings: 0,
        dropped_events,
        dropped_telemetry,
    }
}

fn said(appliance: ApplianceId, content: StateContent, minutes: i64) -> Ingest {
    Ingest::State {
        appliance,
        payload: b"state".to_vec(),
        content,
        retain: true,
        at: after(minutes),
    }
}

fn told(appliance: ApplianceId, birth: Birth, minutes: i64) -> Ingest {
    said(appliance, StateContent::Birth(Box::new(birth)), minutes)
}

async fn kept(store: &dyn Store, appliance: ApplianceId) -> Option<KeptBirth> {
    store.birth(&Actor::hub("test"), appliance).await.unwrap()
}

/// What the tenant's devices have given up: events, telemetry.
async fn tally(store: &dyn Store, of: &str) -> (i64, i64) {
    let tallies = store.tallies().await.unwrap();
    let tally = tallies.iter().find(|tally| tally.tenant == tenant(of)).unwrap();
    (tally.device_dropped_events, tally.device_dropped_telemetry)
}

pub(super) async fn the_newest_birth_message_is_kept_until_another_state_takes_it_away(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    assert_eq!(kept(&*store, id).await, None);
    let newest = Birth {
        model: "WM\u{fffd}7 \"é\"".into(),
        reset: ResetReason::BrownOut,
        settings: 4_294_967_295,
        ..birth((1 << 53) - 1, 1, 2)
    };
    let passing = Ingest::State {
        appliance: id,
        payload: Vec::new(),
        content: StateContent::Other,
        retain: false,
        at: after(3),
    };
    let batch = [told(id, birth(1, 0, 0), 1), told(id, newest.clone(), 2), passing];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1), stored(1), stored(0)]);
    let expected = KeptBirth {
        birth: newest,
        at: after(2),
        dropped_events_in_all: 1,
        dropped_telemetry_in_all: 2,
    };
    assert_eq!(kept(&*store, id).await.as_ref(), Some(&expected));
    // A batch that failed comes later than one that did not; and the will takes nothing away.
    store.ingest(&[told(id, birth(3, 9, 9), 1)]).await.unwrap();
    store.ingest(&[said(id, StateContent::Other, 1)]).await.unwrap();
    store.ingest(&[said(id, StateContent::Gone, 4)]).await.unwrap();
    assert_eq!(kept(&*store, id).await, Some(expected));
    // Another firmware took over, and the agent came back.
    store.ingest(&[said(id, StateContent::Other, 5)]).await.unwrap();
    assert_eq!(kept(&*store, id).await, None);
    let back = [
        told(id, birth(4, 3, 0), 6),
        said(id, StateContent::Other, 7),
        told(id, birth(5, 1, 0), 8),
    ];
    store.ingest(&back).await.unwrap();
    let view = kept(&*store, id).await.unwrap();
    assert_eq!((view.birth.boot, view.dropped_events_in_all, view.at), (5, 1, after(8)));
    let last = [told(id, birth(6, 1, 0), 9), said(id, StateContent::Other, 10)];
    store.ingest(&last).await.unwrap();
    assert_eq!(kept(&*store, id).await, None);
}

pub(super) async fn what_a_device_gave_up_is_added_up_over_its_starts(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let other = appliance(&*store, "acme", "wm-2").await;
    let foreign = appliance(&*store, "beta", "wm-1").await;
    let of = async |id| {
        let kept = kept(&*store, id).await.unwrap();
        (kept.dropped_events_in_all, kept.dropped_telemetry_in_all)
    };
    store.ingest(&[told(id, birth(1, 1, 10), 1)]).await.unwrap();
    // The same again, more of it, and three starts on top of each other in one batch.
    store.ingest(&[told(id, birth(1, 1, 10), 2)]).await.unwrap();
    store.ingest(&[told(id, birth(1, 1, 15), 3)]).await.unwrap();
    assert_eq!(of(id).await, (1, 15));
    let batch = [
        told(id, birth(2, 2, 0), 4),
        told(other, birth(7, 0, 4), 4),
        told(id, birth(2, 5, 0), 5),
        told(foreign, birth(8, 7, 0), 5),
        told(id, birth(3, 0, 100), 6),
        told(id, birth(4, 0, 0), 7),
    ];
    store.ingest(&batch).await.unwrap();
    assert_eq!(of(id).await, (6, 115));
    assert_eq!(kept(&*store, id).await.unwrap().birth, birth(4, 0, 0));
    // A count that falls adds nothing, and the sum stops at its bound.
    store.ingest(&[told(id, birth(4, 9, 0), 8)]).await.unwrap();
    store.ingest(&[told(id, birth(4, 2, 0), 9)]).await.unwrap();
    assert_eq!(of(id).await, (15, 115));
    store
        .ingest(&[told(other, birth(9, 0, DROPPED_MAX), 10)])
        .await
        .unwrap();
    assert_eq!(of(other).await, (0, DROPPED_MAX));
    let sum = 115 + i64::try_from(DROPPED_MAX).unwrap();
    assert_eq!(
        (tally(&*store, "acme").await, tally(&*store, "beta").await),
        ((15, sum), (7, 0))
    );
}

pub(super) async fn a_command_says_whether_its_device_takes_cbor(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let other = appliance(&*store, "acme", "wm-2").await;
    for appliance in [id, other] {
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: "r".into(),
            body: "{}".into(),
            expires_at: after(60),
        };
        store.queue_command(appliance, &command, morning()).await.unwrap();
    }
    let takes = async |appliance| waiting(&*store, appliance, after(9)).await[0].takes_cbor;
    assert!(!takes(id).await);
    store.ingest(&[told(id, birth(1, 0, 0), 1)]).await.unwrap();
    assert_eq!((takes(id).await, takes(other).await), (true, false));
    // It is away, and still what it was.
    store.ingest(&[said(id, StateContent::Gone, 2)]).await.unwrap();
    assert!(takes(id).await);
    let json_only = Birth {
        takes_cbor: false,
        ..birth(2, 0, 0)
    };
    store.ingest(&[told(id, json_only, 3)]).await.unwrap();
    assert!(!takes(id).await);
    store.ingest(&[told(id, birth(3, 0, 0), 4)]).await.unwrap();
    store.ingest(&[said(id, StateContent::Other, 5)]).await.unwrap();
    assert!(!takes(id).await);
}
