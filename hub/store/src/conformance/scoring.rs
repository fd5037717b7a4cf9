//! How far scoring has come, and what is read again after a restart.

use super::Harness;
use super::scene::{after, appliance, message, morning, played, site, telemetry, tenant};
use crate::floors::{Fleet, FleetFloors};
use crate::prediction::{Checkpoint, SAVED_MAX, SavedDetector, SavedDetectors, ScoredUpTo, ScoringCommit, Stretch};
use crate::telemetry::{Ingest, StoredRow};
use crate::{Store, StoreError};
use hub_core::actor::Actor;
use hub_core::budget::Month;
use hub_core::id::ApplianceId;
use hub_core::watching::{Unjudged, WatchState, Watching};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const WIDE: usize = 1_000;

/// Three rounds of readings of three appliances, one of each round measured two days before it came.
async fn some_rows(store: &dyn Store) -> Vec<ApplianceId> {
    let mut ids = Vec::new();
    for (tenant, device) in [("acme", "wm-1"), ("acme", "wm-2"), ("beta", "wm-1")] {
        ids.push(appliance(store, tenant, device).await);
    }
    for round in 0..3 {
        let mut batch: Vec<Ingest> = ids.iter().map(|id| telemetry(*id, 1, round * 4, 4)).collect();
        let mut late = message(ids[0], 2, round, 1);
        late.samples[0].at -= SignedDuration::from_hours(48);
        batch.push(Ingest::Telemetry(late));
        store.ingest(&batch).await.unwrap();
    }
    ids
}

fn moved(offsets: Vec<ScoredUpTo>) -> ScoringCommit {
    ScoringCommit {
        offsets,
        ..ScoringCommit::default()
    }
}

/// All that a restart reads again.
fn stretches(offsets: &[ScoredUpTo]) -> Vec<Stretch> {
    let behind = offsets.iter().filter(|offset| offset.kept_no < offset.ingest_no);
    behind
        .map(|offset| Stretch {
            partition: offset.partition,
            after: offset.kept_no,
            up_to: offset.ingest_no,
            received_at: offset.kept_received_at,
        })
        .collect()
}

pub(super) async fn what_is_in_no_checkpoint_is_read_again_after_a_restart(h: &dyn Harness) {
    let (place, store) = played(h).await;
    some_rows(&*store).await;
    let rows = store.unscored(WIDE, None).await.unwrap().rows;
    assert_eq!(rows.len(), 3 * (3 * 4 + 1));
    // Of each partition the newest five rows are in no checkpoint.
    let mut offsets = ScoredUpTo::reach(&rows);
    offsets.iter_mut().for_each(|offset| offset.kept_no -= 5);
    store.commit_scoring(&moved(offsets.clone()), morning()).await.unwrap();
    drop(store);

    let store = place.hub().await;
    assert!(store.unscored(WIDE, None).await.unwrap().rows.is_empty());
    let known = store.scored_up_to().await.unwrap();
    assert_eq!(known.len(), 256);
    let behind = stretches(&known);
    assert_eq!(behind.len(), offsets.len());
    let kept = |row: &StoredRow| {
        offsets
            .iter()
            .any(|o| o.partition == row.partition && o.kept_no >= row.ingest_no)
    };
    let wanted: Vec<StoredRow> = rows.iter().filter(|row| !kept(row)).cloned().collect();
    let again = store.scored_rows(&behind, None).await.unwrap();
    assert_eq!(again, wanted);
    assert!(
        again.iter().any(|row| row.at < morning()),
        "what came late is among them"
    );
    // In parts, and only what is watched.
    let (mut first, mut second) = (behind.clone(), behind.clone());
    first.iter_mut().for_each(|stretch| stretch.up_to -= 3);
    second.iter_mut().for_each(|stretch| stretch.after += 2);
    let families = ["washing-machine".to_owned()];
    let mut parts = store.scored_rows(&first, Some(&families)).await.unwrap();
    parts.extend(store.scored_rows(&second, None).await.unwrap());
    parts.sort_by_key(|row| (row.partition, row.ingest_no));
    assert_eq!(parts, wanted);
    let others = ["dryer".to_owned()];
    assert!(store.scored_rows(&behind, Some(&others)).await.unwrap().is_empty());
    assert!(store.scored_rows(&[], None).await.unwrap().is_empty());

    // Saved later, without a new row; and once.
    offsets.iter_mut().for_each(|offset| offset.kept_no = offset.ingest_no);
    store.commit_scoring(&moved(offsets.clone()), morning()).await.unwrap();
    assert!(stretches(&store.scored_up_to().await.unwrap()).is_empty());
    let twice = store
        .commit_scoring(&moved(offsets.clone()), morning())
        .await
        .unwrap_err();
    assert!(matches!(twice, StoreError::Conflict(_)), "{twice:?}");
    // Never back: a row that is passed over says nothing of those before it.
    store.ingest(&[telemetry(rows[0].appliance, 9, 0, 1)]).await.unwrap();
    let mut next = ScoredUpTo::reach(&store.unscored(WIDE, None).await.unwrap().rows);
    next[0].kept_no = 0;
    store.commit_scoring(&moved(next.clone()), morning()).await.unwrap();
    let left = stretches(&store.scored_up_to().await.unwrap());
    assert_eq!(
        (left.len(), left[0].after, left[0].up_to),
        (1, next[0].ingest_no - 1, next[0].ingest_no)
    );
}

pub(super) async fn a_model_keeps_its_own_checkpoint_and_a_new_baseline_none(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let ids = some_rows(&*store).await;
    let rows = store.unscored(WIDE, None).await.unwrap().rows;
    let checkpoint = |model: &str, ingest_no: i64| Checkpoint {
        appliance: ids[0],
        model: model.to_owned(),
        ingest_no,
        state: vec![7; 3_000],
    };
    let save = |checkpoints: Vec<Checkpoint>| ScoringCommit {
        checkpoints,
        ..ScoringCommit::default()
    };
    let mut first = save(vec![
        checkpoint("washing-machine/2", 3),
        checkpoint("washing-machine/1", 2),
    ]);
    first.offsets = ScoredUpTo::reach(&rows);
    store.commit_scoring(&first, morning()).await.unwrap();
    let newer = checkpoint("washing-machine/2", 5);
    store
        .commit_scoring(&save(vec![newer.clone()]), morning())
        .await
        .unwrap();
    let subject = async || store.scoring_subjects(&ids).await.unwrap().remove(0);
    let both = vec![checkpoint("washing-machine/1", 2), newer.clone()];
    assert_eq!((subject().await.checkpoints, subject().await.fresh_after), (both, 0));

    // The appliance changes hands.
    let mut site = site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(1), false).await.unwrap();
    let other = Checkpoint {
        appliance: ids[1],
        ..newer.clone()
    };
    store.commit_scoring(&save(vec![newer, other]), after(2)).await.unwrap();
    assert_eq!(subject().await.checkpoints, []);
    assert_eq!(store.baselines_restarted().await.unwrap(), [ids[0]]);
    let last = rows.iter().rfind(|row| row.appliance == ids[0]).unwrap();
    let scored = store.scored_up_to().await.unwrap()[usize::from(last.partition)];
    let told = subject().await;
    assert_eq!((told.checkpoints, told.fresh_after), (vec![], scored.ingest_no));
    assert_eq!(
        store.scoring_subjects(&ids[1..2]).await.unwrap()[0].checkpoints.len(),
        1
    );
    // The new baseline is saved beside that.
    store
        .commit_scoring(&save(vec![checkpoint("washing-machine/2", 90)]), after(3))
        .await
        .unwrap();
    let told = subject().await;
    assert_eq!((told.checkpoints.len(), told.fresh_after), (1, scored.ingest_no));
}

pub(super) async fn what_detectors_have_saved_is_shown_with_its_time_until_the_baseline_is_restarted(h: &dyn Harness) {
    let (_place, store) = played(h).await;
    let (id, other) = (
        appliance(&*store, "acme", "wm-1").await,
        appliance(&*store, "acme", "wm-2").await,
    );
    let (hub, beta) = (Actor::hub("test"), Actor::hub("test").within(Some(tenant("beta"))));
    let saved = async || store.saved_detectors(&hub, id).await.unwrap();
    let nothing = SavedDetectors {
        profile: "washing-machine".to_owned(),
        model: None,
        restarted: false,
        states: Vec::new(),
        floors: BTreeMap::new(),
    };
    assert_eq!(saved().await, nothing);
    let save = async |of: ApplianceId, model: &str, state: u8, now: Timestamp| {
        let checkpoint = Checkpoint {
            appliance: of,
            model: model.to_owned(),
            ingest_no: 1,
            state: vec![state; 3_000],
        };
        let commit = ScoringCommit {
            checkpoints: vec![checkpoint],
            ..ScoringCommit::default()
        };
        store.commit_scoring(&commit, now).await.unwrap();
    };
    save(id, "washing-machine/2", 1, morning()).await;
    save(other, "washing-machine/2", 9, morning()).await;
    save(id, "washing-machine/1", 2, after(1)).await;
    save(id, "washing-machine/2", 3, after(2)).await;
    let state = |model: &str, state: u8, saved_at: Timestamp| SavedDetector {
        model: model.to_owned(),
        state: vec![state; 3_000],
        saved_at,
    };
    let states = vec![
        state("washing-machine/2", 3, after(2)),
        state("washing-machine/1", 2, after(1)),
    ];
    let known = SavedDetectors {
        states,
        ..nothing.clone()
    };
    assert_eq!(saved().await, known);
    let floors = |of: &str, model: &str, appliance_model: &str, floor: f64| FleetFloors {
        fleet: Fleet {
            tenant: tenant(of),
            model: model.to_owned(),
            profile: "washing-machine".to_owned(),
        },
        appliance_model: appliance_model.to_owned(),
        month: Month::of(date(2026, 1, 1)),
        floors: BTreeMap::from([("pump".to_owned(), floor)]),
        appliances: 40,
    };
    let mut in_force = vec![
        floors("acme", "washing-machine/2", "washing-machine", 0.25),
        floors("acme", "washing-machine/2", "W7", 0.5),
        floors("beta", "washing-machine/2", "washing-machine", 0.75),
    ];
    // Versions before it by name, none of which has saved anything, are not what is asked for, however many there are.
    let others = (0..SAVED_MAX).map(|version| format!("washing-machine/1{version:02}"));
    in_force.extend(others.map(|other| floors("acme", &other, "washing-machine", 1.0)));
    store.save_floors(&in_force, Month::of(date(2026, 1, 1))).await.unwrap();
    let own = BTreeMap::from([("washing-machine/2".to_owned(), in_force[0].floors.clone())]);
    let known = SavedDetectors {
        floors: own.clone(),
        ..known
    };
    assert_eq!(
        saved().await,
        known,
        "neither another appliance model's nor another tenant's"
    );
    let hidden = store.saved_detectors(&beta, id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");

    // The appliance changes hands: what was saved counts no more, from that moment and when it was told.
    let mut site = site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(3), false).await.unwrap();
    let restarted = SavedDetectors {
        restarted: true,
        ..nothing
    };
    assert_eq!(saved().await, restarted);
    assert_eq!(store.baselines_restarted().await.unwrap(), [id]);
    assert_eq!(saved().await, restarted);
    save(id, "washing-machine/2", 4, after(4)).await;
    let again = SavedDetectors {
        states: vec![state("washing-machine/2", 4, after(4))],
        floors: own,
        ..restarted
    };
    assert_eq!(saved().await, again);
    for version in 0..20 {
        save(id, &format!("washing-machine/1{version:02}"), 5, after(5)).await;
    }
    assert_eq!(saved().await.states.len(), SAVED_MAX);
}

pub(super) async fn what_is_told_of_an_appliance_is_shown_until_something_else_is(h: &dyn Harness) {
    let (place, store) = played(h).await;
    let ids = some_rows(&*store).await;
    let hub = Actor::hub("test");
    let shown = async |store: &dyn Store, id| store.appliance(&hub, id).await.unwrap().watching;
    assert_eq!(shown(&*store, ids[0]).await, None);
    let calibrating = Watching {
        since: Some(after(1)),
        calibrated: 4,
        calibration: 42,
        unjudged: [(Unjudged::Repeated, 3)].into(),
        ..Watching::nothing(WatchState::Calibrating)
    };
    let tell = |told: [(ApplianceId, Watching); 2], offsets| ScoringCommit {
        offsets,
        watching: told.into(),
        ..ScoringCommit::default()
    };
    // Beside offsets alone, and with nothing else.
    let rows = store.unscored(WIDE, None).await.unwrap().rows;
    let other = Watching::nothing(WatchState::TooSeldom);
    let both = tell(
        [(ids[0], calibrating.clone()), (ids[1], other.clone())],
        ScoredUpTo::reach(&rows),
    );
    assert!(store.commit_scoring(&both, morning()).await.unwrap().is_empty());
    let watched = Watching {
        calibrated: 42,
        ..Watching::nothing(WatchState::Watched)
    };
    let later = tell([(ids[1], watched.clone()), (ids[2], other.clone())], Vec::new());
    store.commit_scoring(&later, morning()).await.unwrap();
    drop(store);

    let store = place.hub().await;
    assert_eq!(shown(&*store, ids[0]).await, Some(calibrating));
    assert_eq!(shown(&*store, ids[1]).await, Some(watched));
    assert_eq!(shown(&*store, ids[2]).await, Some(other));
    let listed = store.appliances(&hub, None, WIDE).await.unwrap().items;
    assert_eq!(listed.iter().filter(|view| view.watching.is_some()).count(), 3);
    for view in listed {
        assert_eq!(view.watching, shown(&*store, view.id).await, "{}", view.device);
    }

    // The appliance changes hands: what was told is of the baseline before.
    let mut site = site();
    site.tenants[0].devices[0].owner = Some("wang".into());
    store.apply_site(&site, after(1), false).await.unwrap();
    assert_eq!(store.baselines_restarted().await.unwrap(), [ids[0]]);
    assert_eq!(shown(&*store, ids[0]).await, None);
    assert!(shown(&*store, ids[1]).await.is_some());
}
