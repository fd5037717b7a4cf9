//! Whether rumqttd's router still works: it has no other way to tell.

use super::RouterFailure;
use rumqttd::Notification;
use rumqttd::local::LinkRx;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Where the probe is published; no slot has this name.
pub(super) const TOPIC: &str = "probe";
pub(super) const PAYLOAD: &[u8] = b"probe";

/// Counts the probes that come back.
pub(super) async fn listen(mut link: LinkRx, echoes: Arc<AtomicU64>) {
    loop {
        match link.next().await {
            Ok(Some(Notification::Forward(_))) => drop(echoes.fetch_add(1, Ordering::Relaxed)),
            Ok(Some(Notification::Unschedule)) => {
                if link.wake().await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Declares the router failed when no probe has come back for `patience`. It counts its own turns, not the time between
/// them: after a pause of the whole machine the router gets a turn before it is judged.
pub(super) async fn watch(
    echoes: Arc<AtomicU64>,
    every: Duration,
    patience: Duration,
    failure: watch::Sender<Option<RouterFailure>>,
    ended: CancellationToken,
) {
    let turns_max = (patience.as_secs_f64() / every.as_secs_f64()).ceil();
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut silent) = (0, 0.0);
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            _ = turns.tick() => {}
        }
        let now = echoes.load(Ordering::Relaxed);
        silent = if now == seen { silent + 1.0 } else { 0.0 };
        seen = now;
        if silent > turns_max {
            fail(&failure, RouterFailure::Silent { patience });
            return;
        }
    }
}

/// The first failure stands.
pub(super) fn fail(failure: &watch::Sender<Option<RouterFailure>>, with: RouterFailure) {
    failure.send_if_modified(|failed| {
        let first = failed.is_none();
        failed.get_or_insert(with);
        first
    });
}
