//! The unit's own normal: mean and covariance of its calibration steps, and the distance of a moving average from it.
//!
//! The distance is Mahalanobis' on an exponentially weighted moving average (Lowry et al., "A multivariate
//! exponentially weighted moving average control chart", Technometrics 34(1), 1992): for weight λ and independent
//! steps, the average's covariance is λ/(2-λ) times that of a step. Two additions keep it quiet on real appliances: the
//! covariance is shrunk towards its diagonal (Ledoit and Wolf, 2004, with a fixed intensity, because 100 steps cannot
//! estimate it), and each feature's harmless deviation (`floor`) is added to the variance.

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::matrix;

/// Running moments of the calibration steps (Welford's update).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    count: Vec<f64>,
    mean: Vec<f64>,
    /// Sum of products of deviations, row-major.
    scatter: Vec<f64>,
}

impl Moments {
    pub(crate) fn new(n: usize) -> Self {
        Self {
            count: vec![0.0; n],
            mean: vec![0.0; n],
            scatter: vec![0.0; n * n],
        }
    }

    /// Adds a step; a missing feature leaves its mean as it is and counts as a deviation of 0.
    pub(crate) fn add(&mut self, step: &[Option<f64>]) {
        let n = self.mean.len();
        let before: Vec<f64> = step
            .iter()
            .zip(&self.mean)
            .map(|(x, m)| x.map_or(0.0, |x| x - m))
            .collect();
        for (i, value) in step.iter().enumerate() {
            if let Some(value) = value {
                self.count[i] += 1.0;
                self.mean[i] += (value - self.mean[i]) / self.count[i];
            }
        }
        for (i, value) in step.iter().enumerate() {
            let after = value.map_or(0.0, |x| x - self.mean[i]);
            for (cell, before) in self.scatter[i * n..].iter_mut().zip(&before) {
                *cell += after * before;
            }
        }
    }

    fn covariance(&self) -> Vec<f64> {
        let n = self.mean.len();
        let mut covariance = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let both = self.count[i].min(self.count[j]);
                let sum = (self.scatter[i * n + j] + self.scatter[j * n + i]) / 2.0;
                covariance[i * n + j] = if both > 0.0 { sum / both } else { 0.0 };
            }
        }
        covariance
    }
}

/// A finished baseline and the moving average that is compared with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Centre of each feature; follows slow drift while the unit is healthy.
    pub(crate) centre: Vec<f64>,
    /// Standard deviation of a single step in calibration.
    pub(crate) deviation: Vec<f64>,
    /// What one unit of scaled deviation is: noise of the average and the family's floor.
    pub(crate) scale: Vec<f64>,
    /// Features never seen in calibration are left out.
    pub(crate) known: Vec<bool>,
    precision: Vec<f64>,
    /// Moving average of each feature.
    pub(crate) average: Vec<f64>,
}

/// One step as seen by a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deviation {
    /// Mahalanobis distance of the moving average.
    pub(crate) distance: f64,
    /// Signed deviation of each feature in units of its scale.
    pub(crate) scaled: Vec<f64>,
    /// Each feature's part of the squared distance, not negative.
    pub(crate) parts: Vec<f64>,
}

impl Baseline {
    /// Ends calibration.
    pub(crate) fn new(moments: &Moments, manifest: &Manifest) -> Self {
        let n = moments.mean.len();
        let rule = &manifest.baseline;
        let of_average = rule.ewma / (2.0 - rule.ewma);
        let covariance = moments.covariance();
        let mut smoothed = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let kept = if i == j { 1.0 } else { 1.0 - rule.shrinkage };
                smoothed[i * n + j] = covariance[i * n + j] * of_average * kept;
            }
            smoothed[i * n + i] += manifest.features[i].floor.powi(2);
        }
        let scale: Vec<f64> = (0..n).map(|i| smoothed[i * n + i].sqrt()).collect();
        let precision = matrix::invert(&smoothed, n).unwrap_or_else(|| diagonal(&scale));
        Self {
            centre: moments.mean.clone(),
            deviation: (0..n).map(|i| covariance[i * n + i].max(0.0).sqrt()).collect(),
            scale,
            known: moments.count.iter().map(|c| *c > 0.0).collect(),
            precision,
            average: moments.mean.clone(),
        }
    }

    /// Takes a step into the moving average; a missing feature keeps its average and counts as no deviation.
    pub(crate) fn observe(&mut self, step: &[Option<f64>], manifest: &Manifest) -> Deviation {
        let rule = &manifest.baseline;
        let n = step.len();
        let mut deviation = vec![0.0; n];
        for i in 0..n {
            if let (Some(value), true) = (step[i], self.known[i]) {
                self.average[i] += rule.ewma * (value - self.average[i]);
                deviation[i] = self.average[i] - self.centre[i];
            }
        }
        let weighted = matrix::times(&self.precision, &deviation);
        let parts: Vec<f64> = deviation.iter().zip(&weighted).map(|(d, w)| (d * w).max(0.0)).collect();
        let squared: f64 = deviation.iter().zip(&weighted).map(|(d, w)| d * w).sum();
        let distance = squared.max(0.0).sqrt();
        if rule.recentre_steps > 0.0 && distance < rule.recentre_below {
            for (centre, d) in self.centre.iter_mut().zip(&deviation) {
                *centre += d / rule.recentre_steps;
            }
        }
        let scaled = deviation.iter().zip(&self.scale).map(|(d, s)| d / s).collect();
        Deviation {
            distance,
            scaled,
            parts,
        }
    }

    /// Forgets the moving average after a long silence: the next steps start from the baseline.
    pub(crate) fn forget_average(&mut self) {
        self.average.clone_from(&self.centre);
    }
}

/// The precision matrix when nothing is known of correlations.
fn diagonal(scale: &[f64]) -> Vec<f64> {
    let n = scale.len();
    let mut precision = vec![0.0; n * n];
    for (i, s) in scale.iter().enumerate() {
        precision[i * n + i] = 1.0 / (s * s);
    }
    precision
}
