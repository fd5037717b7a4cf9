//! A network beside the detector without one: it gives a second opinion when an alarm opens, and is shown what it was trained on.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Autoencoder, Feature, Manifest, Resampling, Transform};
use crate::generic::ChannelBaseline;
use crate::network::{Reconstruction, Window};

/// Steps of the detector that a window may reach back over: they are kept of every appliance.
const KEPT_MAX: usize = 64;
/// Parts of the cut-off in which a deviation is kept.
const PARTS: f64 = 127.0;

/// A feature as the network was trained on it; the detector itself compares it by its own floor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Applied before the deviation is taken.
    #[serde(default)]
    pub transform: Transform,
    /// Deviation, after the transform, that was harmless in training; above 0.
    pub floor: f64,
}

/// What the network is shown, in the words of the detector: read once, used for each step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// Of each feature, in their order.
    inputs: Vec<Input>,
    /// Steps in a window of the network.
    window: usize,
    /// Steps of the detector from one of the network to the next.
    apart: f64,
    /// Steps of the detector that a window needs.
    kept: usize,
    clip: f64,
    threshold: f64,
    /// Part of the variance of a step that is left in the moving average.
    smooth: f64,
}

impl Autoencoder {
    /// Steps of the detector from one of the network to the next.
    fn apart(&self, resampling: &Resampling) -> f64 {
        match (self.period_s, resampling) {
            (Some(period_s), Resampling::Mean { period_s: step_s, .. }) => period_s / step_s,
            _ => 1.0,
        }
    }

    fn reach(&self, resampling: &Resampling) -> usize {
        // Bounded by `Manifest::check`: at most 1,024 steps of at most one each.
        (self.window.saturating_sub(1) as f64 * self.apart(resampling)).ceil() as usize + 1
    }
}

impl Manifest {
    /// Values that are kept for the network that gives a second opinion; none where there is none.
    pub(crate) fn kept_for_opinion(&self) -> usize {
        match (&self.detector, &self.autoencoder) {
            (Some(_), Some(network)) => network.reach(&self.resampling) * self.features.len(),
            _ => 0,
        }
    }

    /// What a network beside the detector must keep to.
    pub(super) fn check_opinion(&self, network: &Autoencoder) -> Result<(), String> {
        let is_fed = |feature: &Feature| {
            let input = network.inputs.get(&feature.name);
            input.is_some_and(|input| input.floor > 0.0 && input.floor.is_finite())
        };
        if network.inputs.len() != self.features.len() || !self.features.iter().all(is_fed) {
            return Err(
                "autoencoder.inputs needs each feature of the model and no other, with a floor above 0".to_owned(),
            );
        }
        if self.detector.as_ref().is_some_and(|rule| !rule.conditions.is_empty()) {
            return Err(
                "autoencoder: the network sees features as they are read, so it needs a detector without conditions"
                    .to_owned(),
            );
        }
        match (network.period_s, &self.resampling) {
            (None, _) => {}
            (Some(period_s), Resampling::Mean { period_s: step_s, .. }) if period_s > 0.0 && period_s <= *step_s => {}
            _ => {
                return Err(
                    "autoencoder.period_s must be above 0 and at most resampling.period_s of rule mean".to_owned(),
                );
            }
        }
        let reach = network.reach(&self.resampling);
        match reach > KEPT_MAX {
            true => Err(format!(
                "autoencoder.window reaches back over {reach} steps of the detector, at most {KEPT_MAX} are kept"
            )),
            false => Ok(()),
        }
    }
}

impl Shown {
    /// None where no network gives a second opinion.
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        manifest.detector.as_ref()?;
        let network = manifest.autoencoder.as_ref()?;
        let input = |feature: &Feature| network.inputs.get(&feature.name).cloned();
        Some(Self {
            inputs: manifest.features.iter().map(input).collect::<Option<_>>()?,
            window: network.window,
            apart: network.apart(&manifest.resampling),
            kept: network.reach(&manifest.resampling),
            clip: f64::from(network.clip),
            threshold: network.threshold,
            smooth: manifest.baseline.ewma / (2.0 - manifest.baseline.ewma),
        })
    }

    /// Adds a step to those that are kept: how far the moving average of each feature is from its normal, in the network's own floors and
    /// the unit's noise, to a 127th of the cut-off. A feature that has no value, or no normal, is where it should be, as in training.
    pub(crate) fn push(&self, seen: &mut VecDeque<i8>, normals: &[ChannelBaseline], values: &[Option<f64>]) {
        let features = self.inputs.len();
        let mut step = vec![0_i8; features];
        for normal in normals {
            let i = normal.channel;
            let has_value = values.get(i).copied().flatten().is_some();
            if let (Some(one), Some(input), true) = (step.get_mut(i), self.inputs.get(i), has_value) {
                let scaled = self.scaled(input, normal).clamp(-self.clip, self.clip);
                *one = (scaled / self.clip * PARTS).round() as i8;
            }
        }
        seen.extend(step);
        seen.drain(..seen.len().saturating_sub(self.kept * features));
    }

    fn scaled(&self, input: &Input, normal: &ChannelBaseline) -> f64 {
        let noise = match input.transform {
            Transform::None => normal.noise,
            // To first order, as `Transform::undo`.
            Transform::Log => normal.noise / normal.centre.abs().max(f64::MIN_POSITIVE),
        };
        let moved = input.transform.apply(normal.average) - input.transform.apply(normal.centre);
        moved / (noise.powi(2) * self.smooth + input.floor.powi(2)).sqrt()
    }

    /// The network's window behind the newest step, once enough are kept. Between two steps of the detector a moving average goes
    /// straight: the network's steps may be shorter.
    pub(crate) fn window(&self, seen: &VecDeque<i8>) -> Option<Window> {
        let features = self.inputs.len();
        if seen.len() != self.kept * features {
            return None;
        }
        let value = |step: usize, feature: usize| {
            let part = seen.get(step * features + feature).copied().unwrap_or(0);
            f64::from(part) / PARTS * self.clip
        };
        let newest = self.kept - 1;
        let at = |feature: usize, step: usize| {
            let place = (newest as f64 - (self.window - 1 - step) as f64 * self.apart).max(0.0);
            let before = place.floor() as usize;
            let from = value(before, feature);
            let to = value((before + 1).min(newest), feature);
            (from + place.fract() * (to - from)) as f32
        };
        Some(Window {
            scaled: (0..features)
                .flat_map(|feature| (0..self.window).map(move |step| (feature, step)))
                .map(|(feature, step)| at(feature, step))
                .collect(),
        })
    }

    /// Whether the network finds a window as unusual as the model's maker asks of an alarm.
    pub(crate) fn finds(&self, made: &Reconstruction) -> bool {
        made.total() >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(window: usize, apart: f64) -> Shown {
        let input = |transform, floor| Input { transform, floor };
        Shown {
            inputs: vec![input(Transform::None, 0.5), input(Transform::Log, 0.03)],
            window,
            apart,
            kept: ((window - 1) as f64 * apart).ceil() as usize + 1,
            clip: 10.0,
            threshold: 1.0,
            smooth: 0.2 / 1.8,
        }
    }

    fn normal(channel: usize, centre: f64, average: f64, noise: f64) -> ChannelBaseline {
        ChannelBaseline {
            channel,
            centre,
            first_centre: centre,
            average,
            // The detector's own, which the network was not trained on.
            floor: 99.0,
            noise,
            by_ratio: false,
            width: 99.0,
            deviation: 0.0,
            slow_deviation: 0.0,
            silent: false,
        }
    }

    #[test]
    fn deviations_are_in_the_networks_own_floors_and_transforms() {
        let (shown, mut seen) = (shown(2, 1.0), VecDeque::new());
        let both = [normal(0, 20.0, 21.0, 0.0), normal(1, 0.2, 0.2 * 0.06_f64.exp(), 0.0)];
        shown.push(&mut seen, &both, &[Some(21.0), Some(0.21)]);
        assert_eq!(shown.window(&seen), None, "one step is no window of two");
        // Noise counts, what is missing is where it should be, and what is far is cut off.
        let noisy = [normal(0, 20.0, 99.0, 1.5), normal(1, 0.2, 0.9, 0.0)];
        shown.push(&mut seen, &noisy, &[Some(99.0), None]);
        let window = shown.window(&seen).unwrap();
        let expected = [2.0, 10.0, 2.0, 0.0];
        for (got, expected) in window.scaled().iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() <= 0.5 / PARTS * 10.0, "{window:?}");
        }
    }

    #[test]
    fn steps_of_the_network_lie_on_straight_lines_between_those_of_the_detector() {
        let (shown, mut seen) = (shown(8, 0.25), VecDeque::new());
        for average in [5.0, 0.0, 1.0, 2.0] {
            let both = [normal(0, 0.0, average, 0.0), normal(1, 1.0, 1.0, 0.0)];
            shown.push(&mut seen, &both, &[Some(average), Some(1.0)]);
        }
        // Seven quarters of a step reach back over three steps; the first of the four has gone.
        assert_eq!(seen.len(), 3 * 2);
        let window = shown.window(&seen).unwrap();
        let flow: Vec<f64> = window.scaled()[..8].iter().map(|z| f64::from(*z)).collect();
        for (step, got) in flow.iter().enumerate() {
            let expected = 2.0 * (2.0 - (7 - step) as f64 * 0.25);
            assert!((got - expected).abs() <= 1.0 / PARTS * 10.0, "{step}: {flow:?}");
        }
        assert!(window.scaled()[8..].iter().all(|z| *z == 0.0));
    }
}
