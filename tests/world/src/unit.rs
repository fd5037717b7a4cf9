//! One unit of the series: what production, house and owner gave it.

use crate::noise::{Stream, generator, normal};
use rand::Rng;

/// Constants of one washing machine and its home.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    pub(crate) seed: u64,
    pub(crate) utc_offset_s: i64,
    /// Yearly mean of the air around it, °C, and half the difference between summer and winter.
    pub(crate) ambient_c: f64,
    pub(crate) season_k: f64,
    pub(crate) mains_v: f64,
    /// Heater at 220 V.
    pub(crate) heater_w: f64,
    /// Drain pump with water, at 220 V.
    pub(crate) pump_a: f64,
    pub(crate) drain_mm_min: f64,
    pub(crate) fill_mm_min: f64,
    /// Motor when tumbling a half load.
    pub(crate) tumble_a: f64,
    /// Motor at full spin speed.
    pub(crate) spin_a: f64,
    pub(crate) spin_rpm: f64,
    /// Vibration at full spin speed with an average distribution of the laundry.
    pub(crate) spin_m_s2: f64,
    /// Probability of a third run on a day.
    pub(crate) third_run: f64,
    /// When this household starts its runs, minutes before or after the usual.
    pub(crate) habit_min: i64,
}

impl Unit {
    /// Draws a unit of the series; `utc_offset_s` places its days (28,800 for China).
    pub fn draw(seed: u64, utc_offset_s: i64) -> Self {
        let rng = &mut generator(seed, Stream::Unit);
        Self {
            seed,
            utc_offset_s,
            ambient_c: normal(rng, 20.0, 1.5),
            season_k: rng.random_range(2.0..5.0),
            mains_v: normal(rng, 222.0, 2.5),
            heater_w: normal(rng, 1_950.0, 40.0),
            pump_a: normal(rng, 0.34, 0.02),
            drain_mm_min: normal(rng, 48.0, 3.0),
            fill_mm_min: normal(rng, 42.0, 4.0),
            tumble_a: normal(rng, 1.6, 0.1),
            spin_a: normal(rng, 2.9, 0.15),
            spin_rpm: if rng.random_bool(0.5) { 1_400.0 } else { 1_200.0 },
            spin_m_s2: normal(rng, 4.0, 0.5).max(2.0),
            third_run: rng.random_range(0.2..0.6),
            habit_min: rng.random_range(-40..=40),
        }
    }
}
