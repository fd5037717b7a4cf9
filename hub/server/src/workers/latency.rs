//! How long readings took from their receipt until what followed from them was saved, counted by fixed upper bounds.

use hub_core::metric::{Metric, MetricKind, MetricSample, MetricValue};
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds, in milliseconds.
const BOUNDS_MS: [u64; 10] = [25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000, 60_000];

/// See the module.
#[derive(Debug, Default)]
pub struct Latency {
    /// How many each bound was the first to hold for; the last one counts those that took longer.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Latency {
    /// Counts readings that were received at these moments and are saved `now`. Where the clock was set back meanwhile, one
    /// took no time.
    pub fn note(&self, received: &[Timestamp], now: Timestamp) {
        for at in received {
            let ms = u64::try_from(now.as_millisecond() - at.as_millisecond()).unwrap_or(0);
            let first = BOUNDS_MS.iter().position(|bound| ms <= *bound);
            if let Some(count) = self.counts.get(first.unwrap_or(BOUNDS_MS.len())) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            self.sum_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// For monitoring, in seconds.
    pub fn metric(&self, name: &'static str, help: &'static str) -> Metric {
        let mut count = 0;
        let mut below = |of: &AtomicU64| {
            count += of.load(Ordering::Relaxed);
            count
        };
        let buckets = BOUNDS_MS.iter().zip(&self.counts);
        let buckets = buckets.map(|(bound, of)| (*bound as f64 / 1e3, below(of))).collect();
        let longer = self.counts.last().map_or(0, |of| of.load(Ordering::Relaxed));
        let value = MetricValue::Histogram {
            buckets,
            sum: self.sum_ms.load(Ordering::Relaxed) as f64 / 1e3,
            count: count + longer,
        };
        let mut metric = Metric::new(name, MetricKind::Histogram, help);
        let labels = Vec::new();
        metric.samples.push(MetricSample { labels, value });
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reading_is_counted_by_the_first_bound_that_holds() {
        let (latency, now) = (Latency::default(), Timestamp::from_second(1_764_000_000).unwrap());
        let before = |ms| Timestamp::from_millisecond(now.as_millisecond() - ms).unwrap();
        // The last one came before the clock was set back.
        latency.note(&[25, 26, 100, 101, 60_001, -5].map(before), now);
        latency.note(&[], now);
        let metric = latency.metric("scoring_seconds", "x");
        let MetricValue::Histogram { buckets, sum, count } = &metric.samples[0].value else {
            panic!("{metric:?}");
        };
        assert_eq!(buckets[..4], [(0.025, 2), (0.05, 3), (0.1, 4), (0.25, 5)]);
        assert_eq!((buckets.len(), buckets[9]), (BOUNDS_MS.len(), (60.0, 5)));
        assert_eq!((*sum, *count), (60.253, 6));
    }
}
