//! Metrics as the maker declares them, and when one of their values is worth a reading.

use crate::publish::Overflow;
use crate::session::since;

/// What the device measures, as one channel of its appliance profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Channel id of the profile: 1 to 255.
    pub channel: u8,
    /// In stored integers, value × 10^decimals of the profile: a value that is no farther from the last one reported is
    /// left out. 0 reports every change. The hub may push another.
    pub deadband: u32,
    /// A value that is reported so many milliseconds after the last one is taken whatever the deadband says; 0 takes each
    /// value. The hub may push another.
    pub interval_ms: u32,
    /// What gives way when the outbox is full: old readings of metrics with this policy, or the new ones. Readings of
    /// metrics with different policies go in different messages.
    pub overflow: Overflow,
}

/// Names a metric that was declared to this agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetricId(
    /// They count up from 0. Of a number that names none nothing is reported.
    pub u8,
);

/// Memory for one metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricSlot {
    pub(super) metric: Metric,
    /// Whether a value has become a reading.
    has_last: bool,
    /// The last one.
    last: i32,
    /// Its uptime in milliseconds.
    last_at: u64,
}

impl MetricSlot {
    /// Memory that holds no metric yet.
    pub const EMPTY: Self = Self::new(Metric {
        channel: 0,
        deadband: 0,
        interval_ms: 0,
        overflow: Overflow::DropOldest,
    });

    pub(super) const fn new(metric: Metric) -> Self {
        Self {
            metric,
            has_last: false,
            last: 0,
            last_at: 0,
        }
    }

    /// Whether a value becomes a reading.
    pub(super) fn is_due(&self, value: i32, now: u64) -> bool {
        let is_far = self.last.abs_diff(value) > self.metric.deadband;
        let is_old = since(self.last_at, now) >= u64::from(self.metric.interval_ms);
        !self.has_last || is_far || is_old
    }

    /// It became one.
    pub(super) fn note(&mut self, value: i32, now: u64) {
        self.has_last = true;
        (self.last, self.last_at) = (value, now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, MetricSlot, Overflow};

    #[test]
    fn deadband_and_interval_decide_what_becomes_a_reading() {
        // Deadband, interval, value, milliseconds since the reading of 100: due?
        let cases = [
            (5, 1_000, 100, 0, false),
            (5, 1_000, 105, 1, false),
            (5, 1_000, 95, 1, false),
            (5, 1_000, 106, 0, true),
            (5, 1_000, 94, 0, true),
            (5, 1_000, 100, 999, false),
            (5, 1_000, 100, 1_000, true),
            (0, 1_000, 100, 1, false),
            (0, 1_000, 101, 1, true),
            (u32::MAX, 1_000, i32::MIN, 1, false),
            (u32::MAX - 1, u32::MAX, i32::MIN, 1, false),
            (0, u32::MAX, 100, 1 << 31, false),
            (9, 0, 100, 0, true),
        ];
        for (deadband, interval_ms, value, after_ms, expected) in cases {
            let mut slot = MetricSlot::new(Metric {
                channel: 1,
                deadband,
                interval_ms,
                overflow: Overflow::DropOldest,
            });
            assert!(slot.is_due(value, 7), "the first one always");
            slot.note(100, 7);
            let is_due = slot.is_due(value, 7 + after_ms);
            assert_eq!(is_due, expected, "{deadband} {interval_ms} {value} {after_ms}");
        }
    }

    #[test]
    fn the_farthest_values_are_measured_without_overflow() {
        let mut slot = MetricSlot::new(Metric {
            deadband: u32::MAX - 1,
            interval_ms: u32::MAX,
            ..MetricSlot::EMPTY.metric
        });
        slot.note(i32::MIN, 0);
        assert!(slot.is_due(i32::MAX, 0));
        assert!(!slot.is_due(i32::MAX - 1, 0));
    }
}
