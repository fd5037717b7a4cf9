//! Whether what is taken for a unit's normal is one state of it. Means of stretches are compared with the two before: a drift
//! moves them by less than seven times what a stretch varies within itself, another state by more.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// Stretches of a calibration.
const STRETCHES: u32 = 10;
/// Steps of a stretch, at least: fewer say nothing of how much they vary.
const STEPS_MIN: u32 = 5;
/// Two means are of one state up to so many times what the stretches vary.
const VARIATIONS_MAX: f64 = 8.0;
/// And up to so many times what is harmless in the family.
const FLOORS_MAX: f64 = 4.0;

/// The stretch that is under way, the two before it, and whether two of them were too far apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Levels {
    steps: u32,
    sums: Vec<Sum>,
    /// Mean and deviation of each feature, where it was there.
    before: VecDeque<Vec<Option<(f64, f64)>>>,
    several: bool,
}

/// Of one feature (Welford's update).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Levels {
    pub(crate) fn new(features: usize) -> Self {
        Self {
            steps: 0,
            sums: vec![Sum::default(); features],
            before: VecDeque::new(),
            several: false,
        }
    }

    /// Two stretches were of different states.
    pub(crate) fn several(&self) -> bool {
        self.several
    }

    /// Takes a step of a calibration of so many steps.
    pub(crate) fn add(&mut self, step: &[Option<f64>], calibration: u32, manifest: &Manifest) {
        for (sum, value) in self.sums.iter_mut().zip(step) {
            if let Some(value) = value {
                sum.add(*value);
            }
        }
        self.steps += 1;
        if self.steps < (calibration / STRETCHES).max(STEPS_MIN) {
            return;
        }
        let stretch: Vec<_> = self.sums.iter().map(Sum::told).collect();
        let differs = |before: &Vec<Option<(f64, f64)>>| {
            let pairs = stretch.iter().zip(before).zip(&manifest.features);
            let mut known = pairs.filter_map(|((new, old), feature)| Some(((*new)?, (*old)?, feature.floor)));
            known.any(|((mean, deviation), (other, also), floor)| {
                (mean - other).abs() > VARIATIONS_MAX * (deviation + also) / 2.0 + FLOORS_MAX * floor
            })
        };
        self.several |= self.before.iter().any(differs);
        self.before.push_back(stretch);
        if self.before.len() > 2 {
            self.before.pop_front();
        }
        self.steps = 0;
        self.sums.fill(Sum::default());
    }

    /// The calibration has ended: only what it showed is kept.
    pub(crate) fn end(&mut self) {
        self.sums.clear();
        self.before.clear();
    }
}

impl Sum {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    fn told(&self) -> Option<(f64, f64)> {
        (self.count > 1.0).then(|| (self.mean, (self.squares / self.count).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn several(of: impl Fn(usize) -> f64) -> bool {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
        let (manifest, _) = crate::model::load_manifest(&folder).unwrap();
        let mut levels = Levels::new(manifest.features.len());
        let noise = |i: usize| ((i * 7_919) % 1_000) as f64 / 1_000.0 - 0.5;
        for i in 0..200 {
            let mut step = vec![None; manifest.features.len()];
            // The pressure, which no floor of the family hides.
            step[3] = Some(of(i) + noise(i));
            levels.add(&step, 200, &manifest);
        }
        levels.several()
    }

    #[test]
    fn another_state_is_seen_wherever_it_begins_and_a_drift_is_none() {
        assert!(!several(|_| 20.0));
        assert!(!several(|i| i as f64 * 0.5));
        assert!(!several(|i| 3.0 * (i as f64 / 30.0).sin()));
        for begins in [25, 70, 100, 133] {
            assert!(several(|i| if i < begins { 0.0 } else { 60.0 }), "{begins}");
        }
    }
}
