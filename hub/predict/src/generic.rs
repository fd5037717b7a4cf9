//! The detector that needs no training: an appliance is compared with what it was like itself, channel by channel, and a deviation
//! counts in units of what is harmless for that quantity (its *floor*).
//!
//! The detector of family `generic`, and the first stage of every other. A pure function of steps: it knows no profile, no
//! time and no model folder. What decides between quiet and blind is the floor (`channel`) and the threshold (`settings`), far more
//! than the statistic: on recorded faults eleven statistics without floors found a fraction of what each of them finds with floors.

mod alarm;
mod calibration;
mod channel;
mod condition;
mod fleet;
mod named;
mod normal;
mod regression;
mod score;
mod settings;
mod unit;
mod watching;

pub use channel::Channel;
pub use condition::Condition;
pub use fleet::{DEVICES_MIN, MOVES_MAX, WATCHED_DAYS_MIN, fleet_floors, refreshed_floors};
pub use named::{
    CHANNELS_MAX, Metric, MetricError, Metrics, NamedFaults, NamedRule, NamedStep, NamedUnit, Sign, Signature, Signs,
    Speed, Told,
};
pub use regression::{Influence, conditions};
pub use settings::{Settings, StepOf};
pub use unit::Unit;

/// What one model step said.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The appliance's normal is still being learned.
    Calibrating {
        /// Steps in hand that may be one state.
        have: u32,
        /// Steps that are needed.
        need: u32,
        /// Channel, as an index, that made it begin again the last time: it moved by more than ten floors.
        restarted_by: Option<usize>,
    },
    /// No stretch of one state was found in five times the steps that are needed. The search goes on.
    CannotCalibrate {
        /// Channel, as an index, that moves from state to state.
        channel: usize,
    },
    /// The step was compared with the appliance's normal.
    Watching {
        /// Root of the mean square of the three largest deviations, in floors.
        score: f64,
        /// Those channels, as indices, with their deviations in floors, the largest first; of the slow score, where an alarm
        /// stands by that alone. Negative is below normal.
        top: Vec<(usize, f64)>,
        /// The same against the normal that was learned first, in floors of twice the width: what creeps is seen by it.
        slow_score: f64,
        /// An alarm stands, by either score.
        alarm: bool,
        /// It rose on this step.
        rose: bool,
        /// It stands by the slow score alone: something for a ticket, never for a call.
        slow: bool,
        /// The step had a value of a channel that is watched. Without one scores and alarm are as before, and nothing was held.
        measured: bool,
    },
}

/// The normal of one watched channel, in the channel's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelBaseline {
    /// Index of the channel.
    pub channel: usize,
    /// Normal value, as it is now: it follows slow changes of a quiet appliance.
    pub centre: f64,
    /// Normal value at the end of the calibration.
    pub first_centre: f64,
    /// Moving average of its values.
    pub average: f64,
    /// Deviation that is harmless.
    pub floor: f64,
    /// Standard deviation of a step from the one before, over the root of two: what is noise and not drift.
    pub noise: f64,
    /// Values are compared by their ratio.
    pub by_ratio: bool,
    /// What deviations count in, floor with noise and drift: a share of the normal where values are compared by their ratio.
    pub width: f64,
    /// How far the average is from the centre, in widths, up to ten. Negative is below.
    pub deviation: f64,
    /// How far it is from the normal at the end of the calibration, in floors of twice the width. Negative is below.
    pub slow_deviation: f64,
    /// It has been silent for too long to be compared.
    pub silent: bool,
}
