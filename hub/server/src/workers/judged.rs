//! What the scorer does with readings, by appliance and by reading: how many appliances are watched, and why readings made no
//! model step.

use hub_core::metric::{Metric, MetricKind};
use hub_core::watching::{Unjudged, UnjudgedCounts, WatchState};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use strum::VariantArray;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Judged {
    appliances: Mutex<BTreeMap<WatchState, u64>>,
    readings: [AtomicU64; Unjudged::VARIANTS.len()],
}

impl Judged {
    /// How many appliances are in each state now, and what was left out since it was said last.
    pub(super) fn note(&self, appliances: &BTreeMap<WatchState, u64>, readings: &UnjudgedCounts) {
        self.appliances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(appliances);
        for (why, count) in readings.counts() {
            if let Some(all) = self.readings.get(why as usize) {
                all.fetch_add(u64::from(count), Ordering::Relaxed);
            }
        }
    }

    /// For monitoring.
    pub(super) fn metrics(&self) -> [Metric; 2] {
        let help = "Appliances whose readings were scored since the start, by whether they are watched: too_seldom, \
            channels_missing and times_passed are not. What no model watches is not scored at all.";
        let mut appliances = Metric::new("scoring_appliances", MetricKind::Gauge, help);
        let counted = self.appliances.lock().unwrap_or_else(PoisonError::into_inner);
        for state in WatchState::VARIANTS {
            appliances.push(&[("state", state.into())], counted.get(state).copied().unwrap_or(0));
        }
        let help =
            "Readings that made no step of a model, by reason; those that are joined count together with others.";
        let mut readings = Metric::new("scoring_unjudged_total", MetricKind::Counter, help);
        for (why, count) in Unjudged::VARIANTS.iter().zip(&self.readings) {
            readings.push(&[("reason", why.into())], count.load(Ordering::Relaxed));
        }
        [appliances, readings]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::metric::MetricValue;

    #[test]
    fn every_state_and_every_reason_is_told_from_the_start() {
        let judged = Judged::default();
        let mut readings = UnjudgedCounts::default();
        readings.add(Unjudged::Ahead);
        for _ in 0..2 {
            judged.note(&[(WatchState::TooSeldom, 3)].into(), &readings);
        }
        let [appliances, readings] = judged.metrics();
        let told = |metric: &Metric| -> Vec<(String, MetricValue)> {
            let samples = metric.samples.iter();
            let told = samples.map(|sample| (sample.labels[0].1.clone(), sample.value.clone()));
            told.collect()
        };
        assert_eq!(told(&appliances).len(), WatchState::VARIANTS.len());
        assert!(told(&appliances).contains(&("too_seldom".to_owned(), MetricValue::Number(3.0))));
        assert_eq!(told(&readings).len(), Unjudged::VARIANTS.len());
        assert!(told(&readings).contains(&("ahead".to_owned(), MetricValue::Number(2.0))));
    }
}
