//! An appliance whose normal is known: every step is compared with it, and with what it was at first.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::channel::Channel;
use super::normal::{Age, Deviation, Normal, Rule};
use super::score::strongest;
use super::settings::Settings;
use super::{ChannelBaseline, Step};

/// Share of the threshold below which an appliance is quiet enough for its normal to follow it.
const QUIET: f64 = 0.5;

/// State between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watching {
    normals: Vec<Normal>,
    age: Age,
    quick: Alarm,
    slow: Alarm,
}

/// Both scores, as the state is.
struct Scores {
    quick: f64,
    quick_top: Vec<(usize, f64)>,
    slow: f64,
    slow_top: Vec<(usize, f64)>,
    /// The largest strict deviation.
    strict: f64,
}

impl Watching {
    pub(super) fn new(mut normals: Vec<Normal>, calibration: u32) -> Self {
        normals.shrink_to_fit();
        Self {
            normals,
            age: Age {
                calibration: u16::try_from(calibration).unwrap_or(u16::MAX),
                steps: 0,
                free: 0,
            },
            quick: Alarm::default(),
            slow: Alarm::default(),
        }
    }

    /// Whether a step has a value of a channel that is watched.
    pub(super) fn hears(&self, values: &[Option<f64>]) -> bool {
        let has = |normal: &Normal| values.get(normal.channel()).copied().flatten().is_some();
        self.normals.iter().any(has)
    }

    /// Takes a step with a value of a channel that is watched.
    pub(super) fn step(
        &mut self,
        channels: &[Channel],
        settings: &Settings,
        values: &[Option<f64>],
        after_gap: bool,
        finding_open: bool,
    ) -> Step {
        let value = |normal: &Normal| values.get(normal.channel()).copied().flatten();
        let stood = self.alarm();
        if after_gap {
            self.quick.interrupt();
            self.slow.interrupt();
        }
        self.age.steps = self.age.steps.saturating_add(1);
        self.each(channels, settings, |normal, rule| {
            normal.take(value(normal), after_gap, rule)
        });
        let scores = self.scores(channels, settings);
        let whole = !self.normals.iter().any(Normal::silent);
        self.quick.next(scores.quick, whole, settings);
        self.slow.next(scores.slow, whole, settings);
        if !finding_open {
            self.age.free = self.age.free.saturating_add(1);
            self.each(channels, settings, Normal::wander_on);
        }
        let quiet = scores.strict < settings.follow_below && scores.quick < QUIET * settings.threshold;
        if quiet && !self.alarm() && !finding_open {
            self.each(channels, settings, |normal, rule| {
                if let Some(value) = value(normal) {
                    normal.follow(value, rule);
                }
            });
        }
        self.says(scores, self.alarm() && !stood, true)
    }

    /// What a step without a value of a watched channel says: nothing new.
    pub(super) fn unchanged(&self, channels: &[Channel], settings: &Settings) -> Step {
        self.says(self.scores(channels, settings), false, false)
    }

    pub(super) fn baseline(&self, channels: &[Channel], settings: &Settings) -> Vec<ChannelBaseline> {
        let age = self.age;
        let baseline = |normal: &Normal| {
            let channel = channels.get(normal.channel())?;
            Some(normal.baseline(Rule { channel, settings, age }))
        };
        self.normals.iter().filter_map(baseline).collect()
    }

    /// Steps since the calibration, as far as they matter.
    pub(super) fn steps(&self) -> u16 {
        self.age.steps
    }

    pub(super) fn wander(&self, channels: &[Channel]) -> Vec<(usize, f64)> {
        let wander = |normal: &Normal| Some((normal.channel(), normal.wander(channels.get(normal.channel())?)));
        self.normals.iter().filter_map(wander).collect()
    }

    pub(super) fn floors(&self, channels: &[Channel], settings: &Settings) -> Vec<(usize, f64)> {
        self.told(channels, settings, Normal::floor_told)
    }

    pub(super) fn tolerances(&self, channels: &[Channel], settings: &Settings) -> Vec<(usize, f64)> {
        self.told(channels, settings, Normal::tolerance_told)
    }

    fn told(
        &self,
        channels: &[Channel],
        settings: &Settings,
        of: impl Fn(&Normal, Rule<'_>) -> f64,
    ) -> Vec<(usize, f64)> {
        let age = self.age;
        let told = |normal: &Normal| {
            let channel = channels.get(normal.channel())?;
            Some((normal.channel(), of(normal, Rule { channel, settings, age })))
        };
        self.normals.iter().filter_map(told).collect()
    }

    /// How far each channel's value is from what was normal at first, in floors.
    pub(super) fn deviations(
        &self,
        channels: &[Channel],
        settings: &Settings,
        values: &[Option<f64>],
    ) -> Vec<Option<f64>> {
        let mut all = vec![None; channels.len()];
        for normal in &self.normals {
            let i = normal.channel();
            let known = channels.get(i).zip(values.get(i).copied().flatten());
            if let (Some(one), Some((channel, value))) = (all.get_mut(i), known) {
                let age = self.age;
                *one = Some(normal.floors_of(value, Rule { channel, settings, age }));
            }
        }
        all
    }

    /// How far each channel's moving average is, in widths; 0 of one that is silent or not watched.
    pub(super) fn moved(&self, channels: &[Channel], settings: &Settings, slow: bool) -> Vec<f64> {
        let mut all = vec![0.0; channels.len()];
        for normal in self.normals.iter().filter(|normal| !normal.silent()) {
            let i = normal.channel();
            if let (Some(one), Some(channel)) = (all.get_mut(i), channels.get(i)) {
                let age = self.age;
                let deviation = normal.deviation(Rule { channel, settings, age });
                *one = if slow { deviation.slow } else { deviation.quick };
            }
        }
        all
    }

    /// The value of a channel that is so many floors from what was normal at first; none of one that is not watched.
    pub(super) fn value_at(
        &self,
        channels: &[Channel],
        settings: &Settings,
        channel: usize,
        floors: f64,
    ) -> Option<f64> {
        let normal = self.normals.iter().find(|normal| normal.channel() == channel)?;
        let (channel, age) = (channels.get(channel)?, self.age);
        Some(normal.value_at(floors, Rule { channel, settings, age }))
    }

    fn alarm(&self) -> bool {
        self.quick.standing() || self.slow.standing()
    }

    fn says(&self, scores: Scores, rose: bool, measured: bool) -> Step {
        let slow = self.slow.standing() && !self.quick.standing();
        Step::Watching {
            score: scores.quick,
            top: if slow { scores.slow_top } else { scores.quick_top },
            slow_score: scores.slow,
            alarm: self.alarm(),
            rose,
            slow,
            measured,
        }
    }

    fn scores(&self, channels: &[Channel], settings: &Settings) -> Scores {
        let age = self.age;
        let deviation = |normal: &Normal| {
            let channel = channels.get(normal.channel())?;
            Some((normal.channel(), normal.deviation(Rule { channel, settings, age })))
        };
        let heard = self.normals.iter().filter(|normal| !normal.silent());
        let deviations: Vec<(usize, Deviation)> = heard.filter_map(deviation).collect();
        let (quick, quick_top) = strongest(deviations.iter().map(|(i, d)| (*i, d.quick)));
        let (slow, slow_top) = strongest(deviations.iter().map(|(i, d)| (*i, d.slow)));
        Scores {
            quick,
            quick_top,
            slow,
            slow_top,
            strict: deviations.iter().map(|(_, d)| d.strict).fold(0.0, f64::max),
        }
    }

    fn each(&mut self, channels: &[Channel], settings: &Settings, mut act: impl FnMut(&mut Normal, Rule<'_>)) {
        let age = self.age;
        for normal in &mut self.normals {
            if let Some(channel) = channels.get(normal.channel()) {
                act(normal, Rule { channel, settings, age });
            }
        }
    }
}
