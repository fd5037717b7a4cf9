//! What surrounds the appliance: air, tap water and mains.

use crate::noise::{Stream, generator, normal};
use crate::unit::Unit;
use jiff::Timestamp;
use std::f64::consts::TAU;

const DAY_S: f64 = 86_400.0;
const YEAR_S: f64 = 365.25 * DAY_S;

/// Conditions at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Climate {
    pub(crate) ambient_c: f64,
    pub(crate) inlet_c: f64,
    pub(crate) mains_v: f64,
}

/// Conditions at `at`: season, weather that changes over days, and the hour, all free of measuring noise.
pub(crate) fn climate(unit: &Unit, at: Timestamp) -> Climate {
    let local_s = (at.as_second() + unit.utc_offset_s) as f64;
    // Warmest at the end of July, and at 15 o'clock.
    let season = (TAU * (local_s / YEAR_S - 0.57)).cos();
    let hour = (TAU * (local_s / DAY_S - 15.0 / 24.0)).cos();
    let weather = weather(unit.seed, local_s / DAY_S);
    // Demand in the evening pulls the mains down.
    let evening = (TAU * (local_s / DAY_S - 19.5 / 24.0)).cos().max(0.0);
    Climate {
        ambient_c: unit.ambient_c + unit.season_k * season + 1.5 * hour + 1.2 * weather,
        inlet_c: 14.0 + 6.0 * season + 0.5 * weather,
        mains_v: unit.mains_v - 4.0 * evening + 0.8 * weather,
    }
}

/// Weather: a normal draw for each day, joined by straight lines.
fn weather(seed: u64, day: f64) -> f64 {
    let draw = |day: i64| normal(&mut generator(seed, Stream::Weather(day)), 0.0, 1.0);
    let (whole, part) = (day.floor() as i64, day.fract());
    draw(whole) * (1.0 - part) + draw(whole + 1) * part
}
