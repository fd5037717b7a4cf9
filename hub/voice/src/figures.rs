//! What is counted of calls, for monitoring.

use crate::detail::{CallDetail, Direction};
use hub_core::call_result::CallResult;
use hub_core::metric::{Metric, MetricKind, MetricSample, MetricValue};
use std::sync::atomic::{AtomicU64, Ordering};

/// A list of all cases of an enum. Where one is missing, the match does not compile.
macro_rules! all {
    ($list:ident: $kind:ident { $($case:ident),+ $(,)? }) => {
        const $list: [$kind; [$(stringify!($case)),+].len()] = [$($kind::$case),+];
        const _: fn($kind) = |case| match case {
            $($kind::$case => {})+
        };
    };
}

all!(DIRECTIONS: Direction { Outbound, Inbound });
all!(RESULTS: CallResult {
    Answered,
    Busy,
    NoAnswer,
    Declined,
    InvalidNumber,
    TrunkRefused,
    NoAudio,
    HungUpEarly,
    ExchangeDeclined,
    NetworkFailure,
    NotPlaced,
    Unknown,
});
/// Upper bounds of set-up times, in milliseconds. 8 and 11 s are what national and international calls are planned for at
/// most (ITU-T E.721).
const BOUNDS_MS: [u64; 10] = [100, 250, 500, 1_000, 2_500, 4_000, 6_000, 8_000, 11_000, 20_000];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    up: [AtomicU64; DIRECTIONS.len()],
    ended: [[AtomicU64; RESULTS.len()]; DIRECTIONS.len()],
    /// How many each bound was the first to hold for; the last one counts those that took longer.
    setup: [AtomicU64; BOUNDS_MS.len() + 1],
    setup_sum_ms: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
}

/// A call that is up until this is dropped.
pub(crate) struct Up<'a>(&'a AtomicU64);

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Figures {
    /// A call begins.
    pub fn begin(&self, direction: Direction) -> Up<'_> {
        let [outbound, inbound] = &self.up;
        let up = match direction {
            Direction::Outbound => outbound,
            Direction::Inbound => inbound,
        };
        up.fetch_add(1, Ordering::Relaxed);
        Up(up)
    }

    /// A call has ended.
    pub fn note(&self, detail: &CallDetail) {
        for (direction, results) in DIRECTIONS.iter().zip(&self.ended) {
            for (result, count) in RESULTS.iter().zip(results) {
                let is_it = (*direction, *result) == (detail.direction, detail.result);
                count.fetch_add(u64::from(is_it), Ordering::Relaxed);
            }
        }
        // Without an INVITE there was nothing to set up.
        if detail.direction == Direction::Outbound && detail.post_dial_ms > 0 {
            let ms = detail.post_dial_ms;
            let first = BOUNDS_MS.iter().position(|bound| ms <= *bound);
            if let Some(count) = self.setup.get(first.unwrap_or(BOUNDS_MS.len())) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            self.setup_sum_ms.fetch_add(ms, Ordering::Relaxed);
        }
        for (of, packets) in [
            (&self.sent, detail.audio.packets_sent),
            (&self.received, detail.audio.packets_received),
            (&self.lost, detail.audio.lost),
            (&self.dropped, detail.audio.dropped),
        ] {
            of.fetch_add(packets, Ordering::Relaxed);
        }
    }

    /// For monitoring.
    pub fn metrics(&self) -> [Metric; 4] {
        let number = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let help = "Calls that are prepared, ring or talk, by direction.";
        let mut up = Metric::new("voice_calls_up", MetricKind::Gauge, help);
        let help = "Calls that have ended, by direction and by what the network said.";
        let mut ended = Metric::new("voice_calls_total", MetricKind::Counter, help);
        for ((direction, running), results) in DIRECTIONS.iter().zip(&self.up).zip(&self.ended) {
            let direction = ("direction", word(*direction));
            up.push(&[direction], number(running));
            for (result, count) in RESULTS.iter().zip(results) {
                ended.push(&[direction, ("result", result.as_str())], number(count));
            }
        }
        let help = "Packets of 20 ms in calls that have ended: sent, received, missing in the far side's numbering, and dropped since \
                    they were not the far side's audio.";
        let packets = Metric::new("voice_packets_total", MetricKind::Counter, help)
            .with(&[("of", "sent")], number(&self.sent))
            .with(&[("of", "received")], number(&self.received))
            .with(&[("of", "lost")], number(&self.lost))
            .with(&[("of", "dropped")], number(&self.dropped));
        [up, ended, self.setup(), packets]
    }

    fn setup(&self) -> Metric {
        let mut count = 0;
        let mut below = |of: &AtomicU64| {
            count += of.load(Ordering::Relaxed);
            count
        };
        let buckets = BOUNDS_MS.iter().zip(&self.setup);
        let buckets = buckets.map(|(bound, of)| (*bound as f64 / 1e3, below(of))).collect();
        let longer = self.setup.last().map_or(0, |of| of.load(Ordering::Relaxed));
        let value = MetricValue::Histogram {
            buckets,
            sum: self.setup_sum_ms.load(Ordering::Relaxed) as f64 / 1e3,
            count: count + longer,
        };
        let help = "From the INVITE of a call to an owner to the first sign of ringing, or to its end without one.";
        let mut metric = Metric::new("voice_setup_seconds", MetricKind::Histogram, help);
        let labels = Vec::new();
        metric.samples.push(MetricSample { labels, value });
        metric
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::AudioCounts;
    use crate::record::Record;
    use hub_core::id::AttemptId;

    fn ended(direction: Direction, result: CallResult, post_dial_ms: u64) -> CallDetail {
        CallDetail {
            result,
            post_dial_ms,
            audio: AudioCounts {
                packets_sent: 100,
                packets_received: 90,
                lost: 2,
                dropped: 1,
                ..AudioCounts::default()
            },
            ..Record::new(AttemptId(uuid::Uuid::from_u128(1)), direction).finish()
        }
    }

    fn value(metric: &Metric, labels: &[(&str, &str)]) -> f64 {
        let is_it = |sample: &&MetricSample| {
            sample
                .labels
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .eq(labels.iter().copied())
        };
        match metric.samples.iter().find(is_it).expect("a value").value {
            MetricValue::Number(value) => value,
            MetricValue::Histogram { .. } => panic!("{metric:?}"),
        }
    }

    #[test]
    fn calls_are_counted_while_they_are_up_and_when_they_end() {
        let figures = Figures::default();
        let (first, _second) = (figures.begin(Direction::Outbound), figures.begin(Direction::Inbound));
        let third = figures.begin(Direction::Outbound);
        drop(first);
        figures.note(&ended(Direction::Outbound, CallResult::Busy, 1_000));
        figures.note(&ended(Direction::Outbound, CallResult::Busy, 21_000));
        // Never dialled.
        figures.note(&ended(Direction::Outbound, CallResult::NetworkFailure, 0));
        figures.note(&ended(Direction::Inbound, CallResult::Answered, 3));
        let [up, all, setup, packets] = figures.metrics();
        assert_eq!(value(&up, &[("direction", "outbound")]), 1.0);
        assert_eq!(value(&up, &[("direction", "inbound")]), 1.0);
        for (direction, result, count) in [
            ("outbound", "busy", 2.0),
            ("outbound", "network_failure", 1.0),
            ("outbound", "answered", 0.0),
            ("inbound", "answered", 1.0),
            ("inbound", "busy", 0.0),
        ] {
            let labels = [("direction", direction), ("result", result)];
            assert_eq!(value(&all, &labels), count, "{labels:?}");
        }
        let MetricValue::Histogram { buckets, sum, count } = &setup.samples[0].value else {
            panic!("{setup:?}");
        };
        assert_eq!((buckets[2], buckets[3], buckets[9]), ((0.5, 0), (1.0, 1), (20.0, 1)));
        assert_eq!((*sum, *count), (22.0, 2));
        for (of, count) in [("sent", 400.0), ("received", 360.0), ("lost", 8.0), ("dropped", 4.0)] {
            assert_eq!(value(&packets, &[("of", of)]), count);
        }
        drop(third);
        assert_eq!(value(&figures.metrics()[0], &[("direction", "outbound")]), 0.0);
    }
}
