//! The physics of one programme run, a minute at a time. It reads what effects and faults move, and knows neither. Its
//! constants are assumed, in the order of household machines.

use super::super::effect::Effect;
use super::super::figure::{ASSUMED, Figure};
use super::super::mains::RATED_V;
use super::super::quantity::{Levels, Quantity};
use super::plan::{Planned, Spin};
use super::unit::Unit;
use crate::Phase;
use crate::noise::normal;
use crate::run::CHANNELS;
use rand::Rng;
use std::collections::VecDeque;

/// Water per millimetre of level.
const LITRES_PER_MM: f64 = 0.125;
/// Warms 1 litre by 1 K.
const JOULE_PER_LITRE_K: f64 = 4_186.0;
const TUMBLE_RPM: f64 = 48.0;
/// The middle of the resonance, where the tub swings most.
const RESONANCE_RPM: f64 = 400.0;
const TOP_RPM: f64 = 1_400.0;
const RINSE_MIN: u32 = 7;
/// Minutes of distributing the laundry once more.
const RETRY_MIN: u32 = 4;
const EMPTY_MM: f64 = 2.0;
/// The control gives up on a phase that does not reach its end.
const PHASE_LIMIT_MIN: u32 = 75;
const FOAM_DRAIN: Figure = Figure::new(Effect::Foam, "drain rate of a run with foam, factor", 0.7, 0.7, ASSUMED);
const FOAM_PUMP: Figure = Figure::new(
    Effect::Foam,
    "pump current of a run with foam, factor",
    0.88,
    0.88,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[FOAM_DRAIN, FOAM_PUMP];

/// What surrounds the machine in one minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) room_c: f64,
    pub(super) inlet_c: f64,
    pub(super) mains_v: f64,
}

/// What the machine does and measures in one minute, before measuring noise.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    motor_a: f64,
    pump_a: f64,
    rpm: f64,
    vibration_m_s2: f64,
    heater_w: f64,
}

/// A run in progress.
#[derive(Debug, Clone)]
pub(super) struct Run {
    planned: Planned,
    /// How far effects and faults move everything in this run.
    levels: Levels,
    phases: VecDeque<Phase>,
    minutes_in_phase: u32,
    level_mm: f64,
    water_c: f64,
}

impl Run {
    /// Starts a run with a tub at room temperature.
    pub(super) fn start(planned: &Planned, levels: Levels, room_c: f64) -> Self {
        Self {
            levels,
            phases: planned.programme.phases(),
            planned: planned.clone(),
            minutes_in_phase: 0,
            level_mm: 0.0,
            water_c: room_c,
        }
    }

    /// The next minute's readings, or `None` when the run is over.
    pub(super) fn minute(&mut self, unit: &Unit, around: &Around) -> Option<[f64; CHANNELS.len()]> {
        let phase = *self.phases.front()?;
        let mains_v = normal(&mut self.planned.rng, around.mains_v, 0.7);
        let supply = mains_v / RATED_V;
        let minute = match phase {
            Phase::Fill => self.fill(unit, around, supply),
            Phase::Heat => self.heat(unit, supply),
            Phase::Wash | Phase::Rinse | Phase::Idle => self.tumble(unit, supply),
            Phase::Drain => self.drain(unit, supply),
            Phase::Spin => self.spin(unit, supply),
        };
        // The tub loses about 0.4 % of its excess temperature a minute; an empty one follows the air quickly.
        let rate = if self.level_mm > EMPTY_MM { 0.004 } else { 0.08 };
        self.water_c -= rate * (self.water_c - around.room_c);
        self.minutes_in_phase += 1;
        if self.phase_is_over(phase) {
            self.phases.pop_front();
            self.minutes_in_phase = 0;
        }
        Some(self.measure(phase, minute, around, mains_v))
    }

    fn phase_is_over(&self, phase: Phase) -> bool {
        let (minutes, programme) = (self.minutes_in_phase, &self.planned.programme);
        let reached = match phase {
            Phase::Fill => self.level_mm >= self.target_mm(),
            Phase::Heat => self.water_c >= programme.wash_c,
            Phase::Wash => minutes >= programme.wash_min,
            Phase::Rinse => minutes >= RINSE_MIN,
            Phase::Drain => self.level_mm <= EMPTY_MM,
            Phase::Spin => minutes >= self.spin_min(),
            Phase::Idle => true,
        };
        reached || minutes >= PHASE_LIMIT_MIN
    }

    fn spin_min(&self) -> u32 {
        let wanted = self.planned.programme.spin_min;
        match self.planned.spin {
            Spin::Whole | Spin::Slow => wanted,
            Spin::Retried => RETRY_MIN + wanted,
            Spin::GivenUp => RETRY_MIN,
        }
    }

    /// More laundry takes more water.
    fn target_mm(&self) -> f64 {
        let load_mm = 30.0 * (self.planned.truth.load - 0.5);
        self.planned.programme.level_mm + load_mm + self.levels.of(Quantity::FillLevel)
    }

    fn fill(&mut self, unit: &Unit, around: &Around, supply: f64) -> Minute {
        self.let_in(unit, around.inlet_c);
        Minute {
            motor_a: 0.25 * unit.tumble_a * supply,
            rpm: 0.5 * TUMBLE_RPM,
            ..self.tumbling(0.5)
        }
    }

    /// One minute of the inlet valve, which closes at the target.
    fn let_in(&mut self, unit: &Unit, inlet_c: f64) {
        let rate = unit.fill_mm_min * self.levels.of(Quantity::FillRate);
        let open_mm = rate * normal(&mut self.planned.rng, 1.0, 0.05);
        let added_mm = open_mm.min(self.target_mm() - self.level_mm).max(0.0);
        let level_mm = self.level_mm + added_mm;
        if level_mm > 0.0 {
            self.water_c = (self.water_c * self.level_mm + inlet_c * added_mm) / level_mm;
        }
        self.level_mm = level_mm;
    }

    fn heat(&mut self, unit: &Unit, supply: f64) -> Minute {
        // Power goes with the square of the voltage. The protection cuts out in some minutes more, in some less.
        let out = self.levels.of(Quantity::HeaterCutOut) * self.planned.rng.random_range(0.0..2.0);
        let power_w = unit.heater_w * self.levels.of(Quantity::HeaterPower) * supply * supply;
        let heater_w = power_w * (1.0 - out).max(0.0);
        let litres = self.level_mm * LITRES_PER_MM;
        self.water_c += heater_w * 60.0 / (litres.max(1.0) * JOULE_PER_LITRE_K);
        Minute {
            heater_w,
            ..self.tumble(unit, supply)
        }
    }

    fn tumble(&mut self, unit: &Unit, supply: f64) -> Minute {
        self.lose_water(unit);
        let load = 0.75 + 0.5 * self.planned.truth.load;
        Minute {
            motor_a: unit.tumble_a * load * self.levels.of(Quantity::WashCurrent) * supply,
            rpm: TUMBLE_RPM,
            ..self.tumbling(1.0)
        }
    }

    fn tumbling(&self, strength: f64) -> Minute {
        let load = 0.7 + 0.6 * self.planned.truth.load;
        Minute {
            vibration_m_s2: 0.35 * strength * load * self.planned.knocks * self.levels.of(Quantity::WashVibration),
            ..Minute::default()
        }
    }

    /// Laundry soaks up water in the first minutes; a worn gasket lets it out all the time. The control tops up.
    fn lose_water(&mut self, unit: &Unit) {
        let soaked_mm = 5.0 * self.planned.truth.load * (-f64::from(self.minutes_in_phase) / 2.0).exp();
        self.level_mm = (self.level_mm - soaked_mm - self.levels.of(Quantity::Leak)).max(0.0);
        if self.level_mm < self.target_mm() - 25.0 {
            self.let_in(unit, self.water_c);
        }
    }

    fn drain(&mut self, unit: &Unit, supply: f64) -> Minute {
        let foam = if self.planned.foams() { FOAM_DRAIN.low } else { 1.0 };
        let drained_mm = unit.drain_mm_min * self.levels.of(Quantity::DrainRate) * foam * supply;
        self.level_mm = (self.level_mm - drained_mm * normal(&mut self.planned.rng, 1.0, 0.04)).max(0.0);
        Minute {
            pump_a: self.pump(unit, supply),
            ..Minute::default()
        }
    }

    fn pump(&mut self, unit: &Unit, supply: f64) -> f64 {
        let foam = if self.planned.foams() { FOAM_PUMP.low } else { 1.0 };
        let pump_a = unit.pump_a * self.levels.of(Quantity::PumpCurrent) * foam * supply;
        pump_a * normal(&mut self.planned.rng, 1.0, 0.02)
    }

    fn spin(&mut self, unit: &Unit, supply: f64) -> Minute {
        self.level_mm = 0.0;
        let rpm = self.spin_rpm(unit) * self.levels.of(Quantity::SpinSpeed);
        let share = rpm / TOP_RPM;
        // Dampers hold the tub on the way through the resonance; above it the bearing is heard.
        let part = if rpm <= RESONANCE_RPM {
            1.5 * self.levels.of(Quantity::RampVibration)
        } else {
            self.levels.of(Quantity::SpinVibration)
        };
        let load = 0.8 + 0.4 * self.planned.truth.load;
        Minute {
            motor_a: unit.spin_a * (0.5 + 0.5 * share) * load * self.levels.of(Quantity::SpinCurrent) * supply,
            // Little water comes, so the pump idles.
            pump_a: 0.8 * self.pump(unit, supply),
            rpm,
            vibration_m_s2: unit.spin_m_s2 * share * share * self.planned.imbalance * part,
            heater_w: 0.0,
        }
    }

    /// The speed of this minute: through the resonance, then up, unless the laundry lies too unevenly.
    fn spin_rpm(&self, unit: &Unit) -> f64 {
        let full = unit.spin_rpm * self.planned.programme.spin_share;
        let ramp = |minute: u32| match minute {
            0 => RESONANCE_RPM,
            1 => 0.6 * full,
            _ => full,
        };
        let minute = self.minutes_in_phase;
        match self.planned.spin {
            Spin::Whole => ramp(minute),
            Spin::Slow => ramp(minute).min(0.6 * full),
            Spin::Retried if minute >= RETRY_MIN => ramp(minute - RETRY_MIN),
            Spin::Retried | Spin::GivenUp => 0.5 * RESONANCE_RPM,
        }
    }

    fn measure(&mut self, phase: Phase, minute: Minute, around: &Around, mains_v: f64) -> [f64; CHANNELS.len()] {
        let (level_mm, water_c) = (self.level_mm, self.water_c);
        let scatter = 0.03 + self.levels.of(Quantity::CurrentNoise);
        let rng = &mut self.planned.rng;
        let mut read = |value: f64, relative: f64, absolute: f64| normal(rng, value, relative * value.abs() + absolute);
        [
            f64::from(phase as u8),
            read(minute.motor_a, scatter, 0.005),
            read(minute.pump_a, 0.01, 0.001),
            read(minute.rpm, 0.01, 0.0),
            read(minute.vibration_m_s2, 0.06, 0.02),
            read(water_c, 0.0, 0.15),
            // The housing is a little warmer than the room while the machine works.
            read(around.room_c + 0.8, 0.0, 0.1),
            read(level_mm, 0.0, 0.6),
            read(minute.heater_w, 0.005, 0.0),
            mains_v,
        ]
    }
}
