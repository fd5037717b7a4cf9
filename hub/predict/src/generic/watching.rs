//! An appliance whose normal is known: every step is compared with it, and with what it was at first.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::channel::Channel;
use super::normal::{Deviation, Normal, Rule};
use super::score::strongest;
use super::settings::Settings;
use super::{ChannelBaseline, Step};

/// Share of the threshold below which an appliance is quiet enough for its normal to follow it.
const QUIET: f64 = 0.5;

/// State between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watching {
    normals: Vec<Normal>,
    /// Steps of the calibration.
    calibration: u16,
    /// Steps since, as far as they matter.
    age: u16,
    quick: Alarm,
    slow: Alarm,
}

/// Both scores, as the state is.
struct Scores {
    quick: f64,
    top: Vec<(usize, f64)>,
    slow: f64,
    /// The largest strict deviation.
    strict: f64,
}

impl Watching {
    pub(super) fn new(mut normals: Vec<Normal>, calibration: u32) -> Self {
        normals.shrink_to_fit();
        Self {
            normals,
            calibration: calibration as u16,
            age: 0,
            quick: Alarm::default(),
            slow: Alarm::default(),
        }
    }

    /// Takes a step with at least one value.
    pub(super) fn step(
        &mut self,
        channels: &[Channel],
        settings: &Settings,
        value: impl Fn(usize) -> Option<f64>,
        after_gap: bool,
        finding_open: bool,
    ) -> Step {
        let stood = self.alarm();
        if after_gap {
            self.quick.interrupt();
            self.slow.interrupt();
        }
        self.age = self.age.saturating_add(1);
        self.each(channels, settings, |normal, rule| {
            normal.take(value(normal.channel()), after_gap, rule)
        });
        let scores = self.scores(channels, settings);
        let whole = !self.normals.iter().any(Normal::silent);
        self.quick.next(scores.quick, whole, settings);
        self.slow.next(scores.slow, whole, settings);
        let quiet = scores.strict < settings.follow_below && scores.quick < QUIET * settings.threshold;
        if quiet && !self.alarm() && !finding_open {
            self.each(channels, settings, |normal, rule| {
                if let Some(value) = value(normal.channel()) {
                    normal.follow(value, rule);
                }
            });
        }
        self.says(scores, self.alarm() && !stood)
    }

    /// What a step without any value says: nothing new.
    pub(super) fn unchanged(&self, channels: &[Channel], settings: &Settings) -> Step {
        self.says(self.scores(channels, settings), false)
    }

    pub(super) fn baseline(&self, channels: &[Channel], settings: &Settings) -> Vec<ChannelBaseline> {
        let rules = self
            .normals
            .iter()
            .filter_map(|n| Some((n, self.rule(n, channels, settings)?)));
        rules.map(|(normal, rule)| normal.baseline(rule)).collect()
    }

    fn alarm(&self) -> bool {
        self.quick.standing() || self.slow.standing()
    }

    fn says(&self, scores: Scores, rose: bool) -> Step {
        Step::Watching {
            score: scores.quick,
            top: scores.top,
            slow_score: scores.slow,
            alarm: self.alarm(),
            rose,
            slow: self.slow.standing() && !self.quick.standing(),
        }
    }

    fn scores(&self, channels: &[Channel], settings: &Settings) -> Scores {
        let heard = self.normals.iter().filter(|normal| !normal.silent());
        let deviations: Vec<(usize, Deviation)> = heard
            .filter_map(|n| Some((n.channel(), n.deviation(self.rule(n, channels, settings)?))))
            .collect();
        let (quick, top) = strongest(deviations.iter().map(|(i, d)| (*i, d.quick)));
        Scores {
            quick,
            top,
            slow: strongest(deviations.iter().map(|(i, d)| (*i, d.slow))).0,
            strict: deviations.iter().map(|(_, d)| d.strict).fold(0.0, f64::max),
        }
    }

    fn each(&mut self, channels: &[Channel], settings: &Settings, mut act: impl FnMut(&mut Normal, Rule<'_>)) {
        for i in 0..self.normals.len() {
            if let Some(rule) = self.rule(&self.normals[i], channels, settings) {
                act(&mut self.normals[i], rule);
            }
        }
    }

    fn rule<'a>(&self, normal: &Normal, channels: &'a [Channel], settings: &'a Settings) -> Option<Rule<'a>> {
        Some(Rule {
            channel: channels.get(normal.channel())?,
            settings,
            calibration: self.calibration.into(),
            age: self.age.into(),
        })
    }
}
