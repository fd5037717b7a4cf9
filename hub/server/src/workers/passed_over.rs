//! What the scorer passes over, so that it can go on with everything else.

use hub_core::metric::{Metric, MetricKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// A reading that no detector is given: it ends the scoring thread, or its appliance is left out.
    Row,
    /// An appliance of which nothing is scored until the next start.
    Appliance,
    /// What a detector said, which the store refuses.
    Observation,
    /// What a detector holds, which the store refuses.
    Checkpoint,
    /// What was scored of a partition since its checkpoints, which cannot be read again.
    Stretch,
}

impl Passed {
    const ALL: [Self; 5] = [
        Self::Row,
        Self::Appliance,
        Self::Observation,
        Self::Checkpoint,
        Self::Stretch,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Appliance => "appliance",
            Self::Observation => "observation",
            Self::Checkpoint => "checkpoint",
            Self::Stretch => "stretch",
        }
    }
}

/// How much of each.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    rows: AtomicU64,
    appliances: AtomicU64,
    observations: AtomicU64,
    checkpoints: AtomicU64,
    stretches: AtomicU64,
}

impl PassedOver {
    fn of(&self, what: Passed) -> &AtomicU64 {
        match what {
            Passed::Row => &self.rows,
            Passed::Appliance => &self.appliances,
            Passed::Observation => &self.observations,
            Passed::Checkpoint => &self.checkpoints,
            Passed::Stretch => &self.stretches,
        }
    }

    /// So much more was passed over.
    pub(super) fn add(&self, what: Passed, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.of(what).fetch_add(count, Ordering::Relaxed);
    }

    /// How much was, since the start.
    pub(super) fn count(&self, what: Passed) -> u64 {
        self.of(what).load(Ordering::Relaxed)
    }

    /// For monitoring.
    pub(super) fn metric(&self) -> Metric {
        let help = "What scoring has passed over so that it can go on: readings, whole appliances, what detectors say or \
            hold, and what cannot be read again.";
        let mut metric = Metric::new("scoring_passed_over_total", MetricKind::Counter, help);
        for what in Passed::ALL {
            metric.push(&[("reason", what.label())], self.count(what));
        }
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::metric::MetricValue;

    #[test]
    fn each_kind_is_counted_apart_and_told_from_the_start() {
        let passed_over = PassedOver::default();
        for (count, what) in Passed::ALL.into_iter().enumerate() {
            passed_over.add(what, count);
        }
        passed_over.add(Passed::Stretch, 1);
        let metric = passed_over.metric();
        let told = metric.samples.iter().map(|sample| {
            let (name, value) = &sample.labels[0];
            (*name, value.as_str(), sample.value.clone())
        });
        let expected = [
            ("row", 0.0),
            ("appliance", 1.0),
            ("observation", 2.0),
            ("checkpoint", 3.0),
            ("stretch", 5.0),
        ];
        let expected = expected.map(|(value, count)| ("reason", value, MetricValue::Number(count)));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(metric.kind, MetricKind::Counter);
    }
}
