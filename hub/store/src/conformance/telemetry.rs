//! Readings: stored exactly once, in the order of commits, and one bad item holds nobody back.

use super::Harness;
use super::scene::{
    after, alarm, appliance, findings, message, morning, played, presence, quarantine, repeated, rolled_up, seen, site,
    stored, telemetry, tenant, waiting,
};
use crate::StoreError;
use crate::prediction::{Checkpoint, ScoredUpTo, ScoringCommit};
use crate::telemetry::{Command, Ingest, Ingested, QUARANTINE_PAYLOAD_MAX, QUARANTINE_ROWS_MAX, Quarantined};
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Identity, Lane, TelemetryMessage};

pub(super) async fn a_repeat_is_stored_once_however_it_comes(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    // Whole, twice in one batch, overlapping, and under the largest numbers there are.
    let batch = [
        telemetry(id, u64::MAX, 10, 6),
        telemetry(id, u64::MAX, 10, 6),
        telemetry(id, u64::MAX, 13, 6),
    ];
    assert_eq!(
        store.ingest(&batch).await.unwrap(),
        [stored(6), repeated(6), Ingested { stored: 3, repeated: 3 }]
    );
    assert_eq!(store.ingest(&batch[..1]).await.unwrap(), [repeated(6)]);
    // Another start, and another appliance, count for themselves.
    let other = appliance(&*store, "acme", "wm-2").await;
    let more = [telemetry(id, 1, 10, 6), telemetry(other, u64::MAX, 10, 6)];
    assert_eq!(store.ingest(&more).await.unwrap(), [stored(6), stored(6)]);
    assert_eq!(store.samples_stored().await.unwrap(), 21);
    rolled_up(&*store).await;
    let view = store.appliance(&hub_core::actor::Actor::hub("test"), id).await.unwrap();
    assert_eq!((view.samples, view.skew_ms), (15, Some(12)));
    assert_eq!(
        view.last_sample_at,
        Some(morning() + jiff::SignedDuration::from_secs(18))
    );
}

pub(super) async fn what_is_older_than_the_bitmap_is_looked_up(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    assert_eq!(store.ingest(&[telemetry(id, 5, 100, 4)]).await.unwrap(), [stored(4)]);
    assert_eq!(store.ingest(&[telemetry(id, 5, 5_000, 1)]).await.unwrap(), [stored(1)]);
    // 100 to 103 are stored, 104 and 105 are not, and within one batch the same late sample comes twice.
    let late = [telemetry(id, 5, 102, 4), telemetry(id, 5, 104, 1)];
    assert_eq!(
        store.ingest(&late).await.unwrap(),
        [Ingested { stored: 2, repeated: 2 }, repeated(1)]
    );
    // In one batch: taken, the mark jumps, and the first comes again.
    let jump = [
        telemetry(id, 6, 1, 2),
        telemetry(id, 6, 9_000, 1),
        telemetry(id, 6, 1, 3),
    ];
    assert_eq!(
        store.ingest(&jump).await.unwrap(),
        [stored(2), stored(1), Ingested { stored: 1, repeated: 2 }]
    );
    assert_eq!(store.samples_stored().await.unwrap(), 11);
}

pub(super) async fn json_repeats_within_ten_minutes_are_refused(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let json = |minutes, value: i32| {
        let mut message = TelemetryMessage {
            identity: Identity::Content(vec![true]),
            received_at: after(minutes),
            ..message(id, 0, 0, 1)
        };
        message.samples[0].values = vec![Some(value)];
        message.samples[0].extra = Some(serde_json::json!({"unknown": {"zero": -0.0, "big": 1e300}}));
        Ingest::Telemetry(message)
    };
    let batch = [json(0, 1), json(0, 1), json(0, 2)];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1), repeated(1), stored(1)]);
    assert_eq!(store.ingest(&[json(9, 1)]).await.unwrap(), [repeated(1)]);
    assert_eq!(store.ingest(&[json(11, 1)]).await.unwrap(), [stored(1)]);
    assert_eq!(store.samples_stored().await.unwrap(), 3);
}

/// What is not later than the newest reading is looked up: it may be a repeat or what the device has kept.
pub(super) async fn json_in_any_order_is_stored_once(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let json = |second: u64, value: i32, stated: bool| {
        let mut message = message(id, 0, second, 1);
        message.identity = Identity::Content(vec![stated]);
        message.samples[0].values = vec![Some(value)];
        Ingest::Telemetry(message)
    };
    let newest = [
        json(50, 1, true),
        json(20, 1, true),
        json(50, 1, true),
        json(50, 2, true),
    ];
    assert_eq!(
        store.ingest(&newest).await.unwrap(),
        [stored(1), stored(1), repeated(1), stored(1)]
    );
    let again = [
        json(20, 1, true),
        json(10, 1, true),
        json(10, 1, true),
        json(60, 1, true),
    ];
    assert_eq!(
        store.ingest(&again).await.unwrap(),
        [repeated(1), stored(1), repeated(1), stored(1)]
    );
    // A reading under a sequence is none of these, though it says the same; and nothing without a time of its own is a repeat.
    let others = [telemetry(id, 9, 20, 1), json(60, 1, false), json(60, 1, false)];
    assert_eq!(store.ingest(&others).await.unwrap(), [stored(1); 3]);
    // A hub that knows nothing of what was sent before finds it.
    drop(store);
    let store = place.hub().await;
    let all = [json(50, 2, true), json(60, 1, true), json(61, 1, true)];
    assert_eq!(store.ingest(&all).await.unwrap(), [repeated(1), repeated(1), stored(1)]);
    assert_eq!(store.samples_stored().await.unwrap(), 9);
}

/// Readings of one time are looked up before they are stored; all the same they come to the scorer in the order in which they were sent.
pub(super) async fn json_of_a_channel_each_is_read_in_the_order_in_which_it_came(h: &dyn Harness) {
    let sent = (10..14).flat_map(|second| [(second, 1), (second, 2), (second, 3)]);
    read_as_sent(h, &sent.collect::<Vec<_>>()).await;
}

/// Of a device that is new to the hub, readings of the last minute are known to be later than all that is stored; those before are
/// looked up.
pub(super) async fn json_of_a_device_that_catches_up_is_read_in_the_order_in_which_it_came(h: &dyn Harness) {
    let sent = (-90..0).map(|second| (second, 1));
    read_as_sent(h, &sent.collect::<Vec<_>>()).await;
}

/// Readings in one batch: seconds from their receipt, and a value.
async fn read_as_sent(h: &dyn Harness, sent: &[(i64, i32)]) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let at = |second| morning() + jiff::SignedDuration::from_secs(second);
    let json = |&(second, value): &(i64, i32)| {
        let mut message = message(id, 0, 0, 1);
        message.identity = Identity::Content(vec![true]);
        message.samples[0].at = at(second);
        message.samples[0].values = vec![Some(value)];
        Ingest::Telemetry(message)
    };
    let batch: Vec<Ingest> = sent.iter().map(json).collect();
    assert_eq!(store.ingest(&batch).await.unwrap(), vec![stored(1); sent.len()]);
    let rows = store.unscored(100, None).await.unwrap().rows;
    let read: Vec<_> = rows.iter().map(|row| (row.at, row.values[0])).collect();
    let wanted: Vec<_> = sent.iter().map(|&(second, value)| (at(second), Some(value))).collect();
    assert_eq!(read, wanted);
}

pub(super) async fn one_bad_item_holds_nobody_back(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let mut odd = message(id, 1, 0, 1);
    odd.samples[0].extra = Some(serde_json::json!({"a\u{0}b": ["\u{0}", {"c": "\u{0}"}], "big": 1e300}));
    odd.samples[0].values = vec![];
    let quarantined = Ingest::Quarantine(Quarantined {
        appliance: id,
        topic: "d/x\u{0}/t".into(),
        payload: vec![0xff; 20_000],
        reason: "not CBOR".into(),
        received_at: morning(),
    });
    let clock = Ingest::Clock {
        appliance: id,
        boot: u64::MAX,
        offset_ms: -5,
    };
    let batch = [Ingest::Telemetry(odd), quarantined, clock, telemetry(id, 2, 0, 2)];
    assert_eq!(
        store.ingest(&batch).await.unwrap(),
        [stored(1), stored(1), stored(0), stored(2)]
    );
    let other = appliance(&*store, "acme", "wm-2").await;
    let boots = [(id, 3), (id, u64::MAX), (other, u64::MAX), (id, u64::MAX)];
    assert_eq!(
        store.clock_offsets(&boots).await.unwrap(),
        [None, Some(-5), None, Some(-5)],
        "one answer for each, in order"
    );
    assert!(store.clock_offsets(&[]).await.unwrap().is_empty());
    assert_eq!(quarantine(&*store).await[0].kept.payload.len(), QUARANTINE_PAYLOAD_MAX);
    assert_eq!(
        store
            .appliance(&hub_core::actor::Actor::hub("test"), id)
            .await
            .unwrap()
            .quarantined,
        1
    );
}

pub(super) async fn the_quarantine_of_a_tenant_is_bounded_and_counts_what_gave_way(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let one = |reason: &str| {
        Ingest::Quarantine(Quarantined {
            appliance: id,
            topic: "d/x/t".into(),
            payload: b"?".to_vec(),
            reason: reason.into(),
            received_at: morning(),
        })
    };
    store.ingest(&vec![one("oldest"); 1_000]).await.unwrap();
    for _ in 0..20 {
        store.ingest(&vec![one("not CBOR"); 1_000]).await.unwrap();
    }
    let kept = quarantine(&*store).await;
    assert_eq!(kept.len() as i64, QUARANTINE_ROWS_MAX);
    assert!(
        kept.iter().all(|held| held.kept.reason == "not CBOR"),
        "the oldest gave way"
    );
    let tallies = store.tallies().await.unwrap();
    let acme = tallies.iter().find(|tally| tally.tenant == tenant("acme")).unwrap();
    assert_eq!(
        (acme.quarantined, acme.quarantine_dropped),
        (QUARANTINE_ROWS_MAX, 1_000)
    );
}

/// Several writers and a reader at once: numbers have no holes, rows appear in their order, nothing is read twice.
pub(super) async fn rows_are_read_for_scoring_once_and_in_the_order_of_commits(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let ids = [
        appliance(&*store, "acme", "wm-1").await,
        appliance(&*store, "acme", "wm-2").await,
        appliance(&*store, "beta", "wm-1").await,
    ];
    let mut writers = Vec::new();
    for boot in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for round in 0..40 {
                let batch: Vec<Ingest> = ids.iter().map(|id| telemetry(*id, boot, round * 3, 3)).collect();
                store.ingest(&batch).await.unwrap();
            }
        }));
    }
    let mut read = 0;
    let mut last = std::collections::HashMap::new();
    while read < 4 * 40 * 3 * 3 {
        let rows = store.unscored(100, None).await.unwrap().rows;
        if rows.is_empty() {
            store.telemetry_arrived(std::time::Duration::from_millis(200)).await;
            continue;
        }
        for row in &rows {
            let before = last.insert(row.partition, row.ingest_no).unwrap_or(0);
            assert_eq!(row.ingest_no, before + 1, "partition {}", row.partition);
            assert_eq!(row.values[1..], [None, Some(-7)]);
        }
        read += rows.len();
        let commit = ScoringCommit {
            offsets: ScoredUpTo::reach(&rows),
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, morning()).await.unwrap();
        let again = store.commit_scoring(&commit, morning()).await.unwrap_err();
        assert!(matches!(again, StoreError::Conflict(_)), "{again:?}");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let left = store.unscored(10, None).await.unwrap();
    assert!(left.rows.is_empty() && !left.more, "{left:?}");
    assert_eq!(last.values().sum::<i64>(), 1_440);
}

pub(super) async fn commands_wait_for_their_device(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let own = appliance(&*store, "acme", "wm-1").await;
    let command = |request: &str| Command {
        number: 0,
        sent: false,
        takes_cbor: false,
        request: request.into(),
        body: "{}".into(),
        expires_at: after(60),
    };
    for n in 0..32 {
        store
            .queue_command(own, &command(&n.to_string()), morning())
            .await
            .unwrap();
    }
    store.queue_command(own, &command("3"), morning()).await.unwrap();
    assert!(matches!(
        store.queue_command(own, &command("32"), morning()).await,
        Err(StoreError::Refused(_))
    ));
    let reply = Ingest::Reply {
        appliance: own,
        request: "0".to_owned(),
        payload: b"ok".to_vec(),
        at: morning(),
    };
    store.ingest(&[reply]).await.unwrap();
    let left = waiting(&*store, own, morning()).await;
    assert_eq!((left.len(), left[0].request.as_str()), (31, "1"));
    assert!(waiting(&*store, own, after(60)).await.is_empty());
    let patience = std::time::Duration::from_secs(5);
    assert_eq!(store.command_queued(patience).await, [own]);
}

/// A detector that still runs on the old baseline after a repair neither saves its state nor raises anything.
pub(super) async fn a_checkpoint_comes_back_until_its_baseline_is_restarted(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let checkpoint = Checkpoint {
        appliance: id,
        model: "washing-machine/1".into(),
        ingest_no: 7,
        state: vec![1, 2, 0, 255],
    };
    let save = ScoringCommit {
        checkpoints: vec![checkpoint.clone()],
        ..ScoringCommit::default()
    };
    store.commit_scoring(&save, morning()).await.unwrap();
    let subject = store.scoring_subjects(&[id]).await.unwrap().remove(0);
    assert_eq!(
        (subject.profile.as_str(), subject.checkpoints, subject.fresh_after),
        ("washing-machine", vec![checkpoint], 0)
    );
    // The appliance changes hands.
    let mut site = site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(1), false).await.unwrap();
    store.commit_scoring(&save, after(2)).await.unwrap();
    let stale = store
        .commit_scoring(&seen(vec![alarm(id, "x", 0.99)]), after(2))
        .await
        .unwrap();
    assert!(stale.is_empty());
    assert_eq!(store.scoring_subjects(&[id]).await.unwrap()[0].checkpoints, []);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    store.commit_scoring(&save, after(3)).await.unwrap();
    assert_eq!(store.scoring_subjects(&[id]).await.unwrap()[0].checkpoints.len(), 1);
    assert!(findings(&*store).await.is_empty());
}

/// The worker tells fault events from readings by the lane.
pub(super) async fn rows_come_with_their_lane(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let id = appliance(&*store, "acme", "wm-1").await;
    let mut event = message(id, 1, 1, 1);
    event.identity = Identity::Sequence {
        boot: 1,
        lane: Lane::Events,
        first: 1,
    };
    let mut json = message(id, 1, 2, 1);
    json.identity = Identity::Content(vec![true]);
    let batch = [
        telemetry(id, 1, 1, 1),
        Ingest::Telemetry(event),
        Ingest::Telemetry(json),
    ];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1); 3]);
    let lanes: Vec<Lane> = store
        .unscored(10, None)
        .await
        .unwrap()
        .rows
        .iter()
        .map(|row| row.lane)
        .collect();
    assert_eq!(lanes, [Lane::Telemetry, Lane::Events, Lane::Telemetry]);
}

pub(super) async fn no_session_outlives_the_program(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let up = appliance(&*store, "acme", "wm-1").await;
    let gone = appliance(&*store, "acme", "wm-2").await;
    store
        .presence(&[
            presence(gone, false, "lost", after(2)),
            presence(up, true, "connected", after(1)),
            presence(ApplianceId(999), true, "connected", after(1)),
        ])
        .await
        .unwrap();
    let view = store.appliance(&hub_core::actor::Actor::hub("test"), up).await.unwrap();
    assert_eq!((view.online, view.presence_at), (true, Some(after(1))));
    store.all_offline("stopping", after(3)).await.unwrap();
    let all = hub_core::actor::Actor::hub("test");
    let view = store.appliance(&all, up).await.unwrap();
    assert_eq!(
        (view.online, view.presence_reason.as_str(), view.presence_at),
        (false, "stopping", Some(after(3)))
    );
    let view = store.appliance(&all, gone).await.unwrap();
    assert_eq!(
        (view.presence_reason.as_str(), view.presence_at),
        ("lost", Some(after(2)))
    );
}
