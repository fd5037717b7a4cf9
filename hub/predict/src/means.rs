//! Rows to model steps, one the mean of a period of the clock: each feature over the rows that have it, while the appliance runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::features::Step;

/// The period that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Means {
    /// Its number, counted from 1970.
    period: i64,
    /// Times of its first and last row that count, in milliseconds since 1970.
    span: Option<(i64, i64)>,
    rows: u32,
    /// Of each feature the sum of its values, and how many there are.
    sums: Vec<(f64, u32)>,
    /// Time of the last row of the newest step.
    before: Option<i64>,
    /// The appliance ran in the newest row that said so.
    runs: bool,
}

/// The fixed part of the rule, from the manifest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeansRule {
    pub(crate) period_s: f64,
    pub(crate) gap_s: f64,
    pub(crate) min_rows: u32,
    /// A channel tells running from idle, so that not every row counts.
    pub(crate) has_idle: bool,
}

/// A period that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    /// It is a step of the model.
    Whole(Step),
    /// It is none, since its rows come too seldom.
    Thin,
}

impl Means {
    pub(crate) fn new(features: usize) -> Self {
        Self {
            period: 0,
            span: None,
            rows: 0,
            sums: vec![(0.0, 0); features],
            before: None,
            runs: false,
        }
    }

    /// Takes a row: the value of each feature, and whether the appliance runs, where the row says so. Gives the period that this row
    /// ends, if rows of it count, and the last moment before the row's own, if it is the first of that. A row from before the period counts
    /// for none.
    pub(crate) fn push(
        &mut self,
        at: Timestamp,
        values: &[Option<f64>],
        runs: Option<bool>,
        rule: MeansRule,
    ) -> (Option<Ended>, Option<Timestamp>) {
        // Whole seconds by `Manifest::check`.
        let period_ms = (rule.period_s * 1_000.0) as i64;
        let at = at.as_millisecond();
        let period = at.div_euclid(period_ms.max(1));
        if self.span.is_some_and(|(_, last)| at <= last) {
            return (None, None);
        }
        let ended = if period == self.period {
            (None, None)
        } else {
            let before = Timestamp::from_millisecond(period.saturating_mul(period_ms.max(1)).saturating_sub(1));
            (self.close(at, rule), before.ok())
        };
        self.period = period;
        self.runs = runs.unwrap_or(self.runs);
        if self.runs {
            self.rows = self.rows.saturating_add(1);
            self.span = Some((self.span.map_or(at, |(first, _)| first), at));
            for ((sum, count), value) in self.sums.iter_mut().zip(values) {
                if let Some(value) = value.filter(|v| v.is_finite()) {
                    *sum += value;
                    *count = count.saturating_add(1);
                }
            }
        }
        ended
    }

    /// Ends the period, behind which comes a row of this time.
    fn close(&mut self, next: i64, rule: MeansRule) -> Option<Ended> {
        let features = self.sums.len();
        let sums = std::mem::replace(&mut self.sums, vec![(0.0, 0); features]);
        let rows = std::mem::take(&mut self.rows);
        let (first, last) = self.span.take()?;
        if rows < rule.min_rows {
            // Where idle rows count for nothing, a short while of running is no fault of the rows: how far they are apart tells.
            let apart_ms = match rows {
                0 | 1 => next - last,
                rows => (last - first) / i64::from(rows - 1),
            };
            let is_thin = !rule.has_idle || apart_ms as f64 * f64::from(rule.min_rows) > 1_000.0 * rule.period_s;
            return is_thin.then_some(Ended::Thin);
        }
        let silent_s = self.before.map(|before| (first - before) as f64 / 1_000.0);
        self.before = Some(last);
        Some(Ended::Whole(Step {
            at: Timestamp::from_millisecond(last).ok()?,
            raw: sums
                .into_iter()
                .map(|(sum, count)| (count > 0).then(|| sum / f64::from(count)))
                .collect(),
            after_gap: silent_s.is_none_or(|silent_s| silent_s > rule.gap_s),
            filled: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: MeansRule = MeansRule {
        period_s: 60.0,
        gap_s: 120.0,
        min_rows: 2,
        has_idle: true,
    };

    fn step(ended: Ended) -> Option<Step> {
        match ended {
            Ended::Whole(step) => Some(step),
            Ended::Thin => None,
        }
    }

    /// Seconds, values and whether it runs, to the seconds of steps, their values, and those behind a gap.
    fn steps(rows: &[(i64, f64, Option<bool>)]) -> Vec<(i64, Option<f64>, bool)> {
        let mut means = Means::new(1);
        let push = |(second, value, runs): &(i64, f64, Option<bool>)| {
            let at = Timestamp::from_second(*second).unwrap();
            means.push(at, &[Some(*value)], *runs, RULE).0.and_then(step)
        };
        let steps = rows.iter().filter_map(push);
        steps
            .map(|step| (step.at.as_second(), step.raw[0], step.after_gap))
            .collect()
    }

    #[test]
    fn a_step_is_the_mean_of_the_rows_of_a_period_in_which_it_runs() {
        let (on, off) = (Some(true), Some(false));
        let rows = [
            (0, 1.0, on),
            (20, 3.0, on),
            // As the one before; then idle, which counts for nothing.
            (40, 5.0, None),
            (50, 900.0, off),
            // One row is too few for a step.
            (70, 7.0, on),
            (130, 8.0, on),
            (140, 10.0, on),
            // The clock stands still, or goes back.
            (140, 90.0, on),
            (10, 90.0, on),
            (400, 2.0, on),
            (410, 4.0, on),
            (500, 0.0, off),
        ];
        let expected = [(40, Some(3.0), true), (140, Some(9.0), false), (410, Some(3.0), true)];
        assert_eq!(steps(&rows), expected);
    }

    #[test]
    fn a_value_that_is_none_is_of_no_mean() {
        let mut means = Means::new(2);
        let mut push = |second, values: [Option<f64>; 2]| {
            let at = Timestamp::from_second(second).unwrap();
            means.push(at, &values, Some(true), RULE).0
        };
        push(0, [Some(f64::NAN), None]);
        push(1, [Some(4.0), None]);
        let ended = push(60, [None, None]).and_then(step).unwrap();
        assert_eq!(ended.raw, [Some(4.0), None]);
    }

    #[test]
    fn the_first_row_of_a_period_tells_when_the_one_before_it_ended() {
        let mut means = Means::new(1);
        let mut until = |second, runs| {
            let at = Timestamp::from_second(second).unwrap();
            let (_, until) = means.push(at, &[Some(1.0)], Some(runs), RULE);
            until.map(Timestamp::as_millisecond)
        };
        // Of a period in which it stood idle as well, and of one that has no row.
        assert_eq!(until(70, true), Some(59_999));
        assert_eq!(until(80, true), None);
        assert_eq!(until(79, true), None, "the clock goes back");
        assert_eq!(until(120, false), Some(119_999));
        assert_eq!(until(300, true), Some(299_999));
    }

    #[test]
    fn rows_that_come_too_seldom_are_told_from_a_short_while_of_running() {
        let thin = |seconds: &[i64], has_idle: bool| {
            let (mut means, rule) = (
                Means::new(1),
                MeansRule {
                    min_rows: 4,
                    has_idle,
                    ..RULE
                },
            );
            let push = |second: &i64| {
                let at = Timestamp::from_second(*second).unwrap();
                means.push(at, &[Some(1.0)], Some(true), rule).0
            };
            seconds.iter().filter_map(push).collect::<Vec<_>>()
        };
        // Two rows of a minute are none of four; where it may stand idle, rows that are a second apart are few since it ran so briefly.
        assert_eq!(thin(&[0, 30, 60], true), [Ended::Thin]);
        assert_eq!(thin(&[0, 60], true), [Ended::Thin]);
        assert!(thin(&[0, 1, 2, 60], true).is_empty());
        assert_eq!(thin(&[0, 1, 2, 60], false), [Ended::Thin]);
        assert!(matches!(thin(&[0, 1, 2, 3, 60], false)[..], [Ended::Whole(_)]));
    }
}
