//! One appliance: its normal is learned, then watched.

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::channel::Channel;
use super::settings::Settings;
use super::watching::Watching;
use super::{ChannelBaseline, Step};

/// State of one appliance. Less than 1 kB while it is watched, up to 32 channels; while it is calibrated, four bytes for each
/// step and channel more. A state that is read back goes on as if there had been no break.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Channels that it was begun with.
    channels: usize,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Stage {
    Calibrating(Calibration),
    Watching(Watching),
}

impl Unit {
    /// An appliance of which nothing is known, with at most 65,535 channels.
    pub fn new(channels: &[Channel], settings: &Settings) -> Self {
        Self {
            channels: channels.len(),
            stage: Stage::Calibrating(Calibration::new(settings)),
        }
    }

    /// Takes one model step, a value for each channel: the mean of the running rows of one period, or one programme run. More than
    /// three steps are missing before it if `after_gap`; a ticket of this appliance is open if `finding_open`. A value that
    /// is not finite is missing, and a step without any value changes nothing. A state of other channels begins again.
    pub fn step(
        &mut self,
        channels: &[Channel],
        settings: &Settings,
        values: &[Option<f64>],
        after_gap: bool,
        finding_open: bool,
    ) -> Step {
        if self.channels != channels.len() {
            self.restart(channels, settings);
        }
        let value = |i: usize| Channel::usable(values.get(i).copied().flatten());
        let says_nothing = !(0..channels.len()).any(|i| value(i).is_some());
        match &mut self.stage {
            Stage::Watching(watching) if says_nothing => watching.unchanged(channels, settings),
            Stage::Watching(watching) => watching.step(channels, settings, value, after_gap, finding_open),
            Stage::Calibrating(calibration) if says_nothing => calibration.told(channels.len()),
            Stage::Calibrating(calibration) => {
                let step = (0..channels.len()).map(value);
                let Some(normals) = calibration.add(channels, settings, step) else {
                    return calibration.told(channels.len());
                };
                let need = calibration.need();
                let restarted_by = calibration.restarted_by();
                self.stage = Stage::Watching(Watching::new(normals, need));
                Step::Calibrating {
                    have: need,
                    need,
                    restarted_by,
                }
            }
        }
    }

    /// What is normal for each channel that is watched, in their order; nothing while calibrating. A channel that less than
    /// half of the calibration had is not watched.
    pub fn baseline(&self, channels: &[Channel], settings: &Settings) -> Vec<ChannelBaseline> {
        match &self.stage {
            Stage::Calibrating(_) => Vec::new(),
            Stage::Watching(watching) => watching.baseline(channels, settings),
        }
    }

    /// Begins again: a part or the firmware was changed, or the appliance has another owner.
    pub fn restart(&mut self, channels: &[Channel], settings: &Settings) {
        *self = Self::new(channels, settings);
    }
}
