//! The control of a fridge: when the compressor runs, and when the evaporator is defrosted. Its constants are assumed.

use super::super::effect::Effect;
use super::super::figure::{ASSUMED, Figure};
use super::super::quantity::{Levels, Quantity};
use super::unit::Unit;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Temperature held in the compartment by the works' setting.
const SET_C: f64 = 5.0;
/// How far from it an on/off compressor starts and stops.
const BAND_K: f64 = 1.0;
/// Slowest speed of an inverter, share of the full one.
const SLOWEST: f64 = 0.35;
/// Gain of an inverter's control: share of the full speed for each kelvin.
const GAIN: f64 = 0.35;
/// Minutes before a compressor may start again: the pressures must even out.
const REST_MIN: u32 = 5;
/// Minutes between defrosts by the clock.
const DEFROST_MIN: f64 = 24.0 * 60.0;
/// Bounds of the interval by use.
const DEFROST_HOURS: Figure = Figure::new(Effect::AdaptiveDefrost, "hours between defrosts", 8.0, 96.0, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[DEFROST_HOURS];

/// Use that calls for a defrost: minutes of running, and openings as so many minutes.
const DEFROST_USE: f64 = 1_200.0;
const OPENING_USE: f64 = 20.0;
/// The defrost ends at this temperature of the evaporator, or by time.
const DEFROSTED_C: f64 = 8.0;
const DEFROST_LONGEST_MIN: u32 = 60;

/// What the control does in a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    /// The compressor rests.
    Rest,
    /// The compressor runs at this share of its full speed.
    Run(f64),
    /// As `Run`, from this minute on.
    Start(f64),
    /// The compressor was switched on and did not start.
    FailedStart,
    /// The compressor rests, and the defrost heater is on.
    Defrost,
}

/// State of the control.
#[derive(Debug, Clone, Default)]
pub(super) struct Control {
    is_running: bool,
    rested_min: u32,
    defrosting_min: Option<u32>,
    since_defrost_min: f64,
    usage: f64,
}

impl Control {
    /// Decides a minute by the temperatures that the control knows.
    pub(super) fn minute(
        &mut self,
        unit: &Unit,
        levels: &Levels,
        (compartment_c, evaporator_c): (f64, f64),
        openings: u32,
        rng: &mut ChaCha8Rng,
    ) -> Action {
        self.since_defrost_min += 1.0;
        self.usage += OPENING_USE * f64::from(openings) + f64::from(u8::from(self.is_running));
        if self.defrosts(unit, levels, evaporator_c) {
            self.is_running = false;
            self.rested_min = 0;
            return Action::Defrost;
        }
        let above_k = compartment_c - SET_C - levels.of(Quantity::SetTemperature);
        let speed = if unit.has_inverter {
            (0.6 + GAIN * above_k).clamp(SLOWEST, 1.0)
        } else {
            1.0
        };
        if self.is_running {
            self.is_running = above_k > -BAND_K;
            self.rested_min = 0;
            return if self.is_running {
                Action::Run(speed)
            } else {
                Action::Rest
            };
        }
        self.rested_min += 1;
        if self.rested_min < REST_MIN || above_k < BAND_K {
            return Action::Rest;
        }
        if rng.random::<f64>() < levels.of(Quantity::FailedStarts) {
            self.rested_min = 0;
            return Action::FailedStart;
        }
        self.is_running = true;
        Action::Start(speed)
    }

    /// The mains are gone: everything stands, and the compressor will have to rest.
    pub(super) fn power_off(&mut self) {
        self.is_running = false;
        self.rested_min = 0;
        self.defrosting_min = None;
    }

    fn defrosts(&mut self, unit: &Unit, levels: &Levels, evaporator_c: f64) -> bool {
        let factor = levels.of(Quantity::DefrostInterval);
        self.defrosting_min = match self.defrosting_min {
            Some(minutes) if evaporator_c < DEFROSTED_C && minutes < DEFROST_LONGEST_MIN => Some(minutes + 1),
            Some(_) => {
                (self.since_defrost_min, self.usage) = (0.0, 0.0);
                None
            }
            None => self.is_due(unit, factor).then_some(0),
        };
        self.defrosting_min.is_some()
    }

    fn is_due(&self, unit: &Unit, factor: f64) -> bool {
        let since = self.since_defrost_min / factor;
        if !unit.defrosts_by_use {
            return since >= DEFROST_MIN;
        }
        let by_use = self.usage >= DEFROST_USE * factor && since >= 60.0 * DEFROST_HOURS.low;
        by_use || since >= 60.0 * DEFROST_HOURS.high
    }
}
