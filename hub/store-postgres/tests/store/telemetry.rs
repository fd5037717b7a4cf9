//! Readings: stored exactly once, in the order of commits, and one bad item holds nobody back.

use crate::support::{after, appliance, message, morning, played, presence, repeated, rolled_up, stored, telemetry};
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Identity, Lane, TelemetryMessage};
use hub_store::StoreError;
use hub_store::prediction::{Checkpoint, PredictionStore, ScoredUpTo, ScoringCommit};
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, Ingest, Ingested, QUARANTINE_PAYLOAD_MAX, Quarantined, TelemetryStore};

#[tokio::test]
async fn a_repeat_is_stored_once_however_it_comes() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
    let other = appliance(&store, "acme", "wm-2").await;
    let more = [telemetry(id, 1, 10, 6), telemetry(other, u64::MAX, 10, 6)];
    assert_eq!(store.ingest(&more).await.unwrap(), [stored(6), stored(6)]);
    assert_eq!(store.samples_stored().await.unwrap(), 21);
    rolled_up(&store).await;
    let view = store.appliance(&hub_store::Scope::All, id).await.unwrap();
    assert_eq!((view.samples, view.skew_ms), (15, Some(12)));
    assert_eq!(
        view.last_sample_at,
        Some(morning() + jiff::SignedDuration::from_secs(18))
    );
    assert_eq!(
        base.number("select count(*) from (select distinct appliance, boot, lane, seq from telemetry) d")
            .await,
        21
    );
}

#[tokio::test]
async fn what_is_older_than_the_bitmap_is_looked_up() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
    assert_eq!(
        base.number("select count(*) from (select distinct appliance, boot, lane, seq from telemetry) d")
            .await,
        11
    );
}

#[tokio::test]
async fn json_repeats_within_ten_minutes_are_refused() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let json = |minutes, byte: u8| {
        Ingest::Telemetry(TelemetryMessage {
            identity: Identity::Content(vec![[byte; 32]]),
            received_at: after(minutes),
            ..message(id, 0, 0, 1)
        })
    };
    let batch = [json(0, 1), json(0, 1), json(0, 2)];
    assert_eq!(store.ingest(&batch).await.unwrap(), [stored(1), repeated(1), stored(1)]);
    assert_eq!(store.ingest(&[json(9, 1)]).await.unwrap(), [repeated(1)]);
    assert_eq!(store.ingest(&[json(11, 1)]).await.unwrap(), [stored(1)]);
    assert_eq!(store.samples_stored().await.unwrap(), 3);
}

#[tokio::test]
async fn one_bad_item_holds_nobody_back() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
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
    assert_eq!(store.clock_offset(id, u64::MAX).await.unwrap(), Some(-5));
    assert_eq!(store.clock_offset(id, 3).await.unwrap(), None);
    let longest = base.number("select max(length(payload))::bigint from quarantine").await;
    assert_eq!(usize::try_from(longest).unwrap(), QUARANTINE_PAYLOAD_MAX);
    assert_eq!(
        store.appliance(&hub_store::Scope::All, id).await.unwrap().quarantined,
        1
    );
}

#[tokio::test]
async fn the_quarantine_of_a_tenant_is_bounded_and_counts_what_gave_way() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let one = Ingest::Quarantine(Quarantined {
        appliance: id,
        topic: "d/x/t".into(),
        payload: b"?".to_vec(),
        reason: "not CBOR".into(),
        received_at: morning(),
    });
    let batch = vec![one; 1_000];
    for _ in 0..21 {
        store.ingest(&batch).await.unwrap();
    }
    assert_eq!(base.number("select count(*) from quarantine").await, 20_000);
    assert_eq!(base.number("select min(number) from quarantine").await, 1_001);
    assert_eq!(
        base.number("select dropped from quarantine_tally where tenant = 'acme'")
            .await,
        1_000
    );
}

/// Several writers and a reader at once: numbers have no holes, rows appear in their order, nothing is read twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_read_for_scoring_once_and_in_the_order_of_commits() {
    let (base, store) = played().await;
    let store = std::sync::Arc::new(store);
    let ids = [
        appliance(&store, "acme", "wm-1").await,
        appliance(&store, "acme", "wm-2").await,
        appliance(&store, "beta", "wm-1").await,
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
        let rows = store.unscored(100, None).await.unwrap();
        if rows.is_empty() {
            store.telemetry_arrived(std::time::Duration::from_millis(200)).await;
            continue;
        }
        let mut offsets = std::collections::BTreeMap::new();
        for row in &rows {
            let before = last.insert(row.partition, row.ingest_no).unwrap_or(0);
            assert_eq!(row.ingest_no, before + 1, "partition {}", row.partition);
            assert_eq!(row.values[1..], [None, Some(-7)]);
            offsets.insert(row.partition, row.ingest_no);
        }
        read += rows.len();
        let offsets = offsets
            .into_iter()
            .map(|(partition, ingest_no)| ScoredUpTo { partition, ingest_no })
            .collect();
        let commit = ScoringCommit {
            offsets,
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, morning()).await.unwrap();
        let again = store.commit_scoring(&commit, morning()).await.unwrap_err();
        assert!(matches!(again, StoreError::Conflict(_)), "{again:?}");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(store.unscored(10, None).await.unwrap().is_empty());
    let last = "select sum(last)::bigint from (select max(ingest_no) as last from telemetry group by partition) p";
    assert_eq!(base.number(last).await, 1_440);
}

#[tokio::test]
async fn commands_wait_for_their_device() {
    let (_base, store) = played().await;
    let own = appliance(&store, "acme", "wm-1").await;
    let command = |request: &str| Command {
        number: 0,
        sent: false,
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
    let waiting = store.commands_waiting(own, morning()).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].request.as_str()), (31, "1"));
    assert!(store.commands_waiting(own, after(60)).await.unwrap().is_empty());
    let patience = std::time::Duration::from_secs(5);
    assert_eq!(store.command_queued(patience).await, [own]);
}

/// A detector that still runs on the old baseline after a repair neither saves its state nor raises anything.
#[tokio::test]
async fn a_checkpoint_comes_back_until_its_baseline_is_restarted() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let checkpoint = Checkpoint {
        appliance: id,
        model: "washing-machine/1".into(),
        state: vec![1, 2, 0, 255],
    };
    let save = ScoringCommit {
        checkpoints: vec![checkpoint.clone()],
        ..ScoringCommit::default()
    };
    store.commit_scoring(&save, morning()).await.unwrap();
    let subject = store.scoring_subjects(&[id]).await.unwrap().remove(0);
    assert_eq!(
        (subject.profile.as_str(), subject.checkpoint),
        ("washing-machine", Some(checkpoint))
    );
    // The appliance changes hands.
    let mut site = crate::support::site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(1), false).await.unwrap();
    store.commit_scoring(&save, after(2)).await.unwrap();
    let stale = store
        .commit_scoring(
            &crate::support::seen(vec![crate::support::alarm(id, "x", 0.99)]),
            after(2),
        )
        .await
        .unwrap();
    assert!(stale.is_empty());
    assert_eq!(store.scoring_subjects(&[id]).await.unwrap()[0].checkpoint, None);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert!(store.baselines_restarted().await.unwrap().is_empty());
    store.commit_scoring(&save, after(3)).await.unwrap();
    assert!(store.scoring_subjects(&[id]).await.unwrap()[0].checkpoint.is_some());
    assert_eq!(base.number("select count(*) from finding").await, 0);
}

/// The worker tells fault events from readings by the lane.
#[tokio::test]
async fn rows_come_with_their_lane() {
    let (_base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    let mut event = message(id, 1, 1, 1);
    event.identity = Identity::Sequence {
        boot: 1,
        lane: Lane::Events,
        first: 1,
    };
    let mut json = message(id, 1, 2, 1);
    json.identity = Identity::Content(vec![[7; 32]]);
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
        .iter()
        .map(|row| row.lane)
        .collect();
    assert_eq!(lanes, [Lane::Telemetry, Lane::Events, Lane::Telemetry]);
}

#[tokio::test]
async fn no_session_outlives_the_program() {
    let (_base, store) = played().await;
    let up = appliance(&store, "acme", "wm-1").await;
    let gone = appliance(&store, "acme", "wm-2").await;
    store
        .presence(&[
            presence(gone, false, "lost", after(2)),
            presence(up, true, "connected", after(1)),
            presence(ApplianceId(999), true, "connected", after(1)),
        ])
        .await
        .unwrap();
    let view = store.appliance(&hub_store::Scope::All, up).await.unwrap();
    assert_eq!((view.online, view.presence_at), (true, Some(after(1))));
    store.all_offline("stopping", after(3)).await.unwrap();
    let all = hub_store::Scope::All;
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

/// What the database will never take must not be tried again and again.
#[tokio::test]
async fn a_value_that_the_database_refuses_is_refused_for_good() {
    let (base, store) = played().await;
    let id = appliance(&store, "acme", "wm-1").await;
    sqlx::query("alter table telemetry add constraint never check (v[1] <> 13)")
        .execute(&mut base.sql().await)
        .await
        .unwrap();
    let refused = store.ingest(&[telemetry(id, 1, 13, 1)]).await;
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("23514")),
        "{refused:?}"
    );
    assert_eq!(store.ingest(&[telemetry(id, 1, 14, 1)]).await.unwrap(), [stored(1)]);
}
