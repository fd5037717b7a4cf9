//! However often readings come, a worker that follows them does no more rounds than its pause allows, which lies between the
//! starts of two rounds of the scorer. Of the roll-up, its own test says so.

use super::Figures;
use super::follow::Follower;
use super::maintain::{self, Upkeep};
use super::score::ScoreWorker;
use crate::config::Scoring;
use hub_core::clock::CivilClock;
use hub_core::id::ApplianceId;
use hub_predict::Registry;
use hub_store::conformance::scene::{appliance, morning, profiles, site, take_lease, telemetry};
use hub_store::memory::MemoryStore;
use hub_store::retention::TURNS;
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_millis(100);
/// Batches, and the time between two of them: many in each pause.
const BATCHES: u64 = 100;
const BETWEEN: Duration = Duration::from_millis(10);

async fn stored() -> (Arc<MemoryStore>, ApplianceId) {
    let store = Arc::new(MemoryStore::new(profiles(), 1));
    take_lease(&*store).await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&*store, "acme", "wm-1").await;
    (store, id)
}

async fn trickle(store: &MemoryStore, id: ApplianceId) {
    for number in 0..BATCHES {
        store.ingest(&[telemetry(id, 1, number, 1)]).await.unwrap();
        sleep(BETWEEN).await;
    }
}

/// How many rounds fit into the time since, the first and the last included.
fn most(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis() / PAUSE.as_millis()).unwrap() + 2
}

/// A clock that stands still and counts how often it is asked.
#[derive(Default)]
struct Asked(AtomicU64);

impl CivilClock for Asked {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(1, Ordering::SeqCst);
        morning()
    }
}

#[tokio::test]
async fn rounds_of_the_scorer_are_a_pause_apart() {
    let (store, id) = stored().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/pump-rig");
    let (_, registry) = watch::channel(Arc::new(Registry::load(&folder).unwrap()));
    let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap();
    let pace = Scoring {
        pause_ms,
        lag_ms: pause_ms,
    };
    let (clock, stop, begun) = (Arc::new(Asked::default()), CancellationToken::new(), Instant::now());
    let figures = Arc::new(Figures::default());
    let worker = ScoreWorker::new(store.clone(), registry, clock.clone(), pace, figures);
    let worker = tokio::spawn(worker.run(stop.clone()));
    trickle(&store, id).await;
    stop.cancel();
    worker.await.unwrap();
    // A round looks at the clock once, and twice more to save what it has scored and to say how long that took.
    let (asked, most) = (clock.0.load(Ordering::SeqCst), 3 * most(begun));
    assert!(
        (4..=most).contains(&asked),
        "{asked} looks at the clock where {most} fit"
    );
}

#[tokio::test]
async fn rounds_of_the_aggregates_are_a_pause_apart() {
    let (store, id) = stored().await;
    let (follower, stop, begun) = (Arc::new(Follower::default()), CancellationToken::new(), Instant::now());
    let clock: Arc<dyn CivilClock> = Arc::new(Asked::default());
    let upkeep = Arc::new(Upkeep::default());
    let witnesses = Arc::default();
    let worker = maintain::run(
        store.clone(),
        clock,
        upkeep,
        witnesses,
        follower.clone(),
        // Between two rounds of an appliance's turn.
        PAUSE * u32::from(TURNS),
        stop.clone(),
    );
    let worker = tokio::spawn(worker);
    trickle(&store, id).await;
    stop.cancel();
    worker.await.unwrap();
    let (rounds, most) = (follower.rounds(), most(begun));
    assert!((2..=most).contains(&rounds), "{rounds} rounds where {most} fit");
}
