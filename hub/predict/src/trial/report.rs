//! The report of a trial, as it is written to `report.json` (docs/try.md): numbers and names, no sentence. Its version is raised
//! when a field changes its meaning or goes.

mod data;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
pub use data::{ChannelQuality, DeviceQuality, Quality, Refusal};

/// What the file says that it is.
pub const FORMAT: &str = "forecall-try";
/// Version of the format.
pub const VERSION: u32 = 1;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Name of the export's file.
    pub file: String,
    /// What the export is like.
    pub quality: Quality,
    /// Channel that tells running from idle; none where rows are of one state.
    pub running: Option<RunningReport>,
    /// What the detector's steps are.
    pub step: StepReport,
    /// The devices, by name.
    pub devices: Vec<DeviceReport>,
    /// How often something was opened.
    pub rates: Rates,
    /// The openings against the service dates; none where none were given.
    pub services: Option<Services>,
}

impl Report {
    /// Devices that were watched for at least one step.
    pub fn watched(&self) -> impl Iterator<Item = &DeviceReport> {
        self.devices.iter().filter(|device| device.watch == Watch::Watched)
    }

    /// Channels that are watched, where the device has them.
    pub fn watched_channels(&self) -> impl Iterator<Item = &ChannelQuality> {
        self.quality
            .channels
            .iter()
            .filter(|channel| is_watched(channel.kind, self.step.period_s))
    }
}

/// Steps of a day or more hold day and night: what follows the time of day can be watched then.
const DAILY_STEP_S: f64 = 86_400.0;

/// Whether channels of a kind are watched at such a step.
pub fn is_watched(kind: Kind, period_s: f64) -> bool {
    match kind {
        Kind::Measured => true,
        Kind::Daily => period_s >= DAILY_STEP_S,
        Kind::Empty | Kind::Text | Kind::Constant | Kind::TwoValued | Kind::Label | Kind::Counter | Kind::Ambient => {
            false
        }
    }
}

/// How running is told from idle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningReport {
    /// The channel.
    pub channel: String,
    /// It runs from this value on.
    pub from: f64,
    /// A person named it; else its values fall plainly into two groups.
    pub named: bool,
    /// Rows of idle, which are left out.
    pub idle_rows: usize,
}

/// What the detector's steps are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Seconds of which a step is the mean, of running time where idle is left out.
    pub period_s: f64,
    /// Usual seconds from a row to the next: the median over the devices.
    pub interval_s: f64,
    /// Steps that teach the unit's own normal.
    pub calibration: u32,
    /// Score from which on something is opened.
    pub threshold: f64,
    /// Steps for which it has to last.
    pub hold: u32,
}

/// Whether a device would be watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Watch {
    /// It was watched.
    Watched,
    /// Too few steps for its calibration.
    TooFewSteps {
        /// Steps that it has.
        have: u32,
        /// Steps that are needed.
        need: u32,
    },
    /// Its readings come too seldom for the fleet's step.
    TooSeldom {
        /// Seconds between its readings.
        every_s: u64,
    },
    /// No stretch of its steps was of one state.
    SeveralStates {
        /// Channel that moved.
        channel: String,
    },
    /// No channel of it can be watched.
    NoChannel,
}

/// Why a device lacks a channel that others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// Half of its steps or more have no value of it.
    Missing,
    /// It never changes in this device.
    Stuck,
    /// Its unit is not known, and it lies around zero: no share of it is harmless.
    AroundZero,
    /// It moves from state to state, so that no normal could be learned with it.
    SeveralStates,
}

/// A channel that a device lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// The channel.
    pub channel: String,
    /// The reason.
    pub why: Lack,
}

/// What is normal in one channel of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The channel.
    pub channel: String,
    /// Its unit as the heading gives it.
    pub unit: String,
    /// Mean of the calibration.
    pub centre: f64,
    /// Deviation that is harmless.
    pub floor: f64,
    /// Noise from step to step.
    pub noise: f64,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Its name.
    pub name: String,
    /// Whether it would be watched.
    pub watch: Watch,
    /// Channels that it lacks.
    pub lacking: Vec<Lacking>,
    /// Steps that it has.
    pub steps: u32,
    /// Steps left out because most of their rows are missing.
    pub thin_steps: u32,
    /// Time of its last step.
    pub to: Option<Timestamp>,
    /// Time of the first step that was compared.
    pub watched_from: Option<Timestamp>,
    /// Days in which it was watched.
    pub watched_days: f64,
    /// Stretches in which its steps were compared, without those in which its normal was learned or it was silent.
    pub compared: Vec<Stretch>,
    /// Its own normal, as it was learned first.
    pub baselines: Vec<Baseline>,
    /// Highest score, and its time.
    pub highest: Option<Highest>,
    /// What would have been opened.
    pub openings: Vec<Opening>,
    /// Its course, where something was opened (at most 24 devices), or else of the device with the highest score.
    pub plot: Option<Plot>,
}

/// From one step to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Time of the first.
    pub from: Timestamp,
    /// Time of the last.
    pub to: Timestamp,
}

/// The highest score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Highest {
    /// The score.
    pub score: f64,
    /// Its time.
    pub at: Timestamp,
}

/// Something that would have been opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Time of the step that opened it.
    pub at: Timestamp,
    /// Time at which it was healthy again, or serviced; none where that is not recorded.
    pub until: Option<Timestamp>,
    /// Within 30 days of the end of the one before: the hub keeps both on one ticket, and rates and shares count it with that one.
    pub again: bool,
    /// Score then.
    pub score: f64,
    /// Only against the normal that was learned first: it crept.
    pub slow: bool,
    /// The channels that moved most, at most three.
    pub moved: Vec<Moved>,
    /// What came of it, where service dates are known.
    pub outcome: Option<Outcome>,
}

/// A channel that moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The channel.
    pub channel: String,
    /// Its unit as the heading gives it.
    pub unit: String,
    /// What was normal.
    pub normal: f64,
    /// What it was over the steps that count; none where it was silent in all of them.
    pub now: Option<f64>,
    /// Deviation in widths (floor, noise and drift together); below normal it is negative.
    pub floors: f64,
}

/// What came of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stood at a service, or one followed in time.
    Service,
    /// None followed in time.
    NoService,
    /// None followed, and the recording ends before the time is over.
    TooEarly,
}

/// The course of a device, thinned out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// Times of the points.
    pub times: Vec<Timestamp>,
    /// Highest score of each point.
    pub score: Vec<Option<f64>>,
    /// The channels that moved most.
    pub channels: Vec<PlotChannel>,
}

/// A channel's course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlotChannel {
    /// The channel.
    pub channel: String,
    /// Its unit as the heading gives it.
    pub unit: String,
    /// Lower edge of what is normal: centre less floor.
    pub low: f64,
    /// Upper edge.
    pub high: f64,
    /// Mean of each point.
    pub values: Vec<Option<f64>>,
}

/// Bounds that hold the true value 95 times in 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Bounds {
    pub(crate) fn rounded(self) -> Self {
        Self {
            low: rounded(self.low),
            high: rounded(self.high),
        }
    }
}

/// A part of a count, with the bounds of Clopper and Pearson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of so many.
    pub of: usize,
    /// Bounds of the share; none of nothing.
    pub bounds: Option<Bounds>,
}

/// A count for every 1,000 device-months, with exact bounds (Garwood).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How many there were, those on one ticket once.
    pub count: usize,
    /// Device-months in which they could be.
    pub device_months: f64,
    /// For every 1,000 device-months.
    pub per_1000: f64,
    /// Bounds of that.
    pub bounds: Bounds,
}

/// How often something was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Months of 30.44 days in which devices were watched, all together.
    pub device_months: f64,
    /// Everything that was opened; none if less than one month was watched.
    pub opened: Option<Rate>,
    /// What no service followed, of the device-months that are 60 days before the end of their recording; none without service
    /// dates too.
    pub without_service: Option<Rate>,
}

/// The openings against the service dates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Services {
    /// Days within which a service belongs to an opening.
    pub within_days: i64,
    /// Rows of the file that cannot be read.
    pub refused: usize,
    /// Devices of the file that the export does not have.
    pub unknown_devices: usize,
    /// Services of devices that were not watched then: no step was compared since the service before, or none near it.
    pub not_watched: usize,
    /// Services before which something was opened, of those that could have been found.
    pub found: Share,
    /// The others of those.
    pub missed: usize,
    /// Services that openings belong to, of those and the openings (those on one ticket once) whose time is over without one.
    pub followed: Share,
    /// The latter.
    pub without_service: usize,
    /// Openings whose time is not over at the end of the recording.
    pub too_early: usize,
    /// Days from the opening to the service (median).
    pub lead_days_median: Option<f64>,
    /// The services.
    pub services: Vec<ServiceReport>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// The device.
    pub device: String,
    /// Time of the service; the end of its day where no time was given.
    pub at: Timestamp,
    /// The device was watched then.
    pub watched: bool,
    /// Days since something was opened; none if it was missed.
    pub lead_days: Option<f64>,
}

/// Milliseconds since 1970 as a time.
pub(crate) fn time_of(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Milliseconds as days.
pub(crate) fn days(ms: i64) -> f64 {
    rounded(ms as f64 / 86_400_000.0)
}

/// Six significant digits: more only fill the file.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
