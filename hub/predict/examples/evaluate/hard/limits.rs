//! The rule that needs no statistics: each feature within limits around what the machine's first runs were, the same width for the
//! whole fleet. An alarm where a feature is outside for the hold time.

use hub_predict::generic::{Channel, Settings};

use super::machine::Run;
use super::watch::{Held, Said, Watched};

/// From a median absolute deviation to a standard deviation, of a normal distribution.
const DEVIATION: f64 = 1.4826;

/// Usual spread of each feature over the runs of a machine.
pub struct Limits {
    spreads: Vec<f64>,
    calibration: usize,
}

impl Limits {
    pub fn learn(fleet: &[Vec<Run>], channels: &[Channel], features: usize, calibration: u32) -> Self {
        let calibration = calibration as usize;
        let spread = |feature: usize| {
            let of_machine = fleet.iter().flat_map(|runs| {
                let first = first(runs, feature, channels, calibration);
                let later = runs.iter().skip(calibration);
                later.filter_map(move |run| Some((value(run, feature, channels)? - first?).abs()))
            });
            let mut apart: Vec<f64> = of_machine.collect();
            apart.sort_by(f64::total_cmp);
            DEVIATION * apart.get(apart.len() / 2).copied().unwrap_or(1.0).max(1e-6)
        };
        Self {
            spreads: (0..features).map(spread).collect(),
            calibration,
        }
    }

    /// A machine watched with limits at so many spreads.
    pub fn watch(&self, runs: &[Run], channels: &[Channel], settings: &Settings, limit: f64) -> Watched {
        let features = 0..self.spreads.len();
        let firsts: Vec<_> = features.map(|i| first(runs, i, channels, self.calibration)).collect();
        let mut held: Vec<Held> = firsts.iter().map(|_| Held::new(settings.hold as usize)).collect();
        let mut said: Vec<Said> = Vec::new();
        let (mut stands, mut within) = (false, 0);
        let mut scores = vec![0.0; firsts.len()];
        for run in runs.iter().skip(self.calibration) {
            for (i, first) in firsts.iter().enumerate() {
                if let Some(apart) = value(run, i, channels).zip(*first).map(|(v, first)| v - first) {
                    scores[i] = held[i].next(apart.abs() / self.spreads[i]);
                }
            }
            let (top, score) = scores
                .iter()
                .copied()
                .enumerate()
                .fold((0, 0.0), |top, one| if one.1 > top.1 { one } else { top });
            let rose = score >= limit && !stands;
            within = if score < settings.clear_below * limit {
                within + 1
            } else {
                0
            };
            stands = rose || (stands && within < settings.clear_after);
            said.push(Said {
                day: run.day,
                ticket: score,
                call: score,
                rose,
                stands,
                top,
            });
        }
        Watched {
            said,
            wander: Vec::new(),
        }
    }
}

/// A feature on the scale on which it is compared.
fn value(run: &Run, feature: usize, channels: &[Channel]) -> Option<f64> {
    let value = run.values[feature]?;
    let by_factor = matches!(channels[feature].unit.as_str(), "m/s2" | "A" | "W");
    Some(if by_factor { value.max(1e-3).ln() } else { value })
}

fn first(runs: &[Run], feature: usize, channels: &[Channel], calibration: usize) -> Option<f64> {
    let first = runs.iter().take(calibration);
    let values: Vec<f64> = first.filter_map(|run| value(run, feature, channels)).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
