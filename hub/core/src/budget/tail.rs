//! How rare a high score is: the excesses over a high score have a generalised Pareto distribution (Pickands, Annals of Statistics 3,
//! 1975), fitted by probability-weighted moments (Hosking and Wallis, Technometrics 29, 1987), whose shape is pooled over the appliance
//! models of a family. All scores here are logarithms.

use serde::{Deserialize, Serialize};

/// Share of the appliances' months that is taken for the tail.
const SHARE: f64 = 0.05;
/// Excesses that are taken where that share is fewer.
const EXCESSES_MIN: u32 = 30;
/// Fewest excesses that anything is fitted to.
const EXCESSES_FITTED_MIN: usize = 10;
/// Bounds of the shape: a tail with an end far out, and one so heavy that moments still exist.
const SHAPE: (f64, f64) = (-0.5, 0.6);
/// Excesses that the family's shape counts for in the shape of one appliance model.
const POOLED_WEIGHT: f64 = 50.0;
/// Smallest scale, for scores that are all the same.
const SCALE_MIN: f64 = 1e-6;

/// The upper tail of the highest scores of appliances' months.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// Logarithm of the score that excesses are counted from.
    pub start: f64,
    /// Shape ξ of the distribution of excesses: 0 an exponential one, above it heavier, below it with an end.
    pub shape: f64,
    /// Scale σ.
    pub scale: f64,
    /// Share of the appliances' months beyond `start`.
    pub share: f64,
    /// Count of excesses that it was fitted to.
    pub excesses: u32,
}

/// How many excesses of so many appliances' months make the tail: 5 %, at least 30, at most a quarter.
pub(super) fn excesses_of(device_months: u32) -> usize {
    let share = (SHARE * f64::from(device_months)) as u32;
    share.max(EXCESSES_MIN).min(device_months / 4) as usize
}

impl Tail {
    /// Fits the tail with the shape that these scores have by themselves. `falling` are the highest ones, highest first, one more
    /// than [`excesses_of`] where there are that many. None where there are too few.
    pub(super) fn fit(falling: &[f64], device_months: u32) -> Option<Self> {
        let excesses = excesses_of(device_months).min(falling.len().saturating_sub(1));
        if excesses < EXCESSES_FITTED_MIN {
            return None;
        }
        let start = falling[excesses];
        let count = excesses as f64;
        let (mut mean, mut weighted) = (0.0, 0.0);
        for (above, score) in falling[..excesses].iter().enumerate() {
            let excess = score - start;
            mean += excess / count;
            // Of the others, the share above this one: the unbiased estimate of 1 − F.
            weighted += excess * (above as f64 / (count - 1.0)) / count;
        }
        let difference = mean - 2.0 * weighted;
        let shape = if difference > 1e-12 {
            2.0 - mean / difference
        } else {
            0.0
        };
        let shape = shape.clamp(SHAPE.0, SHAPE.1);
        Some(Self {
            start,
            shape,
            scale: (mean * (1.0 - shape)).max(SCALE_MIN),
            share: count / f64::from(device_months),
            excesses: excesses as u32,
        })
    }

    /// The same tail with its shape drawn towards the family's, as if that were 50 more excesses. The mean excess stays.
    pub(super) fn pooled(self, family_shape: f64) -> Self {
        let mean = self.scale / (1.0 - self.shape);
        let count = f64::from(self.excesses);
        let shape = (count * self.shape + POOLED_WEIGHT * family_shape) / (count + POOLED_WEIGHT);
        Self {
            shape,
            scale: (mean * (1.0 - shape)).max(SCALE_MIN),
            ..self
        }
    }

    /// Logarithm of the score that this share of the appliances' months reaches. No lower than the start of the tail.
    pub fn level(&self, rate: f64) -> f64 {
        if rate >= self.share {
            return self.start;
        }
        let rarer = self.share / rate;
        let excess = if self.shape.abs() < 1e-6 {
            rarer.ln()
        } else {
            (rarer.powf(self.shape) - 1.0) / self.shape
        };
        self.start + self.scale * excess
    }

    /// Share of the appliances' months that reaches the score of this logarithm. Below the tail, the share that reaches its start.
    pub fn rate(&self, score: f64) -> f64 {
        let excess = (score - self.start).max(0.0) / self.scale;
        let survival = if self.shape.abs() < 1e-6 {
            (-excess).exp()
        } else {
            (1.0 + self.shape * excess).max(0.0).powf(-1.0 / self.shape)
        };
        self.share * survival
    }
}

/// The shape of a family: the mean over its appliance models, each by its count of excesses. Exponential where there is none.
pub(super) fn family_shape(tails: impl IntoIterator<Item = Tail>) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for tail in tails {
        let count = f64::from(tail.excesses);
        sum += count * tail.shape;
        weight += count;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}
