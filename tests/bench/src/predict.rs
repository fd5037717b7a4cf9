//! Prediction: rows a second of `forecall score` beside one window a run, the network alone beside onnxruntime, and fleets under
//! the detector that needs no training. One thread; no hub, no database.

mod fleet;
mod network;
mod score;

use crate::bar::Bars;
use anyhow::{Context, Result, bail};
use hub_predict::{Model, Row, quantise_row};
use jiff::{SignedDuration, Timestamp};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::sync::Arc;
use std::time::Duration;
use tests_hub::hub::project;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rows of the file that is scored, a second apart.
    pub rows: usize,
    /// Windows that the network is given.
    pub windows: usize,
    /// Appliances of the smaller fleet.
    pub appliances: usize,
    /// Appliances of the larger one.
    pub many: usize,
    /// How often each is measured, in turn; the middle one counts.
    pub rounds: usize,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        Self {
            rows: 40_000,
            windows: 4_096,
            appliances: 100_000,
            many: 1_000_000,
            rounds: 3,
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        Self {
            rows: 600,
            windows: 128,
            appliances: 200,
            many: 400,
            rounds: 1,
        }
    }
}

/// Runs with the arguments of a program; whether every bar was held.
///
/// # Errors
/// Something does not work, or two ways give different scores.
pub fn main(argument: Option<&str>) -> Result<bool> {
    let plan = match argument {
        None => Plan::full(),
        Some("--quick") => Plan::quick(),
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    let bars = run(plan)?;
    if argument.is_some() {
        println!("quick: all ways give the same scores, nothing is said about speed");
        return Ok(true);
    }
    Ok(bars.print())
}

/// Measures all of it and prints each figure as it comes.
///
/// # Errors
/// As [`main`].
pub fn run(plan: Plan) -> Result<Bars> {
    let folder = project().join("models/evaluation/pump-rig-1");
    let model = Arc::new(Model::load(&folder).context("the model of the pump rig")?);
    let mut bars = Bars::default();
    // First, as long as nothing that was given back makes a fleet seem smaller than it is.
    fleet::measure(plan, &mut bars)?;
    score::measure(plan, &model, &mut bars)?;
    network::measure(plan, &model)?;
    Ok(bars)
}

/// Processor time that this thread has had: what others take of the machine counts for nobody.
fn processor() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).context("the processor time of a thread")?;
    let duration = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

/// What something costs of a processor, with what it gives.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let begun = processor()?;
    let given = work()?;
    Ok((given, (processor()? - begun).as_secs_f64()))
}

/// Noise of the same kind at each place and never the same, from -0.5 to 0.5.
fn noise(place: u64) -> f64 {
    // The finaliser of splitmix64.
    let mixed = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Seconds of a pump that is sound.
fn pump(model: &Model, count: usize) -> Vec<Row> {
    const NORMAL: [(f64, f64); 8] = [
        (0.21, 0.004),
        (0.27, 0.004),
        (2.0, 0.5),
        (0.2, 0.5),
        (90.0, 0.2),
        (26.0, 0.02),
        (230.0, 20.0),
        (125.0, 1.0),
    ];
    let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
    let row = |second: u32| {
        let value = |(channel, (normal, spread)): (u64, (f64, f64))| {
            Some(normal + spread * noise(u64::from(second) * NORMAL.len() as u64 + channel))
        };
        let values: Vec<Option<f64>> = (0..).zip(NORMAL).map(value).collect();
        Row {
            at: start + SignedDuration::from_secs(second.into()),
            values: quantise_row(model.profile(), &values),
        }
    };
    (0..).take(count).map(row).collect()
}
