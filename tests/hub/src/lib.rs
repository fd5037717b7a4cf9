//! A hub as a user runs it, for tests: the real program as a process of its own, with its own database in a directory
//! of its own, killed with -9 and started again at will.

pub mod approval;
pub mod bare;
pub mod bed;
pub mod calls;
pub mod clients;
pub mod clock;
pub mod console;
pub mod database;
pub mod fleet;
pub mod given;
pub mod hub;
pub mod payloads;
pub mod ports;
pub mod processes;
pub mod rig;
pub mod sipp;
pub mod site;
pub mod soak;
pub mod terminal;
pub mod watch;

use std::future::Future;
use std::time::{Duration, Instant};

/// Waits until `check` gives a value, for at most `patience`; panics with `what` otherwise. Never assert on a sleep.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    patience: Duration,
    mut check: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
