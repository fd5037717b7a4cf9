//! The two scores of a model with a network: distance from the unit's baseline, and what the network cannot reproduce of a window.

use std::collections::VecDeque;

use crate::baseline::Deviation;
use crate::manifest::Manifest;
use crate::network::{Reconstruction, Window};
use crate::verdict::Verdict;

/// Adds the step to the window and gives the window once it is full.
pub(super) fn slide(window: &mut VecDeque<f32>, deviation: &Deviation, manifest: &Manifest) -> Option<Window> {
    let autoencoder = manifest.autoencoder.as_ref()?;
    let clip = autoencoder.clip;
    window.extend(deviation.scaled.iter().map(|z| (*z as f32).clamp(-clip, clip)));
    let features = manifest.features.len();
    let whole = autoencoder.window * features;
    window.drain(..window.len().saturating_sub(whole));
    let full = window.len() == whole;
    full.then(|| Window {
        scaled: (0..features)
            .flat_map(|i| window.iter().skip(i).step_by(features).copied())
            .collect(),
    })
}

/// Both scores and each feature's share: half from the distance, half from the reconstruction.
pub(super) fn score(verdict: &mut Verdict, deviation: &Deviation, made: Option<&Reconstruction>, manifest: &Manifest) {
    verdict.baseline_score = (deviation.distance / manifest.baseline.threshold) as f32;
    let from_baseline = shares(deviation.parts.iter().copied());
    let (Some(made), Some(autoencoder)) = (made, &manifest.autoencoder) else {
        verdict.contributions = from_baseline;
        return;
    };
    verdict.judged = true;
    verdict.autoencoder_score = (made.total() / autoencoder.threshold) as f32;
    verdict.score = verdict.baseline_score.min(verdict.autoencoder_score);
    let from_network = shares(made.errors.iter().map(|e| f64::from(*e)));
    verdict.contributions = from_baseline
        .iter()
        .zip(&from_network)
        .map(|(a, b)| (a + b) / 2.0)
        .collect();
}

fn shares(parts: impl Iterator<Item = f64> + Clone) -> Vec<f32> {
    let sum: f64 = parts.clone().sum();
    parts.map(|p| if sum > 0.0 { (p / sum) as f32 } else { 0.0 }).collect()
}
