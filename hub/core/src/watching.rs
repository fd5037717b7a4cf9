//! Whether an appliance is watched: what its detector does with the readings that come, and why it does nothing with some.
//!
//! A reading that is stored and not judged looks like one that is. So each that makes no model step is counted by reason, and
//! an appliance that no alarm can rise from is said to be not watched.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::VariantArray;

use crate::families::Families;

/// Whether an appliance is watched.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WatchState {
    /// Nothing has come of it yet that a detector could take.
    NoReadings,
    /// No model watches its family.
    NoModel,
    /// Its own normal is being learned.
    Calibrating,
    /// A deviation would raise an alarm.
    Watched,
    /// Its readings come less often than the model needs.
    TooSeldom,
    /// Half of the channels that the model reads, or more, have no value.
    ChannelsMissing,
    /// Its readings bear times that were judged already.
    TimesPassed,
    /// They go from state to state, so that no normal of one state is found. The search goes on.
    CannotCalibrate,
}

impl WatchState {
    /// Readings come, or could, and no alarm can rise from them.
    pub fn is_unwatched(self) -> bool {
        match self {
            Self::NoModel | Self::TooSeldom | Self::ChannelsMissing | Self::TimesPassed | Self::CannotCalibrate => true,
            Self::NoReadings | Self::Calibrating | Self::Watched => false,
        }
    }
}

/// Why a reading made no model step of its own.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Unjudged {
    /// It is part of a step, together with others of the same period.
    Joined,
    /// No channel that the model reads has a value.
    NoValue,
    /// A step was made less than a period before.
    TooSoon,
    /// A step of the same time was made.
    Repeated,
    /// It is older than the newest step.
    Unordered,
    /// It is ahead of the hub's clock, and those before it are not.
    Ahead,
}

/// How many readings made no step, by reason. All that is counted lies within 32 bits; beyond, the count stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnjudgedCounts([u32; Unjudged::VARIANTS.len()]);

impl UnjudgedCounts {
    /// One more.
    pub fn add(&mut self, why: Unjudged) {
        if let Some(count) = self.0.get_mut(why as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How many were left out, of all reasons: what joins others is not.
    pub fn left_out(&self) -> u32 {
        let left_out = self.counts().filter(|(why, _)| *why != Unjudged::Joined);
        left_out.fold(0, |sum: u32, (_, count)| sum.saturating_add(count))
    }

    /// Those that there are.
    pub fn counts(&self) -> impl Iterator<Item = (Unjudged, u32)> {
        let all = Unjudged::VARIANTS.iter().copied().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }
}

/// What is told of an appliance: as its detector last said it, not of each reading again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Whether it is watched.
    pub state: WatchState,
    /// Event time of the reading with which that began.
    pub since: Option<Timestamp>,
    /// Readings (programme runs, where the model's step is a run) taken for the unit's normal.
    pub calibrated: u32,
    /// How many of them are needed.
    pub calibration: u32,
    /// Time from the newest reading but one to the newest, in ms; 0 if it is not known.
    pub every_ms: u64,
    /// The longest that the model bears, in ms; 0 where it bears any.
    pub needs_ms: u64,
    /// Channels that the model reads and that have no value, or had none lately.
    pub missing: u32,
    /// Channels that the model reads.
    pub channels: u32,
    /// What was taken for the unit's normal holds more than one state of it: standing and running, say.
    pub several_states: bool,
    /// Readings that made no step, by reason, since the baseline was begun.
    pub unjudged: BTreeMap<Unjudged, u32>,
    /// Model and version that watch it, e.g. `generic/1`; none where that was not told.
    #[serde(default)]
    pub model: Option<String>,
    /// Channel or feature that has made the calibration begin again, since it went to another state.
    #[serde(default)]
    pub unsteady: Option<String>,
}

impl Watching {
    /// What is told where no detector has said anything.
    pub fn nothing(state: WatchState) -> Self {
        Self {
            state,
            since: None,
            calibrated: 0,
            calibration: 0,
            every_ms: 0,
            needs_ms: 0,
            missing: 0,
            channels: 0,
            several_states: false,
            unjudged: BTreeMap::new(),
            model: None,
            unsteady: None,
        }
    }

    /// What is told of an appliance with this profile, given what its detector said last.
    pub fn told(said: Option<Self>, profile: &str, families: &Families) -> Self {
        match said {
            _ if !families.is_watched(profile) => Self::nothing(WatchState::NoModel),
            Some(said) => said,
            None => Self::nothing(WatchState::NoReadings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::ModelWords;

    #[test]
    fn reasons_are_counted_apart_and_their_count_has_an_end() {
        let mut counts = UnjudgedCounts::default();
        for (n, why) in Unjudged::VARIANTS.iter().enumerate() {
            (0..n).for_each(|_| counts.add(*why));
        }
        let told: Vec<(&str, u32)> = counts.counts().map(|(why, count)| (why.into(), count)).collect();
        let expected = [
            ("no_value", 1),
            ("too_soon", 2),
            ("repeated", 3),
            ("unordered", 4),
            ("ahead", 5),
        ];
        assert_eq!(told, expected);
        assert_eq!(counts.left_out(), 15);
        counts.0[0] = u32::MAX;
        counts.add(Unjudged::Joined);
        assert_eq!(counts.counts().next(), Some((Unjudged::Joined, u32::MAX)));
        assert_eq!(counts.left_out(), 15);
    }

    #[test]
    fn no_model_goes_before_what_a_detector_has_said_and_silence_is_told() {
        let model = ModelWords {
            family: "pump".to_owned(),
            profile: "pump".to_owned(),
            version: 1,
            by_floors: false,
            faults: BTreeMap::new(),
            features: BTreeMap::new(),
            basis: crate::release::Basis::default(),
            bases: BTreeMap::new(),
        };
        let families = Families::new([], [model]);
        let said = Watching {
            calibrated: 7,
            ..Watching::nothing(WatchState::Calibrating)
        };
        let state = |said: Option<&Watching>, profile| Watching::told(said.cloned(), profile, &families).state;
        assert_eq!(state(Some(&said), "pump"), WatchState::Calibrating);
        assert_eq!(state(None, "pump"), WatchState::NoReadings);
        assert_eq!(state(Some(&said), "kettle"), WatchState::NoModel);
        let unwatched = WatchState::VARIANTS.iter().filter(|state| state.is_unwatched());
        assert_eq!(unwatched.count(), 5);
    }
}
