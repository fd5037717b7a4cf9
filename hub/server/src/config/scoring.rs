//! The table `[scoring]`: how soon readings are scored, and what that may cost.

use anyhow::{Result, ensure};
use serde::Deserialize;
use std::time::Duration;

/// Pace of the scorer. A look costs some statements, however few readings it finds; so a trickle is gathered for a moment, and
/// a flood is taken in rounds of thousands.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scoring {
    /// Least time from the start of a round to the start of the next, unless more waits than one takes; in milliseconds, 1 to
    /// 1,000. A reading is scored and saved within this, or the round under way where that takes longer, and a round of
    /// some 15 ms.
    pub pause_ms: u64,
    /// For so long, at most, a round is put off while devices wait for their acknowledgements; in milliseconds, from
    /// `pause_ms` to 60,000.
    pub lag_ms: u64,
}

impl Default for Scoring {
    fn default() -> Self {
        Self {
            pause_ms: 50,
            lag_ms: 1_000,
        }
    }
}

impl Scoring {
    /// The least time between the starts of two rounds.
    pub fn pause(self) -> Duration {
        Duration::from_millis(self.pause_ms)
    }

    /// The longest that a round is put off.
    pub fn lag(self) -> Duration {
        Duration::from_millis(self.lag_ms)
    }

    pub(super) fn check(self) -> Result<()> {
        ensure!(
            (1..=1_000).contains(&self.pause_ms),
            "scoring.pause_ms = {} must be between 1 and 1000",
            self.pause_ms
        );
        ensure!(
            (self.pause_ms..=60_000).contains(&self.lag_ms),
            "scoring.lag_ms = {} must be between pause_ms and 60000",
            self.lag_ms
        );
        Ok(())
    }
}
