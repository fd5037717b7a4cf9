//! Rows to model steps at a fixed period of event time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::features::Step;

/// A row this much of a period early still makes a step: sampling jitters.
pub(crate) const EARLY: f64 = 0.25;

/// Where the last step was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Period {
    last: Option<(Timestamp, Vec<Option<f64>>)>,
}

impl Period {
    pub(crate) fn new() -> Self {
        Self { last: None }
    }

    /// The steps that a row makes: none if it is not a period later than the last (also when it is older), one, or
    /// several where a short gap is filled with the last values.
    pub(crate) fn push(&mut self, at: Timestamp, raw: Vec<Option<f64>>, period_s: f64, hold_gap_s: f64) -> Vec<Step> {
        let Some((before, held)) = &self.last else {
            self.last = Some((at, raw.clone()));
            return vec![Step {
                at,
                raw,
                after_gap: true,
                filled: false,
            }];
        };
        let gap_s = at.duration_since(*before).as_secs_f64();
        let periods = (gap_s / period_s + EARLY).floor();
        if periods < 1.0 {
            return Vec::new();
        }
        let after_gap = gap_s > hold_gap_s;
        let mut steps = Vec::new();
        if !after_gap {
            // At most 600 by `Manifest::check`.
            for k in 1..periods as u32 {
                let offset = jiff::SignedDuration::from_secs_f64(f64::from(k) * period_s);
                let at = before.checked_add(offset).unwrap_or(*before);
                steps.push(Step {
                    at,
                    raw: held.clone(),
                    after_gap: false,
                    filled: true,
                });
            }
        }
        self.last = Some((at, raw.clone()));
        steps.push(Step {
            at,
            raw,
            after_gap,
            filled: false,
        });
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(times: &[f64]) -> Vec<(f64, bool, bool)> {
        let mut period = Period::new();
        let mut all = Vec::new();
        for t in times {
            let at = Timestamp::from_millisecond((t * 1000.0) as i64).unwrap();
            all.extend(period.push(at, vec![Some(*t)], 1.0, 5.0));
        }
        all.iter()
            .map(|s| (s.at.as_millisecond() as f64 / 1000.0, s.filled, s.after_gap))
            .collect()
    }

    #[test]
    fn short_gaps_are_held_and_long_ones_reset() {
        let got = steps(&[0.0, 1.0, 3.0, 20.0]);
        let expected = [
            (0.0, false, true),
            (1.0, false, false),
            (2.0, true, false),
            (3.0, false, false),
            (20.0, false, true),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn early_doubled_and_older_rows_make_no_step() {
        assert_eq!(steps(&[0.0, 0.9, 0.95, 0.9, -7.0, 1.9]).len(), 3);
    }
}
