//! The stretch of steps that is taken for an appliance's normal: one that is a single state. A start, another regime or a fault
//! among the first steps would make the detector blind and noisy at once, so the stretch begins behind it.

use serde::{Deserialize, Serialize};

use super::Step;
use super::channel::Channel;
use super::normal::{Normal, median};
use super::settings::Settings;

/// Floors between a step and the median of its stretch, up to which they are one state.
const FLOORS_MAX: f64 = 10.0;
/// Stretches without one of a single state, after which that is said.
const STRETCHES: u32 = 5;
/// Place of a missing value: beyond any value that is usable.
const MISSING: f32 = f32::MAX;

/// Steps in hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    need: u32,
    /// Step by step, each with a value for every channel.
    values: Vec<f32>,
    /// Steps since the appliance began, those that were given up included.
    seen: u32,
    /// Channel that made it begin again the last time.
    restarted_by: Option<u16>,
}

/// A step that is not of its stretch's state.
struct Offender {
    step: usize,
    channel: u16,
    floors: f64,
}

impl Calibration {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            need: settings.need(),
            values: Vec::new(),
            seen: 0,
            restarted_by: None,
        }
    }

    /// Steps that are needed.
    pub(super) fn need(&self) -> u32 {
        self.need
    }

    /// Channel that made it begin again the last time.
    pub(super) fn restarted_by(&self) -> Option<usize> {
        self.restarted_by.map(usize::from)
    }

    /// How far it is, with so many channels.
    pub(super) fn told(&self, channels: usize) -> Step {
        match self.restarted_by() {
            Some(channel) if self.seen >= STRETCHES * self.need => Step::CannotCalibrate { channel },
            restarted_by => Step::Calibrating {
                have: self.have(channels),
                need: self.need,
                restarted_by,
            },
        }
    }

    /// Takes a step with at least one value, one for each channel; gives the normals of the channels that can be watched,
    /// once a stretch is of a single state.
    pub(super) fn add(
        &mut self,
        channels: &[Channel],
        settings: &Settings,
        step: &[Option<f64>],
    ) -> Option<Vec<Normal>> {
        self.seen = self.seen.saturating_add(1);
        self.values.extend(step.iter().map(|v| v.map_or(MISSING, |v| v as f32)));
        let have = self.have(channels.len());
        if have < self.need {
            return None;
        }
        if let Some(offender) = self.offender(channels, settings) {
            // Where the newest step is the one, it may be the first of a state that lasts.
            let newest = offender.step + 1 == have as usize;
            self.give_up(if newest { 1 } else { offender.step + 1 }, channels.len());
            self.restarted_by = Some(offender.channel);
            return None;
        }
        let normals = self.columns(channels);
        let normals: Vec<Normal> = normals
            .map(|(i, channel, values)| Normal::learn(i, channel, &values))
            .collect();
        if normals.is_empty() {
            self.give_up(1, channels.len());
            return None;
        }
        Some(normals)
    }

    /// The last step in which a channel was in another state, and the channel that was farthest from the others then.
    fn offender(&self, channels: &[Channel], settings: &Settings) -> Option<Offender> {
        let last = self.columns(channels).filter_map(|(i, channel, values)| {
            let middle = median(values);
            let scale = channel.scale([middle]);
            let centre = channel.scaled(middle, scale);
            let floor = channel.floor(centre, scale, settings.step, settings.fleet_floor(i.into()));
            let steps = self.present(i, channels.len()).map(|(step, value)| Offender {
                step,
                channel: i,
                floors: (channel.scaled(value, scale) - centre).abs() / floor,
            });
            steps.filter(|step| step.floors > FLOORS_MAX).last()
        });
        last.max_by(|a, b| a.step.cmp(&b.step).then(a.floors.total_cmp(&b.floors)))
    }

    /// Channels that can be watched, because half of the steps have them, with the values that they have.
    fn columns<'a>(&'a self, channels: &'a [Channel]) -> impl Iterator<Item = (u16, &'a Channel, Vec<f64>)> {
        let have = self.have(channels.len()) as usize;
        let columns = (0..=u16::MAX).zip(channels).map(move |(i, channel)| {
            let values: Vec<f64> = self.present(i, channels.len()).map(|(_, value)| value).collect();
            (i, channel, values)
        });
        columns.filter(move |(_, _, values)| 2 * values.len() >= have)
    }

    /// Steps that have a channel, and its values.
    fn present(&self, channel: u16, channels: usize) -> impl Iterator<Item = (usize, f64)> {
        let values = self.values.iter().skip(channel.into()).step_by(channels.max(1));
        let present = values.enumerate().filter(|(_, value)| **value < MISSING);
        present.map(|(step, value)| (step, f64::from(*value)))
    }

    /// Steps in hand, of so many channels.
    pub(super) fn have(&self, channels: usize) -> u32 {
        (self.values.len() / channels.max(1)) as u32
    }

    fn give_up(&mut self, steps: usize, channels: usize) {
        self.values.drain(..(steps * channels).min(self.values.len()));
    }
}
