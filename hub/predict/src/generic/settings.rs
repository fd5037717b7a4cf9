//! Figures of the detector: those of family `generic` before a fleet has shown better ones.

use super::condition::Condition;

/// What one model step is made of: a run's mean is of one load and one programme, so it varies more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOf {
    /// Mean of the rows of one period in which the appliance ran.
    Period,
    /// One programme run.
    Run,
}

/// Figures of the detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What a step is made of.
    pub step: StepOf,
    /// Steps of one state that make the normal; taken as 40 if fewer, as 400 if more.
    pub calibration: u32,
    /// Score from which a step counts towards an alarm.
    pub threshold: f64,
    /// Steps in a row that raise an alarm; at least 1.
    pub hold: u32,
    /// Share of the threshold below which a step is healthy again.
    pub clear_below: f64,
    /// Healthy steps in a row that end an alarm.
    pub clear_after: u32,
    /// Weight of the newest step in the moving average, above 0 and up to 1.
    pub ewma: f64,
    /// Steps in which the normal of a quiet appliance follows it; above 1.
    pub follow_steps: f64,
    /// Deviation of any channel, in floors, from which the normal stands still.
    pub follow_below: f64,
    /// Harmless deviation of each channel as a fleet has shown it, where it has: a share of the normal for `m/s2`, `A` and
    /// `W`, else in the channel's unit. Empty before there is a fleet.
    pub fleet_floors: Vec<Option<f64>>,
    /// What conditions do to channels, as a fleet has shown it. Empty before there is a fleet.
    pub conditions: Vec<Condition>,
}

impl Default for Settings {
    /// Steps of a period, before there is a fleet.
    fn default() -> Self {
        Self {
            step: StepOf::Period,
            calibration: 40,
            threshold: 1.33,
            hold: 4,
            clear_below: 0.7,
            clear_after: 12,
            ewma: 0.2,
            follow_steps: 120.0,
            follow_below: 1.5,
            fleet_floors: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

impl Settings {
    /// The same for programme runs: slower, since there are few of them.
    pub fn of_runs() -> Self {
        Self {
            step: StepOf::Run,
            clear_after: 6,
            ewma: 0.15,
            follow_steps: 300.0,
            ..Self::default()
        }
    }

    /// Steps of one state that make the normal: bounded, because they are kept until they do.
    pub(super) fn need(&self) -> u32 {
        self.calibration.clamp(40, 400)
    }

    pub(super) fn fleet_floor(&self, channel: usize) -> Option<f64> {
        self.fleet_floors.get(channel).copied().flatten()
    }
}
