//! An honest device that sends one reading after the other and times each acknowledgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests_hub::eventually;
use tests_hub::fleet::{log_in, recent};
use tests_hub::hub::Lab;
use tests_hub::payloads::message;
use tokio::task::JoinHandle;

/// Longest wait of an honest device for an acknowledgement while others attack: far above what it takes (milliseconds),
/// far below what a client's own patience is, and met on a machine that builds something else meanwhile.
const LATENCY_MAX: Duration = Duration::from_secs(3);
/// Between an acknowledgement and the next reading.
const PAUSE: Duration = Duration::from_millis(10);

/// See the module.
pub struct Probe {
    acknowledged: Arc<AtomicU64>,
    worst: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    run: JoinHandle<u64>,
}

impl Probe {
    /// Starts as device `acme/{device}`, on one connection that must last.
    pub async fn start(lab: &Lab, device: &str) -> Self {
        let mut connection = log_in(lab.mqtt, device).await.unwrap();
        let topic = format!("d/{device}/t");
        let acknowledged = Arc::new(AtomicU64::new(0));
        let worst = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (counted, slowest, stopped) = (acknowledged.clone(), worst.clone(), stop.clone());
        let run = tokio::spawn(async move {
            let t0_ms = recent().as_millisecond() - 3_600_000;
            let mut seq = 0;
            while !stopped.load(Ordering::Relaxed) {
                let reading = message(1, seq, t0_ms + seq as i64, 1);
                let begun = Instant::now();
                connection.publish_all(&[(&topic, &reading)], 1).await.unwrap();
                let took = begun.elapsed();
                slowest.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
                seq += 1;
                counted.store(seq, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            seq
        });
        Self {
            acknowledged,
            worst,
            stop,
            run,
        }
    }

    /// It is served now, and since the last look no acknowledgement took longer than the bound.
    pub async fn is_served(&self, during: &str) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        eventually(
            &format!("the honest device is served: {during}"),
            LATENCY_MAX,
            async || (self.acknowledged.load(Ordering::Relaxed) > before + 1).then_some(()),
        )
        .await;
        let worst = Duration::from_micros(self.worst.swap(0, Ordering::Relaxed));
        assert!(
            worst <= LATENCY_MAX,
            "{during}: an acknowledgement took {worst:?}, more than {LATENCY_MAX:?}"
        );
        eprintln!("{during}: slowest acknowledgement of the honest device {worst:?}");
    }

    /// How many readings were acknowledged.
    pub async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.run.await.unwrap()
    }
}
