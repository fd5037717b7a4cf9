//! The two scores of a model with a network: distance from the unit's baseline, and what the network cannot reproduce of a window; and what
//! is predicted where they agree.

use std::collections::VecDeque;

use hub_core::prediction::{Contribution, FaultPrediction};

use super::{Detector, Watched};
use crate::baseline::Deviation;
use crate::manifest::Manifest;
use crate::model::Model;
use crate::naming;
use crate::network::{Reconstruction, Window};
use crate::persistence::AlarmState;
use crate::verdict::Verdict;

impl Detector {
    pub(super) fn predict(
        &mut self,
        v: &Verdict,
        state: AlarmState,
        watched: &Watched,
        model: &Model,
    ) -> Option<FaultPrediction> {
        let manifest = model.manifest();
        if !state.alarm {
            self.fault = None;
            return None;
        }
        // Named once, when the alarm rises: a name that changed with every step would open a ticket each time.
        let span = &self.span;
        let name = || naming::classify(&span.scaled, &manifest.features, &manifest.classification);
        let (fault_class, severity) = self.fault.get_or_insert_with(name).clone();
        Some(FaultPrediction {
            basis: manifest.evidence.basis(&fault_class),
            fault_class,
            severity,
            probability: naming::probability(state.held_peak, manifest.probability.as_ref()),
            verdicts: None,
            score: state.held_peak,
            model: self.model.clone(),
            model_hash: Some(model.hash().to_owned()),
            below_call_level: false,
            at: v.at,
            since: state.since.unwrap_or(v.at),
            top: self.contributions(v, watched, manifest),
            second_opinion: None,
        })
    }

    fn contributions(&self, verdict: &Verdict, watched: &Watched, manifest: &Manifest) -> Vec<Contribution> {
        let mut order: Vec<usize> = (0..manifest.features.len()).collect();
        order.sort_by(|a, b| verdict.contributions[*b].total_cmp(&verdict.contributions[*a]));
        let contribution = |i: usize| {
            let (baseline_mean, baseline_deviation) = watched.normal[i];
            Contribution {
                channel: manifest.features[i].name.clone(),
                share: verdict.contributions[i],
                value: self.span.mean(i).unwrap_or(baseline_mean),
                baseline_mean,
                baseline_deviation,
                unit: manifest.features[i].unit.clone(),
            }
        };
        order.into_iter().take(5).map(contribution).collect()
    }
}

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
