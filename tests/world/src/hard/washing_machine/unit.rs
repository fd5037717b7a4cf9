//! One washing machine as it left the works.

use super::super::draw::{Stream, generator};
use super::super::figure::{ASSUMED, Figure};
use crate::noise::normal;
use rand::Rng;

const HEATER: Figure = spread("heater, W", 1_870.0, 2_030.0);
const PUMP: Figure = spread("drain pump, A", 0.30, 0.38);
const DRAIN: Figure = spread("level falls while draining, mm/min", 42.0, 54.0);
const FILL: Figure = spread("level rises while filling, mm/min", 34.0, 50.0);
const TUMBLE: Figure = spread("motor tumbling a half load, A", 1.4, 1.8);
const SPIN: Figure = spread("motor at full spin speed, A", 2.6, 3.2);
const SHAKE: Figure = spread("vibration at full spin speed, m/s²", 3.0, 5.0);

const fn spread(what: &'static str, low: f64, high: f64) -> Figure {
    Figure::base("washing machine, production (95 % of units)", what, low, high, ASSUMED)
}

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[HEATER, PUMP, DRAIN, FILL, TUMBLE, SPIN, SHAKE];

/// Constants of one washing machine, at the rated voltage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) heater_w: f64,
    pub(super) pump_a: f64,
    pub(super) drain_mm_min: f64,
    pub(super) fill_mm_min: f64,
    /// Motor when tumbling a half load.
    pub(super) tumble_a: f64,
    /// Motor at full spin speed.
    pub(super) spin_a: f64,
    pub(super) spin_rpm: f64,
    /// Vibration at full spin speed with an average distribution of the laundry.
    pub(super) spin_m_s2: f64,
}

impl Unit {
    pub(super) fn draw(seed: u64) -> Self {
        let rng = &mut generator(seed, Stream::Unit);
        // Normal, within three deviations, the range being two to each side.
        let mut of = |figure: Figure| {
            let deviation = (figure.high - figure.low) / 4.0;
            let mean = f64::midpoint(figure.low, figure.high);
            normal(rng, mean, deviation).clamp(mean - 3.0 * deviation, mean + 3.0 * deviation)
        };
        Self {
            heater_w: of(HEATER),
            pump_a: of(PUMP),
            drain_mm_min: of(DRAIN),
            fill_mm_min: of(FILL),
            tumble_a: of(TUMBLE),
            spin_a: of(SPIN),
            spin_m_s2: of(SHAKE),
            spin_rpm: if rng.random_bool(0.5) { 1_400.0 } else { 1_200.0 },
        }
    }
}
