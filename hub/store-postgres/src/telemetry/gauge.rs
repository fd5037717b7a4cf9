//! Counts beside the readings: missing numbers, repeats, what was dropped, how far the device's clock is off. Collected
//! in memory with each committed batch and written by the roll-up, so that a batch of readings touches nothing but
//! readings. A kill of the hub loses at most what came since the last roll-up, about a second, of these counts; the
//! readings themselves are counted from their rows.

use hub_core::id::ApplianceId;
use hub_core::telemetry::TelemetryMessage;
use std::collections::HashMap;

/// Appliances whose counts wait for the roll-up; beyond it, counts are lost and that is said.
const APPLIANCES_MAX: usize = 262_144;

/// What is added to one appliance's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gauge {
    pub(super) gaps: i64,
    pub(super) dropped: i64,
    pub(super) repeated: i64,
    pub(super) skew_ms: Option<i64>,
}

/// By appliance.
#[derive(Debug, Default)]
pub(crate) struct Gauges(HashMap<i64, Gauge>);

impl Gauges {
    pub(super) fn telemetry(&mut self, message: &TelemetryMessage, gap: i64) {
        if gap != 0 || message.skew_ms.is_some() {
            let gauge = self.0.entry(message.appliance.0).or_default();
            gauge.gaps += gap;
            gauge.skew_ms = message.skew_ms.or(gauge.skew_ms);
        }
    }

    pub(super) fn gap(&mut self, appliance: ApplianceId, gap: i64) {
        self.0.entry(appliance.0).or_default().gaps += gap;
    }

    pub(super) fn repeated(&mut self, appliance: ApplianceId, count: u32) {
        if count > 0 {
            self.0.entry(appliance.0).or_default().repeated += i64::from(count);
        }
    }

    pub(super) fn dropped(&mut self, appliance: ApplianceId, count: u32) {
        self.0.entry(appliance.0).or_default().dropped += i64::from(count);
    }

    /// Adds what a committed batch, or a roll-up that failed, has counted.
    pub(super) fn add(&mut self, other: Self) {
        let mut lost = 0u64;
        for (appliance, gauge) in other.0 {
            if self.0.len() >= APPLIANCES_MAX && !self.0.contains_key(&appliance) {
                lost += 1;
                continue;
            }
            let own = self.0.entry(appliance).or_default();
            own.gaps += gauge.gaps;
            own.dropped += gauge.dropped;
            own.repeated += gauge.repeated;
            own.skew_ms = gauge.skew_ms.or(own.skew_ms);
        }
        if lost > 0 {
            tracing::warn!(appliances = lost, "counts of readings lost: the roll-up is too slow");
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By appliance, in order.
    pub(super) fn sorted(&self) -> Vec<(i64, Gauge)> {
        let mut all: Vec<_> = self.0.iter().map(|(appliance, gauge)| (*appliance, *gauge)).collect();
        all.sort_unstable_by_key(|(appliance, _)| *appliance);
        all
    }
}
