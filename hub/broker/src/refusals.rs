//! Lines about refusals: every one is counted, and each reason is logged a few times a second; what goes beyond that comes
//! as one line with the number, so that an attack fills no disk.

use hub_core::lines::{Lines, Shown, WINDOW};
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use tokio::time::{Instant, sleep};

/// Whom a line is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About<'a> {
    pub(crate) tenant: Option<&'a str>,
    /// Device, integrator or claim credential.
    pub(crate) name: Option<&'a str>,
    pub(crate) peer: Option<SocketAddr>,
}

/// By reason's label: a small fixed set.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Lines);

impl Refusals {
    /// Logs, or counts for the line that says how many were not.
    pub(crate) fn note(&self, label: &'static str, about: About<'_>, reason: &dyn Display) {
        if !self.shows(label, Instant::now()) {
            return;
        }
        let About { tenant, name, peer } = about;
        let peer = peer.map(tracing::field::display);
        let reason = reason.to_string();
        let reason = Shown(&reason);
        tracing::warn!(tenant, name, peer, label, %reason, "refused");
    }

    /// The same for a connection that the system did not give.
    pub(crate) fn note_not_accepted(&self, error: &io::Error) {
        if self.shows("accept", Instant::now()) {
            tracing::warn!(%error, "connection not accepted");
        }
    }

    /// Tells about what was not logged, without end.
    pub(crate) async fn tell(&self) {
        loop {
            sleep(WINDOW).await;
            for (label, more) in self.over(Instant::now()) {
                tracing::warn!(label, more, "more of the same refusals, not written");
            }
        }
    }

    fn shows(&self, label: &'static str, now: Instant) -> bool {
        self.0.shows(label, now.into_std())
    }

    fn over(&self, now: Instant) -> Vec<(&'static str, u64)> {
        self.0.over(now.into_std())
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
