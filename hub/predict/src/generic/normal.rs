//! What is normal for one channel of one appliance, and where its moving average is.

use serde::{Deserialize, Serialize};

use super::ChannelBaseline;
use super::channel::{Channel, Scale};
use super::settings::Settings;

/// Deviations count up to this many widths: one step that is far off is no more of a fault than one that is off.
const CLIP: f64 = 10.0;
/// From a median absolute deviation to a standard deviation, of a normal distribution.
const DEVIATION: f64 = 1.4826;
/// Steps for which a channel that is silent is taken to be as it was.
const SILENT_MAX: u8 = 3;
/// Drift that the appliance showed while it was calibrated widens the tolerance by at most so many floors.
const DRIFT_FLOORS: f64 = 2.0;
/// A deviation from what was normal at first counts in floors of so many times the width.
const SLOW: f64 = 2.0;

/// State of one channel, on the scale on which it is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Normal {
    channel: u16,
    scale: Scale,
    /// Steps for which it has been silent.
    silent: u8,
    /// Mean of the calibration; stays.
    first: f32,
    /// Centre; follows slow changes while the appliance is quiet.
    centre: f32,
    average: f32,
    /// Variance of a step that is noise: by differences, so that drift is none of it.
    noise: f32,
    /// Variance that the channel's own drift gained with each step of the calibration.
    drift: f32,
    /// Mean square of the average's distance from `first`.
    wander: f32,
}

/// What a channel's state is read by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<'a> {
    pub(super) channel: &'a Channel,
    pub(super) settings: &'a Settings,
    pub(super) age: Age,
}

/// Age of a normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Age {
    /// Steps of its calibration.
    pub(super) calibration: u16,
    /// Steps since, as far as they matter.
    pub(super) steps: u16,
    /// Those of them without a finding.
    pub(super) free: u16,
}

/// Deviations of a channel's moving average.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deviation {
    /// From the centre, in widths of all that is harmless.
    pub(super) quick: f64,
    /// From what was normal at first.
    pub(super) slow: f64,
    /// From the centre, in widths without drift: what decides whether the centre may follow.
    pub(super) strict: f64,
}

impl Normal {
    /// The normal of a channel by its values in a calibration.
    pub(super) fn learn(i: u16, channel: &Channel, values: &[f64]) -> Self {
        let scale = channel.scale(values.iter().copied());
        let values: Vec<f64> = values.iter().map(|v| channel.scaled(*v, scale)).collect();
        let noise = noise(&values);
        let lag = (values.len() / 2).max(2);
        let pairs = values.iter().zip(values.iter().skip(lag));
        let gained = mean(pairs.map(|(before, after)| (after - before).powi(2))) - 2.0 * noise;
        let first = mean(values.iter().copied()) as f32;
        Self {
            channel: i,
            scale,
            silent: 0,
            first,
            centre: first,
            average: first,
            noise: noise as f32,
            drift: (gained.max(0.0) / lag as f64) as f32,
            wander: 0.0,
        }
    }

    pub(super) fn channel(&self) -> usize {
        self.channel.into()
    }

    /// It has been silent for too long to be compared.
    pub(super) fn silent(&self) -> bool {
        self.silent > SILENT_MAX
    }

    /// Takes a step's value into the moving average, which starts from the centre again after a gap of the appliance or of
    /// this channel.
    pub(super) fn take(&mut self, value: Option<f64>, after_gap: bool, rule: Rule<'_>) {
        if after_gap || (self.silent() && value.is_some()) {
            self.average = self.centre;
        }
        let Some(value) = value else {
            self.silent = self.silent.saturating_add(1);
            return;
        };
        self.silent = 0;
        let change = self.within(value, rule) - f64::from(self.average);
        self.average += (rule.settings.ewma * change) as f32;
    }

    /// Lets the centre follow a step's value.
    pub(super) fn follow(&mut self, value: f64, rule: Rule<'_>) {
        let change = self.within(value, rule) - f64::from(self.centre);
        self.centre += (change / rule.settings.follow_steps.max(1.0)) as f32;
    }

    /// Takes where the average is now into how far it wanders.
    pub(super) fn wander_on(&mut self, rule: Rule<'_>) {
        let apart = (self.average - self.first).powi(2);
        self.wander += (apart - self.wander) / f32::from(rule.age.free.max(1));
    }

    /// How far it wanders, as a fleet's floors are told.
    pub(super) fn wander(&self, channel: &Channel) -> f64 {
        channel.as_floor(f64::from(self.wander).sqrt(), self.first.into(), self.scale)
    }

    /// The floor in force, as a fleet's floors are told.
    pub(super) fn floor_told(&self, rule: Rule<'_>) -> f64 {
        rule.channel.as_floor(self.floor(rule), self.first.into(), self.scale)
    }

    /// The floor in force and the appliance's own drift together, as a fleet's floors are told.
    pub(super) fn tolerance_told(&self, rule: Rule<'_>) -> f64 {
        let tolerance = (self.floor(rule).powi(2) + self.drift(rule)).sqrt();
        rule.channel.as_floor(tolerance, self.first.into(), self.scale)
    }

    pub(super) fn deviation(&self, rule: Rule<'_>) -> Deviation {
        let from = |centre: f32| f64::from(self.average - centre);
        let (floor, noise) = (self.floor(rule), self.noise(rule));
        Deviation {
            quick: (from(self.centre) / self.width(rule)).clamp(-CLIP, CLIP),
            slow: (from(self.first) / ((SLOW * floor).powi(2) + noise).sqrt()).clamp(-CLIP, CLIP),
            strict: from(self.centre).abs() / (floor.powi(2) + noise).sqrt(),
        }
    }

    pub(super) fn baseline(&self, rule: Rule<'_>) -> ChannelBaseline {
        let first = rule.channel.plain(self.first.into(), self.scale);
        let factor = match self.scale {
            Scale::Plain => 1.0,
            Scale::Logarithm => first,
        };
        let Deviation { quick, slow, .. } = self.deviation(rule);
        ChannelBaseline {
            channel: self.channel(),
            centre: rule.channel.plain(self.centre.into(), self.scale),
            first_centre: first,
            average: rule.channel.plain(self.average.into(), self.scale),
            floor: self.floor(rule) * factor,
            noise: f64::from(self.noise).sqrt() * factor,
            by_ratio: self.scale == Scale::Logarithm,
            width: self.width(rule),
            deviation: quick,
            slow_deviation: slow,
            silent: self.silent(),
        }
    }

    /// How far a value is from what was normal at first, in floors.
    pub(super) fn floors_of(&self, value: f64, rule: Rule<'_>) -> f64 {
        (rule.channel.scaled(value, self.scale) - f64::from(self.first)) / self.floor(rule)
    }

    /// The value that is so many floors from what was normal at first.
    pub(super) fn value_at(&self, floors: f64, rule: Rule<'_>) -> f64 {
        let scaled = f64::from(self.first) + floors * self.floor(rule);
        rule.channel.plain(scaled, self.scale)
    }

    /// A value on the channel's scale, not farther from the centre than deviations count: so one step alone raises no alarm.
    fn within(&self, value: f64, rule: Rule<'_>) -> f64 {
        let (centre, farthest) = (f64::from(self.centre), CLIP * self.width(rule));
        let value = rule.channel.scaled(value, self.scale);
        value.max(centre - farthest).min(centre + farthest)
    }

    fn floor(&self, rule: Rule<'_>) -> f64 {
        let fleet = rule.settings.fleet_floor(self.channel());
        rule.channel
            .floor(self.first.into(), self.scale, rule.settings.step, fleet)
    }

    /// Variance of the moving average and of the centre that is noise.
    fn noise(&self, rule: Rule<'_>) -> f64 {
        let ewma = rule.settings.ewma;
        f64::from(self.noise) * (ewma / (2.0 - ewma) + 1.0 / f64::from(rule.age.calibration.max(1)))
    }

    /// What is harmless: the floor, noise, and the appliance's own drift.
    fn width(&self, rule: Rule<'_>) -> f64 {
        (self.floor(rule).powi(2) + self.noise(rule) + self.drift(rule)).sqrt()
    }

    /// Variance that is the appliance's own drift; 0 once a fleet has shown what drifts. A hub's first floors of a fleet begin where this
    /// ends, by [`Self::tolerance_told`].
    fn drift(&self, rule: Rule<'_>) -> f64 {
        let steps = f64::from(rule.age.calibration) / 2.0 + f64::from(rule.age.steps);
        let steps = steps.min(rule.settings.follow_steps / 2.0);
        match rule.settings.fleet_floor(self.channel()) {
            Some(_) => 0.0,
            None => (f64::from(self.drift) * steps).min((DRIFT_FLOORS * self.floor(rule)).powi(2)),
        }
    }
}

/// Variance of the noise of a step: half of that of differences, cut where a few large ones decide.
fn noise(values: &[f64]) -> f64 {
    let differences: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let centre = mean(differences.iter().copied());
    let variance = mean(differences.iter().map(|d| (d - centre).powi(2)));
    let middle = median(differences.clone());
    let cut = 3.0 * DEVIATION * median(differences.iter().map(|d| (d - middle).abs()).collect());
    variance.min(cut.powi(2)) / 2.0
}

/// 0 of no values.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The upper one of two: a value that was there, not one between two states. 0 of no values.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
