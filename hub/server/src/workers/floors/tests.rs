//! The worker on a store in memory: what thirty fridges show, and when.

use super::*;
use hub_core::clock::ManualClock;
use hub_core::id::DeviceId;
use hub_core::watching::{WatchState, Watching};
use hub_predict::{Detector, Row, quantise_row};
use hub_store::budget::MonthScore;
use hub_store::floors::FloorStore;
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::prediction::{Checkpoint, PredictionStore, ScoringCommit};
use hub_store::site::SiteStore;
use jiff::Timestamp;
use std::path::Path;

/// Fridges of the maker that has a fleet, and of one that has none.
const FLEET: usize = 30;
const FEW: usize = 29;

struct World {
    store: Arc<MemoryStore>,
    registry: Arc<Registry>,
    clock: Arc<ManualClock>,
}

fn start() -> Timestamp {
    "2026-11-02T08:00:00Z".parse().unwrap()
}

/// What a detector holds of a fridge after 60 quiet days.
fn state(model: &Model, number: usize) -> Vec<u8> {
    let mut detector = Detector::new(model);
    let begin = start() - SignedDuration::from_hours(24 * 60);
    for n in 0..240_usize {
        let noise = ((n * 7_919 + number * 31_337) % 1_000) as f64 / 1_000.0 - 0.5;
        let values: Vec<Option<f64>> = model
            .profile()
            .channels
            .iter()
            .map(|channel| {
                let middle = f64::midpoint(channel.min, channel.max);
                Some(middle + 0.01 * (channel.max - channel.min) * noise)
            })
            .collect();
        let row = Row {
            at: begin + SignedDuration::from_hours(6 * i64::try_from(n).unwrap()),
            values: quantise_row(model.profile(), &values),
        };
        for pending in detector.prepare(model, &row) {
            detector.conclude(model, pending, None);
        }
    }
    detector.checkpoint()
}

impl World {
    /// Two fleets, and in the bigger one so many appliances with lower ids that nothing watches.
    async fn new(unwatched: usize) -> Self {
        // The profile alone: the family that is shipped for it is another.
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/profiles/fridge.toml");
        std::fs::copy(shipped, profiles.join("fridge.toml")).unwrap();
        let registry = Arc::new(Registry::load(folder.path()).unwrap());
        let model = registry.of(None, "fridge").unwrap().clone();
        let profile = ("fridge".to_owned(), model.profile().clone());
        let store = Arc::new(MemoryStore::new([profile].into(), 1));
        assert!(store.take_lease(start()).await.unwrap().is_some());
        let devices = |count: usize| -> Vec<_> {
            let device = |n| serde_json::json!({"id": format!("fr-{n}"), "profile": "fridge"});
            (0..count).map(device).collect()
        };
        let tenant = |id: &str, count| {
            serde_json::json!({"id": id, "brand": {"zh-CN": id, "en": id},
                "visit_price": {"currency": "CNY", "amount": 80}, "device": devices(count)})
        };
        let site = serde_json::json!({"tenant": [tenant("acme", unwatched + FLEET), tenant("beta", FEW)]});
        let site = serde_json::from_value(site).unwrap();
        store.apply_site(&site, start(), false).await.unwrap();
        let mut commit = ScoringCommit::default();
        for (of, unwatched, count) in [("acme", unwatched, FLEET), ("beta", 0, FEW)] {
            let tenant = TenantId::new(of).unwrap();
            let mut appliances = Vec::new();
            for n in 0..unwatched + count {
                let device = DeviceId::new(format!("fr-{n}")).unwrap();
                appliances.push(store.appliance_by_name(&tenant, &device).await.unwrap().id);
            }
            appliances.sort_unstable();
            for (n, appliance) in appliances.into_iter().skip(unwatched).enumerate() {
                commit.checkpoints.push(Checkpoint {
                    appliance,
                    model: model.version().to_owned(),
                    ingest_no: 1,
                    state: state(&model, n),
                });
                let told = Watching {
                    since: Some(start() - SignedDuration::from_hours(24 * 40)),
                    model: Some(model.version().to_owned()),
                    ..Watching::nothing(WatchState::Watched)
                };
                commit.watching.insert(appliance, told);
                commit.scores.push(MonthScore {
                    appliance,
                    family: model.family().to_owned(),
                    month: Month::at(start()),
                    score: 0.2,
                });
            }
        }
        store.commit_scoring(&commit, start()).await.unwrap();
        Self {
            store,
            registry,
            clock: Arc::new(ManualClock::new(start())),
        }
    }

    fn worker(&self) -> FloorWorker {
        let (_, registry) = watch::channel(self.registry.clone());
        FloorWorker::new(self.store.clone(), registry, self.clock.clone())
    }

    async fn floors(&self) -> Vec<FleetFloors> {
        self.store.floors_in_force().await.unwrap()
    }
}

#[tokio::test]
async fn a_fleet_shows_its_floors_once_a_month() {
    let world = World::new(0).await;
    let mut worker = world.worker();
    worker.round().await.unwrap();
    let first = world.floors().await;
    assert_eq!(first.len(), 1, "a fleet too small has none: {first:?}");
    let (fleet, learned) = (&first[0].fleet, &first[0]);
    assert_eq!((fleet.tenant.as_str(), fleet.profile.as_str()), ("acme", "fridge"));
    assert_eq!((learned.appliance_model.as_str(), learned.appliances), ("fridge", 30));
    assert_eq!(learned.month, Month::at(start()));
    assert!(!learned.floors.is_empty());

    // The same month, also for a worker that has just begun.
    worker.round().await.unwrap();
    world.worker().round().await.unwrap();
    assert_eq!(world.floors().await, first);

    // The fleet wandered more once: floors go towards what it shows now.
    let mut wide = first.clone();
    wide[0].floors.values_mut().for_each(|floor| *floor *= 5.0);
    world.store.save_floors(&wide, learned.month).await.unwrap();
    world.clock.advance(Duration::from_secs(30 * 86_400));
    worker.round().await.unwrap();
    let second = world.floors().await;
    assert_eq!(second[0].month, Month::at(start()).plus(1));
    for (feature, floor) in &second[0].floors {
        let before = wide[0].floors[feature];
        assert!(
            *floor < before && *floor > 0.79 * before,
            "{feature}: {floor} after {before}"
        );
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_asked_again() {
    let world = World::new(0).await;
    let mut worker = world.worker();
    let other = world.store.beside();
    assert!(world.store.floors_in_force().await.unwrap().is_empty());
    worker.store = Arc::new(other);
    assert!(
        worker.round().await.is_err(),
        "who does not hold the lease puts nothing in force"
    );
    assert!(world.floors().await.is_empty());
    worker.store = world.store.clone();
    worker.round().await.unwrap();
    assert_eq!(world.floors().await.len(), 1);
}

#[tokio::test]
async fn a_page_that_shows_nothing_does_not_end_a_fleet() {
    let world = World::new(WANDERED_MAX + 1).await;
    world.worker().round().await.unwrap();
    let floors = world.floors().await;
    assert_eq!(floors.iter().map(|one| one.appliances).collect::<Vec<_>>(), [30]);
}
