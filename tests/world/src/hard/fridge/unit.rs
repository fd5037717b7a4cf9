//! One fridge as it left the works.

use super::super::draw::{Stream, generator};
use super::super::effect::{Effect, Effects};
use super::super::fault::FaultKind;
use super::super::figure::{ASSUMED, Figure};
use crate::noise::normal;

const LEAK: Figure = spread("heat into the compartment, W/K", 1.3, 1.7);
const FREEZER: Figure = spread("heat into the freezer, W/K", 0.5, 0.7);
const CAPACITY: Figure = spread("heat that the compressor moves at full speed, W", 120.0, 150.0);
const COMPRESSOR: Figure = spread("compressor at full speed, W", 65.0, 85.0);
const EVAPORATOR: Figure = spread("evaporator, W/K", 4.0, 5.0);
const CONDENSER: Figure = spread("condenser, W/K", 9.0, 12.0);
const FANS: Figure = spread("fans together, W", 8.0, 12.0);
const START: Figure = spread("peak current of a start, A", 5.0, 8.0);
const DEFROST: Figure = spread("defrost heater, W", 220.0, 280.0);
const INVERTERS: Figure = Figure::base("fridge, production", "share with an inverter", 0.5, 0.5, ASSUMED);

const fn spread(what: &'static str, low: f64, high: f64) -> Figure {
    Figure::base("fridge, production (95 % of units)", what, low, high, ASSUMED)
}

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    LEAK, FREEZER, CAPACITY, COMPRESSOR, EVAPORATOR, CONDENSER, FANS, START, DEFROST, INVERTERS,
];

/// Constants of one fridge, at the rated voltage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) leak_w_k: f64,
    pub(super) freezer_w_k: f64,
    pub(super) capacity_w: f64,
    pub(super) compressor_w: f64,
    pub(super) evaporator_w_k: f64,
    pub(super) condenser_w_k: f64,
    pub(super) fans_w: f64,
    pub(super) start_a: f64,
    pub(super) defrost_w: f64,
    pub(super) has_inverter: bool,
    /// The interval between defrosts follows use, instead of the clock.
    pub(super) defrosts_by_use: bool,
}

impl Unit {
    /// Kinds of fault that this unit can have: an inverter has no relay.
    pub(super) fn faults(&self) -> Vec<FaultKind> {
        let kinds = FaultKind::FRIDGE.iter().copied();
        kinds
            .filter(|kind| *kind != FaultKind::StartRelay || !self.has_inverter)
            .collect()
    }

    pub(super) fn draw(seed: u64, effects: Effects) -> Self {
        let rng = &mut generator(seed, Stream::Unit);
        let has_inverter = INVERTERS.happens(rng);
        // Normal, within three deviations, the range being two to each side.
        let mut of = |figure: Figure| {
            let deviation = (figure.high - figure.low) / 4.0;
            let mean = f64::midpoint(figure.low, figure.high);
            normal(rng, mean, deviation).clamp(mean - 3.0 * deviation, mean + 3.0 * deviation)
        };
        Self {
            leak_w_k: of(LEAK),
            freezer_w_k: of(FREEZER),
            capacity_w: of(CAPACITY),
            compressor_w: of(COMPRESSOR),
            evaporator_w_k: of(EVAPORATOR),
            condenser_w_k: of(CONDENSER),
            fans_w: of(FANS),
            // An inverter starts softly.
            start_a: of(START) * if has_inverter { 0.3 } else { 1.0 },
            defrost_w: of(DEFROST),
            has_inverter,
            defrosts_by_use: effects.has(Effect::AdaptiveDefrost),
        }
    }
}
