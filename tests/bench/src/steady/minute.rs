//! What a minute of load took, as it is printed.

use super::histogram::Histogram;
use std::time::Duration;
use tests_hub::processes::Cpu;

/// How far the hub's followers were behind at most, in seconds; `None` where the hub does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lags {
    /// From a reading to its score.
    pub scoring: Option<f64>,
    /// To what is counted on pages.
    pub roll_up: Option<f64>,
    /// To hourly and daily aggregates.
    pub aggregate: Option<f64>,
}

impl Lags {
    /// From the text of /metrics.
    pub fn read(metrics: &str) -> Self {
        let gauge = |name: &str| {
            let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
            metrics.lines().find_map(of)
        };
        Self {
            scoring: gauge("forecall_scoring_lag_seconds"),
            roll_up: gauge("forecall_rollup_lag_seconds"),
            aggregate: gauge("forecall_aggregate_lag_seconds"),
        }
    }

    /// Keeps the greater one of each.
    pub fn note(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.scoring, other.scoring),
            (&mut self.roll_up, other.roll_up),
            (&mut self.aggregate, other.aggregate),
        ] {
            *own = own.iter().copied().chain(other).reduce(f64::max);
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Minute {
    /// Acknowledged.
    pub readings: u64,
    /// How long it was.
    pub took: Duration,
    /// From publish to acknowledgement.
    pub latency: Histogram,
    /// Processor seconds.
    pub cpu: Cpu,
    /// Write-ahead log.
    pub wal_bytes: f64,
    /// Memory of the hub at its end.
    pub hub_bytes: f64,
    /// Memory of the database's processes at its end, without what they share.
    pub database_bytes: f64,
    /// Databases and log at its end.
    pub disk_bytes: f64,
    /// Greatest lags.
    pub lags: Lags,
}

impl Minute {
    /// Above [`Minute::line`].
    pub const HEADING: &'static str = "  minute readings/s  p50 ms  p99 ms  hub µs   db µs  cores  wal B  hub MB   db MB  disk MB  lag s: score roll-up aggregate  client µs";

    /// All of these as one. Memory, disk and lags are the greatest.
    pub fn sum(minutes: &[Self]) -> Self {
        let mut sum = Self::default();
        for minute in minutes {
            sum.readings += minute.readings;
            sum.took += minute.took;
            sum.latency.merge(&minute.latency);
            sum.cpu.hub += minute.cpu.hub;
            sum.cpu.database += minute.cpu.database;
            sum.cpu.client += minute.cpu.client;
            sum.wal_bytes += minute.wal_bytes;
            sum.hub_bytes = sum.hub_bytes.max(minute.hub_bytes);
            sum.database_bytes = sum.database_bytes.max(minute.database_bytes);
            sum.disk_bytes = sum.disk_bytes.max(minute.disk_bytes);
            sum.lags.note(&minute.lags);
        }
        sum
    }

    /// Readings a second.
    pub fn rate(&self) -> f64 {
        self.readings as f64 / self.took.as_secs_f64()
    }

    /// Processors that hub and database kept busy.
    pub fn cores(&self) -> f64 {
        (self.cpu.hub + self.cpu.database) / self.took.as_secs_f64()
    }

    /// Processor of hub and database for a reading, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.each(self.cpu.hub + self.cpu.database) * 1e6
    }

    /// Write-ahead log for a reading, in bytes.
    pub fn wal_a_reading(&self) -> f64 {
        self.each(self.wal_bytes)
    }

    /// From publish to acknowledgement, in milliseconds.
    pub fn p50_ms(&self) -> f64 {
        self.latency.ms(0.5)
    }

    /// The same of the slowest of a hundred.
    pub fn p99_ms(&self) -> f64 {
        self.latency.ms(0.99)
    }

    fn each(&self, all: f64) -> f64 {
        all / self.readings as f64
    }

    /// All its figures.
    pub fn line(&self, number: u32) -> String {
        let lag = |lag: Option<f64>| lag.map_or_else(|| "-".to_owned(), |lag| format!("{lag:.1}"));
        let Lags {
            scoring,
            roll_up,
            aggregate,
        } = self.lags;
        format!(
            "  {number:>6} {:>10.0} {:>7.2} {:>7.2} {:>7.0} {:>7.0} {:>6.3} {:>6.0} {:>7.0} {:>7.0} {:>8.0} {:>12} {:>7} {:>9} {:>10.0}",
            self.rate(),
            self.p50_ms(),
            self.p99_ms(),
            self.each(self.cpu.hub) * 1e6,
            self.each(self.cpu.database) * 1e6,
            self.cores(),
            self.wal_a_reading(),
            self.hub_bytes / 1e6,
            self.database_bytes / 1e6,
            self.disk_bytes / 1e6,
            lag(scoring),
            lag(roll_up),
            lag(aggregate),
            self.each(self.cpu.client) * 1e6,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Lags;

    #[test]
    fn lags_are_read_where_the_hub_tells_them() {
        let text = "# HELP forecall_scoring_lag_seconds x\nforecall_scoring_lag_seconds 1.5\nforecall_rollup_lag_seconds_total 9\n";
        let mut lags = Lags::read(text);
        assert_eq!((lags.scoring, lags.roll_up, lags.aggregate), (Some(1.5), None, None));
        lags.note(&Lags::read(
            "forecall_scoring_lag_seconds 1\nforecall_aggregate_lag_seconds 3\n",
        ));
        assert_eq!(
            (lags.scoring, lags.roll_up, lags.aggregate),
            (Some(1.5), None, Some(3.0))
        );
    }
}
