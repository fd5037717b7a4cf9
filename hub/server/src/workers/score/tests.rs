//! The worker on a store in memory: rows that cannot be scored.

mod firmware;
mod levels;
mod told;

use super::fake::{pumps, registry, row};
use super::noting::Noting;
use super::*;
use crate::workers::passed_over::Passed;
use hub_core::actor::Actor;
use hub_core::budget::Month;
use hub_core::clock::ManualClock;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::partition::partition;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_predict::RowRef;
use hub_store::floors::{Fleet, FleetFloors, FloorStore};
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::prediction::PredictionStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Ingest, TelemetryStore};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Readings of each pump that are scored before anything happens, and after that.
const BEFORE: usize = 40;
const ALL: usize = 60;
/// … and where a test needs more: until the first pump has lost flow and found it again.
const LONG: usize = 640;
/// The reading of the first pump that cannot be scored.
const BAD: i64 = 50;

/// Two pumps, each in a partition of its own.
struct World {
    registry: Arc<Registry>,
    store: Arc<MemoryStore>,
    ids: [ApplianceId; 2],
    partitions: [u8; 2],
    rows: Vec<StoredRow>,
}

/// Rows of a partition that end the thread: when a detector takes one, or when the network runs over a batch with one.
struct Ending {
    partition: u8,
    numbers: RangeInclusive<i64>,
    in_network: bool,
    suspect: Arc<Suspect>,
}

impl Ending {
    fn is_bad(&self, (partition, number): (u8, i64)) -> bool {
        partition == self.partition && self.numbers.contains(&number)
    }
}

impl Progress for Ending {
    fn begin(&self, row: RowRef) {
        self.suspect.begin(row);
        let is_bad = !self.in_network && self.is_bad(row.place);
        assert!(!is_bad, "no detector can take {:?}", row.place);
    }

    fn begin_all(&self, rows: &[RowRef]) {
        self.suspect.begin_all(rows);
        let is_bad = self.in_network && rows.iter().any(|row| self.is_bad(row.place));
        assert!(!is_bad, "no network can take {:?} of {}", self.numbers, self.partition);
    }

    fn end(&self) {
        self.suspect.end();
    }
}

/// What rounds have come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ran {
    failures: usize,
    /// Rounds in which rows were given again.
    again: usize,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_700_001_000).unwrap()
}

impl World {
    async fn new() -> Self {
        Self::with(ALL).await
    }

    /// So many readings of each pump are there to be sent.
    async fn with(seconds: usize) -> Self {
        let registry = registry();
        let profile = registry.get("pump-rig").unwrap().profile().clone();
        let store = Arc::new(MemoryStore::new([("pump-rig".to_owned(), profile)].into(), 1));
        assert!(store.take_lease(start()).await.unwrap().is_some());
        let tenant = TenantId::new("acme").unwrap();
        let named = |n: i64| DeviceId::new(format!("pump-{n}")).unwrap();
        let of = |n: i64| partition(&tenant, &named(n));
        let other = (2..1_000).find(|n| of(*n) != of(1)).unwrap();
        let device = |n: i64| serde_json::json!({"id": format!("pump-{n}"), "profile": "pump-rig"});
        let site = serde_json::from_value(serde_json::json!({"tenant": [{
            "id": "acme", "brand": {"zh-CN": "Acme", "en": "Acme"}, "visit_price": {"currency": "CNY", "amount": 80},
            "device": [device(1), device(other)],
        }]}))
        .unwrap();
        store.apply_site(&site, start(), false).await.unwrap();
        let first = store.appliance_by_name(&tenant, &named(1)).await.unwrap().id;
        let second = store.appliance_by_name(&tenant, &named(other)).await.unwrap().id;
        let world = Self {
            rows: pumps(&registry, 1..=2, i64::try_from(seconds).unwrap()),
            ids: [first, second],
            partitions: [of(1), of(other)],
            registry,
            store,
        };
        world.ingest(0, BEFORE).await;
        world
    }

    /// Readings of both pumps come, from one second to another.
    async fn ingest(&self, from: usize, to: usize) {
        let message = |row: &StoredRow| TelemetryMessage {
            appliance: self.ids[usize::try_from(row.appliance.0).unwrap() - 1],
            identity: Identity::Sequence {
                boot: 1,
                lane: Lane::Telemetry,
                first: u64::try_from(row.ingest_no).unwrap(),
            },
            samples: vec![Sample {
                at: row.at,
                values: row.values.clone(),
                extra: None,
            }],
            received_at: row.received_at,
            skew_ms: None,
            trace: row.trace,
        };
        let rows = self.rows[2 * from..2 * to].iter();
        let batch: Vec<Ingest> = rows.map(|row| Ingest::Telemetry(message(row))).collect();
        self.store.ingest(&batch).await.unwrap();
    }

    /// A worker that has just been started.
    fn worker(&self) -> ScoreWorker {
        let clock = Arc::new(ManualClock::new(start()));
        let store = self.store.clone();
        let (_, registry) = watch::channel(self.registry.clone());
        ScoreWorker::new(store, registry, clock, Scoring::default(), Arc::default())
    }

    fn bad(&self) -> (u8, i64) {
        (self.partitions[0], BAD)
    }

    /// A worker that has just been started, whose thread ends at the bad row.
    fn ending_worker(&self, in_network: bool) -> ScoreWorker {
        let (partition, number) = self.bad();
        let mut worker = self.worker();
        end_at(&mut worker, partition, number..=number, in_network);
        worker
    }

    /// A worker that has just been started, and the store that listens to it.
    fn noted_worker(&self, slow: Duration) -> (ScoreWorker, Arc<Noting>) {
        let store = Arc::new(Noting::new(self.store.clone(), slow));
        let mut worker = self.worker();
        worker.telemetry = store.clone();
        worker.predictions = store.clone();
        (worker, store)
    }

    /// How far scoring has come in both partitions, and up to where all is in checkpoints.
    async fn scored(&self) -> [(i64, i64); 2] {
        let offsets = self.store.scored_up_to().await.unwrap();
        self.partitions.map(|partition| {
            let offset = offsets.iter().find(|offset| offset.partition == partition);
            offset.map_or((0, 0), |offset| (offset.ingest_no, offset.kept_no))
        })
    }

    fn states(&self, worker: &ScoreWorker) -> [Vec<u8>; 2] {
        let watch = worker.watch.as_ref().unwrap();
        self.ids.map(|id| watch.state(id).unwrap())
    }

    /// What detectors hold that were given all but the bad row, by a worker to which nothing happened.
    async fn without_the_bad_row() -> [Vec<u8>; 2] {
        let world = Self::new().await;
        world.ingest(BEFORE, ALL).await;
        let mut worker = world.worker();
        let (partition, number) = world.bad();
        worker.left_out.add(&RowRef::of(&row(1, partition, number)));
        assert_eq!(run(&mut worker).await, Ran::default());
        world.states(&worker)
    }
}

/// The thread of this worker ends at rows of a partition from now on.
fn end_at(worker: &mut ScoreWorker, partition: u8, numbers: RangeInclusive<i64>, in_network: bool) {
    worker.progress = Arc::new(Ending {
        partition,
        numbers,
        in_network,
        suspect: worker.suspect.clone(),
    });
}

/// How much of this a worker has passed over.
fn passed(worker: &ScoreWorker, what: Passed) -> u64 {
    worker.figures.scoring_passed_over.count(what)
}

/// Rounds until nothing is left to do.
async fn run(worker: &mut ScoreWorker) -> Ran {
    let mut ran = Ran::default();
    for _ in 0..100 {
        match worker.round().await {
            Ok(Round::Idle) => return ran,
            Ok(Round::Scored { .. }) => {}
            Ok(Round::Repeated) => ran.again += 1,
            Err(error) => {
                ran.failures += 1;
                worker.fail(&error).await;
            }
        }
    }
    panic!("it comes to no end: {ran:?}");
}

/// Once for each life of the hub, whether it comes with new rows or with those that are read again.
#[tokio::test]
async fn a_row_that_cannot_be_scored_costs_one_reading_again() {
    let expected = World::without_the_bad_row().await;
    let world = World::new().await;
    let mut worker = world.ending_worker(false);
    assert_eq!(run(&mut worker).await, Ran::default());
    assert_eq!(world.scored().await, [(40, 0), (40, 0)]);
    world.ingest(BEFORE, ALL).await;
    // Both partitions are read again in one round.
    assert_eq!(run(&mut worker).await, Ran { failures: 1, again: 1 });
    assert_eq!(world.scored().await, [(60, 0), (60, 0)]);
    assert_eq!(world.states(&worker), expected);

    // The bad row lies in what is read again.
    let mut next = world.ending_worker(false);
    assert_eq!(run(&mut next).await, Ran { failures: 1, again: 1 });
    assert_eq!(world.scored().await, [(60, 0), (60, 0)]);
    assert_eq!(world.states(&next), expected);
}

/// Each of its first rows costs one reading again; then nothing of it is tried until the next start.
#[tokio::test]
async fn an_appliance_whose_every_row_ends_the_thread_is_left_out_and_the_others_alarm() {
    let world = World::with(LONG + 5).await;
    let end = |worker: &mut ScoreWorker| end_at(worker, world.partitions[1], 41..=i64::MAX, false);
    let mut worker = world.worker();
    end(&mut worker);
    assert_eq!(run(&mut worker).await, Ran::default());
    world.ingest(BEFORE, ALL).await;
    assert_eq!(run(&mut worker).await, Ran { failures: 3, again: 3 });
    // Of what no detector is given, nothing has to be read again.
    assert_eq!(world.scored().await, [(60, 0), (60, 60)]);
    let counted = |worker: &ScoreWorker| [Passed::Appliance, Passed::Row].map(|what| passed(worker, what));
    // Two rows alone, and with the third one all that is new.
    assert_eq!(counted(&worker), [1, 20]);

    world.ingest(ALL, LONG).await;
    assert_eq!(run(&mut worker).await, Ran::default());
    assert_eq!(world.scored().await.map(|(scored, _)| scored), [640, 640]);
    assert_eq!(counted(&worker), [1, 600]);
    let findings = world
        .store
        .findings(&Actor::hub("test"), None, 100)
        .await
        .unwrap()
        .items;
    let alarmed: BTreeSet<ApplianceId> = findings.iter().map(|finding| finding.appliance).collect();
    assert_eq!(alarmed, BTreeSet::from([world.ids[0]]));

    // The next life tries it again, and no more often than that.
    world.ingest(LONG, LONG + 5).await;
    let mut next = world.worker();
    end(&mut next);
    assert_eq!(run(&mut next).await.failures, 3);
    assert_eq!(passed(&next, Passed::Appliance), 1);
}

/// Where windows of several rows are worked on at once, it is not known at first which one it was.
#[tokio::test]
async fn a_window_that_ends_the_network_costs_two_readings_again() {
    let expected = World::without_the_bad_row().await;
    let world = World::new().await;
    let mut worker = world.ending_worker(true);
    assert_eq!(run(&mut worker).await, Ran::default());
    world.ingest(BEFORE, ALL).await;
    // One partition after the other, twice.
    assert_eq!(run(&mut worker).await, Ran { failures: 2, again: 4 });
    assert_eq!(world.scored().await, [(60, 0), (60, 0)]);
    assert_eq!(world.states(&worker), expected);
    assert!(!worker.is_careful());

    let mut next = world.ending_worker(true);
    let ran = run(&mut next).await;
    assert!(ran.failures == 2 && (2..=3).contains(&ran.again), "{ran:?}");
    assert_eq!(world.states(&next), expected);
}

/// Where no row is known that it comes from, the partition is known in the end, and the others are read again.
#[tokio::test]
async fn what_cannot_be_read_again_is_skipped_partition_by_partition() {
    let world = World::new().await;
    let mut worker = world.worker();
    run(&mut worker).await;
    let stretch = |partition| Stretch {
        partition,
        after: 0,
        up_to: 40,
        received_at: Timestamp::UNIX_EPOCH,
    };
    let refused = || ScoringError::Store(StoreError::Refused("for a test".to_owned()));
    let mut next = world.worker();
    next.repeating = world.partitions.map(stretch).to_vec();
    next.fail(&refused()).await;
    assert!(next.is_careful());
    assert_eq!(world.scored().await, [(40, 0), (40, 0)]);
    next.repeating = vec![stretch(world.partitions[0])];
    next.fail(&refused()).await;
    assert_eq!(world.scored().await, [(40, 40), (40, 0)]);
    assert_eq!(passed(&next, Passed::Stretch), 1);
    assert_eq!(run(&mut next).await, Ran { failures: 0, again: 1 });
    // A store that is away is no reason to give anything up.
    next.repeating = vec![stretch(world.partitions[1])];
    let away = std::io::Error::other("for a test");
    next.fail(&ScoringError::Store(StoreError::Unavailable(Box::new(away))))
        .await;
    assert!(next.watch.is_some());
    assert_eq!(world.scored().await, [(40, 40), (40, 0)]);
}

/// The seam by which models are replaced while the hub runs.
#[tokio::test]
async fn a_round_takes_the_models_that_are_served_then() {
    let world = World::new().await;
    let mut worker = world.worker();
    let (models, served) = watch::channel(world.registry.clone());
    worker.registry = served;
    assert_eq!(run(&mut worker).await, Ran::default());
    let before = world.states(&worker);

    // The same model, loaded again: what is in no checkpoint is given to its detectors again.
    models.send_replace(registry());
    assert_eq!(run(&mut worker).await, Ran { failures: 0, again: 1 });
    assert_eq!(world.states(&worker), before);

    // No model watches pumps any more.
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/washing-machine");
    models.send_replace(Arc::new(Registry::load(&folder).unwrap()));
    world.ingest(BEFORE, ALL).await;
    assert_eq!(run(&mut worker).await.failures, 0);
    assert!(
        world
            .ids
            .iter()
            .all(|id| worker.watch.as_ref().unwrap().state(*id).is_none())
    );
}

/// Floors follow a fleet while the hub runs: detectors go on from their checkpoints, and a restart comes to the same.
#[tokio::test]
async fn other_floors_begin_no_baseline_again() {
    let world = World::new().await;
    let mut worker = world.worker();
    assert_eq!(run(&mut worker).await, Ran::default());
    let before = world.states(&worker);
    let floors = FleetFloors {
        fleet: Fleet {
            tenant: TenantId::new("acme").unwrap(),
            model: "generic/1".to_owned(),
            profile: "fridge".to_owned(),
        },
        appliance_model: "fridge".to_owned(),
        month: Month::at(start()),
        floors: [("power_w".to_owned(), 0.1)].into(),
        appliances: 30,
    };
    world.store.save_floors(&[floors], Month::at(start())).await.unwrap();
    // Not with every round.
    assert_eq!(run(&mut worker).await, Ran::default());
    worker.floors.asked_at = None;
    assert_eq!(run(&mut worker).await, Ran { failures: 0, again: 1 });
    assert_eq!(world.states(&worker), before);
    worker.floors.asked_at = None;
    assert_eq!(run(&mut worker).await, Ran::default(), "the same floors");
}
