//! Rows to model steps, one a programme run: each feature is a statistic over the phases it names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::features::Step;
use crate::manifest::{Manifest, Statistic};

/// Rows of one run are counted at most up to this; a run that never ends is closed here.
const MAX_ROWS: u32 = 100_000;
/// A run of too few rows, the newest of which are so many of the model's periods apart or more: the rows are at fault, and not a
/// programme that was given up.
const SPARSE: f64 = 2.0;

/// Running sums of one feature within a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    count: u32,
    sum: f64,
    squares: f64,
    minutes: f64,
    rise: f64,
    fall: f64,
    /// The row before, if it was in the phases too.
    before: Option<(Timestamp, f64)>,
}

/// The run that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cycle {
    rows: u32,
    last_row: Option<Timestamp>,
    sums: Vec<Sums>,
}

/// A run that has ended.
pub(crate) struct Run {
    /// Time of its newest row; of the row that is idle again, where one has ended it.
    pub(crate) until: Timestamp,
    pub(crate) came: Came,
}

/// What comes of a run.
pub(crate) enum Came {
    /// It is a step of the model.
    Step(Step),
    /// It is none, since its rows come too seldom.
    Sparse,
    /// It is none: a door was opened and shut, a programme was given up.
    Short,
}

/// The fixed part of the rule, from the manifest.
pub(crate) struct CycleRule<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) idle_phase: i32,
    pub(crate) period_s: f64,
    pub(crate) gap_s: f64,
    pub(crate) min_rows: u32,
}

impl Cycle {
    pub(crate) fn new(n: usize) -> Self {
        Self {
            rows: 0,
            last_row: None,
            sums: vec![Sums::default(); n],
        }
    }

    /// Takes a row: its phase (`None` if the channel is missing: the row joins no phase) and each feature's channel
    /// value. Returns the run that this row ends.
    pub(crate) fn push(
        &mut self,
        at: Timestamp,
        phase: Option<i32>,
        values: &[Option<f64>],
        rule: &CycleRule<'_>,
    ) -> Option<Run> {
        if self.last_row.is_some_and(|last| at <= last) {
            return None;
        }
        let apart_s = self.last_row.map_or(0.0, |last| at.duration_since(last).as_secs_f64());
        let is_silent = apart_s > rule.gap_s;
        let ended_by_silence = if is_silent { self.close(apart_s, rule) } else { None };
        self.last_row = Some(at);
        match phase {
            Some(phase) if phase != rule.idle_phase => {
                self.rows += 1;
                self.add(at, phase, values, rule.manifest);
                let is_overlong = self.rows >= MAX_ROWS;
                let overlong = if is_overlong { self.close(apart_s, rule) } else { None };
                ended_by_silence.or(overlong)
            }
            Some(_) => ended_by_silence.or_else(|| self.close(apart_s, rule)),
            None => ended_by_silence,
        }
    }

    /// Whether a run is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.rows > 0
    }

    fn add(&mut self, at: Timestamp, phase: i32, values: &[Option<f64>], manifest: &Manifest) {
        for ((sums, value), feature) in self.sums.iter_mut().zip(values).zip(&manifest.features) {
            if !feature.phases.is_empty() && !feature.phases.contains(&phase) {
                sums.before = None;
            } else if let Some(value) = value.filter(|v| v.is_finite()) {
                sums.add(at, value);
            }
        }
    }

    /// Ends the run, if there is one; its newest rows were so far apart.
    fn close(&mut self, apart_s: f64, rule: &CycleRule<'_>) -> Option<Run> {
        let n = self.sums.len();
        let sums = std::mem::replace(&mut self.sums, vec![Sums::default(); n]);
        let rows = std::mem::take(&mut self.rows);
        let until = self.last_row.filter(|_| rows > 0)?;
        if rows < rule.min_rows {
            let is_sparse = apart_s >= SPARSE * rule.period_s;
            let came = if is_sparse { Came::Sparse } else { Came::Short };
            return Some(Run { until, came });
        }
        let raw = sums
            .iter()
            .zip(&rule.manifest.features)
            .map(|(s, f)| s.statistic(f.statistic))
            .collect();
        let step = Step {
            at: until,
            raw,
            after_gap: false,
            filled: false,
        };
        let came = Came::Step(step);
        Some(Run { until, came })
    }
}

impl Sums {
    fn add(&mut self, at: Timestamp, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
        if let Some((before_at, before)) = self.before {
            self.minutes += at.duration_since(before_at).as_secs_f64() / 60.0;
            self.rise += value - before;
            self.fall += (before - value).max(0.0);
        }
        self.before = Some((at, value));
    }

    /// `None` if the run had no row (or, for rates, no two rows) in the phases.
    fn statistic(&self, statistic: Statistic) -> Option<f64> {
        let n = f64::from(self.count);
        let (enough, value) = match statistic {
            Statistic::Mean => (n, self.sum / n),
            Statistic::Rms => (n, (self.squares / n).sqrt()),
            Statistic::RisePerMinute => (self.minutes, self.rise / self.minutes),
            Statistic::FallPerMinute => (self.minutes, self.fall / self.minutes),
        };
        (enough > 0.0).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_added_up_and_what_lies_between_them_is_not() {
        let mut sums = Sums::default();
        let minute = |m: i64| Timestamp::from_second(m * 60).unwrap();
        for (m, value) in [(0, 10.0), (1, 12.0), (2, 11.0)] {
            sums.add(minute(m), value);
        }
        sums.before = None;
        for (m, value) in [(10, 50.0), (12, 56.0)] {
            sums.add(minute(m), value);
        }
        assert_eq!(sums.statistic(Statistic::RisePerMinute), Some(7.0 / 4.0));
        assert_eq!(sums.statistic(Statistic::FallPerMinute), Some(1.0 / 4.0));
        assert_eq!(sums.statistic(Statistic::Mean), Some(139.0 / 5.0));
        assert_eq!(Sums::default().statistic(Statistic::Mean), None);
    }
}
