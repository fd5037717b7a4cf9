//! Lines about refusals: every one is counted, and each reason is logged a few times a second; what goes beyond that comes
//! as one line with the number, so that an attack fills no disk.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Lines of one reason in one second.
const LINES_MAX: u64 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// Whom a line is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) tenant: Option<&'a str>,
    /// Device, integrator or claim credential.
    pub(crate) name: Option<&'a str>,
    pub(crate) peer: Option<SocketAddr>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    seen: u64,
}

/// By reason's label: a small fixed set.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<&'static str, Window>>);

impl Refusals {
    /// Logs, or counts for the line that says how many were not.
    pub(crate) fn note(&self, label: &'static str, about: About<'_>, reason: &dyn Display) {
        if !self.shows(label, Instant::now()) {
            return;
        }
        let About { tenant, name, peer } = about;
        let peer = peer.map(tracing::field::display);
        tracing::warn!(tenant, name, peer, label, %reason, "refused");
    }

    /// Tells about what was not logged, for ever.
    pub(crate) async fn tell(&self) {
        loop {
            sleep(WINDOW).await;
            for (label, more) in self.over(Instant::now()) {
                tracing::warn!(label, more, "refused besides");
            }
        }
    }

    fn shows(&self, label: &'static str, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(label).or_insert(Window { since: now, seen: 0 });
        window.seen += 1;
        window.seen <= LINES_MAX
    }

    /// Closes the windows that are over; gives what each did not show.
    fn over(&self, now: Instant) -> Vec<(&'static str, u64)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hidden = Vec::new();
        windows.retain(|label, window| {
            let open = now.duration_since(window.since) < WINDOW;
            if !open && window.seen > LINES_MAX {
                hidden.push((*label, window.seen - LINES_MAX));
            }
            open
        });
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_fills_no_log() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let shown = (0..5_000).filter(|_| refusals.shows("refused", start)).count();
        assert_eq!(shown, 10);
        assert!(refusals.shows("oversize", start), "each reason has its own lines");
        assert!(refusals.over(start).is_empty(), "not yet");
        assert_eq!(refusals.over(start + WINDOW), [("refused", 4_990)]);
        assert!(refusals.shows("refused", start + WINDOW));
        assert!(refusals.over(start + WINDOW * 3).is_empty(), "nothing was hidden");
    }
}
