//! One appliance: its normal is learned, then watched.

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::channel::Channel;
use super::condition::freed;
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
    /// is not finite is missing, and a step without any value that can be compared changes nothing. A state of other channels begins
    /// again.
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
        let values = freed(channels, &settings.conditions, values);
        let says_nothing = values.iter().all(Option::is_none);
        match &mut self.stage {
            Stage::Watching(watching) if !watching.hears(&values) => watching.unchanged(channels, settings),
            Stage::Watching(watching) => watching.step(channels, settings, &values, after_gap, finding_open),
            Stage::Calibrating(calibration) if says_nothing => calibration.told(channels.len()),
            Stage::Calibrating(calibration) => {
                let Some(normals) = calibration.add(channels, settings, &values) else {
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

    /// Steps that were compared with the normal, up to 65,535; none while calibrating.
    pub fn compared(&self) -> Option<u16> {
        match &self.stage {
            Stage::Calibrating(_) => None,
            Stage::Watching(watching) => Some(watching.steps()),
        }
    }

    /// How far each watched channel's moving average has been from what was normal at first, root of the mean square over the
    /// steps without a finding: what [`super::fleet_floors`] are made of. Nothing while calibrating.
    pub fn wander(&self, channels: &[Channel]) -> Vec<(usize, f64)> {
        match &self.stage {
            Stage::Calibrating(_) => Vec::new(),
            Stage::Watching(watching) => watching.wander(channels),
        }
    }

    /// The floor of each watched channel in force, as a fleet's floors are told. Nothing while calibrating.
    pub fn floors(&self, channels: &[Channel], settings: &Settings) -> Vec<(usize, f64)> {
        match &self.stage {
            Stage::Calibrating(_) => Vec::new(),
            Stage::Watching(watching) => watching.floors(channels, settings),
        }
    }

    /// The same with the appliance's own drift, which counts as harmless beside a floor that no fleet has shown: where a fleet's first
    /// floors begin, so that they narrow no appliance at once. Nothing while calibrating.
    pub fn tolerances(&self, channels: &[Channel], settings: &Settings) -> Vec<(usize, f64)> {
        match &self.stage {
            Stage::Calibrating(_) => Vec::new(),
            Stage::Watching(watching) => watching.tolerances(channels, settings),
        }
    }

    /// How far its calibration is; none once it is watched.
    pub fn calibrating(&self) -> Option<Step> {
        match &self.stage {
            Stage::Calibrating(calibration) => Some(calibration.told(self.channels)),
            Stage::Watching(_) => None,
        }
    }

    /// Steps in hand and steps that are needed; none once it is watched.
    pub fn calibration(&self) -> Option<(u32, u32)> {
        match &self.stage {
            Stage::Calibrating(calibration) => Some((calibration.have(self.channels), calibration.need())),
            Stage::Watching(_) => None,
        }
    }

    /// How far each channel's value of a step is from what was normal at first, in floors; none of one that is not watched or has no
    /// value, and of all while calibrating.
    pub fn deviations(&self, channels: &[Channel], settings: &Settings, values: &[Option<f64>]) -> Vec<Option<f64>> {
        match &self.stage {
            Stage::Calibrating(_) => vec![None; channels.len()],
            Stage::Watching(watching) => {
                watching.deviations(channels, settings, &freed(channels, &settings.conditions, values))
            }
        }
    }

    /// How far each channel's moving average is from its normal, in widths; from what was normal at first if `slow`. 0 of one that is silent
    /// or not watched, and of all while calibrating.
    pub(crate) fn moved(&self, channels: &[Channel], settings: &Settings, slow: bool) -> Vec<f64> {
        match &self.stage {
            Stage::Calibrating(_) => vec![0.0; channels.len()],
            Stage::Watching(watching) => watching.moved(channels, settings, slow),
        }
    }

    /// Whether a step has nothing that can be compared, in whatever state the appliance is: no channel has a value together with all its
    /// conditions.
    pub(crate) fn is_empty(channels: &[Channel], settings: &Settings, values: &[Option<f64>]) -> bool {
        let freed = freed(channels, &settings.conditions, values);
        freed.iter().all(Option::is_none)
    }

    /// The value of a channel that is so many floors from what was normal at first, in the channel's unit; none of one that is not
    /// watched.
    pub fn value_at(&self, channels: &[Channel], settings: &Settings, channel: usize, floors: f64) -> Option<f64> {
        match &self.stage {
            Stage::Calibrating(_) => None,
            Stage::Watching(watching) => watching.value_at(channels, settings, channel, floors),
        }
    }

    /// Begins again: a part was changed, or the appliance has another owner.
    pub fn restart(&mut self, channels: &[Channel], settings: &Settings) {
        *self = Self::new(channels, settings);
    }
}

#[cfg(test)]
mod tests {
    use super::super::normal::Normal;
    use super::*;

    fn unit(channels: usize, steps: usize) -> (Unit, Vec<Channel>) {
        let channel = |i: usize| Channel {
            name: format!("c{i}"),
            unit: "A".into(),
            decimals: 3,
        };
        let channels: Vec<Channel> = (0..channels).map(channel).collect();
        let settings = Settings::default();
        let mut unit = Unit::new(&channels, &settings);
        for step in 0..steps {
            let value = Some(2.0 + 0.01 * (step % 7) as f64);
            unit.step(&channels, &settings, &vec![value; channels.len()], false, false);
        }
        (unit, channels)
    }

    #[test]
    fn an_appliance_that_is_watched_takes_less_than_a_kilobyte() {
        for (count, most) in [(8, 320), (32, 1_000)] {
            let (unit, channels) = unit(count, 1_000);
            let watched = unit.baseline(&channels, &Settings::default()).len();
            assert_eq!(watched, count);
            let in_memory = size_of::<Unit>() + watched * size_of::<Normal>();
            let written = postcard::to_stdvec(&unit).unwrap().len();
            assert!(
                in_memory < most && written < most,
                "{count} channels: {in_memory} and {written} bytes"
            );
        }
    }

    #[test]
    fn an_appliance_that_is_calibrated_takes_four_bytes_a_value_more() {
        let (unit, channels) = unit(8, 39);
        let values = 39 * channels.len() * size_of::<f32>();
        let written = postcard::to_stdvec(&unit).unwrap().len();
        assert!((values..values + 20).contains(&written), "{written} bytes");
    }
}
