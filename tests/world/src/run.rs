//! The physics of one programme run, a minute at a time.

use crate::climate::Climate;
use crate::fault::Wear;
use crate::noise::{Stream, generator, normal};
use crate::programme::{Phase, Programme};
use crate::unit::Unit;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Channel ids of `models/profiles/washing-machine.toml`, in order; a test compares them.
pub(crate) const CHANNELS: [&str; 10] = [
    "phase",
    "motor_current_a",
    "drain_pump_current_a",
    "drum_speed_rpm",
    "vibration_m_s2",
    "water_temperature_c",
    "ambient_temperature_c",
    "water_level_mm",
    "heater_power_w",
    "supply_voltage_v",
];

const RATED_V: f64 = 220.0;
/// Water per millimetre of level.
const LITRES_PER_MM: f64 = 0.125;
/// Warms 1 litre by 1 K.
const JOULE_PER_LITRE_K: f64 = 4_186.0;
const TUMBLE_RPM: f64 = 48.0;
const RINSE_MIN: u32 = 7;
const EMPTY_MM: f64 = 2.0;
/// The control gives up on a phase that does not reach its end.
const PHASE_LIMIT_MIN: u32 = 75;

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
pub(crate) struct Run {
    rng: ChaCha8Rng,
    programme: Programme,
    phases: VecDeque<Phase>,
    minutes_in_phase: u32,
    /// Share of a full load, 0 to 1.
    load: f64,
    /// How unevenly the laundry lies, 1 on average.
    imbalance: f64,
    level_mm: f64,
    water_c: f64,
}

impl Run {
    /// Starts a run planned for `second`; everything drawn for it comes from its own stream.
    pub(crate) fn start(unit: &Unit, second: i64, programme: Programme, climate: &Climate) -> Self {
        let mut rng = generator(unit.seed, Stream::Run(second));
        let load = rng.random_range(0.25..1.0);
        // Now and then the laundry ends up as one lump.
        let lump = if rng.random_bool(0.04) { 1.7 } else { 1.0 };
        let imbalance = lump * normal(&mut rng, 1.0, 0.15).clamp(0.6, 1.5);
        let phases = programme.phases().into();
        Self {
            rng,
            programme,
            phases,
            minutes_in_phase: 0,
            load,
            imbalance,
            level_mm: 0.0,
            water_c: climate.ambient_c,
        }
    }

    /// The next minute's readings, or `None` when the run is over.
    pub(crate) fn minute(&mut self, unit: &Unit, climate: &Climate, wear: &Wear) -> Option<[f64; CHANNELS.len()]> {
        let phase = *self.phases.front()?;
        let mains_v = normal(&mut self.rng, climate.mains_v, 0.7);
        let minute = match phase {
            Phase::Fill => self.fill(unit, climate, mains_v),
            Phase::Heat => self.heat(unit, wear, mains_v),
            Phase::Wash | Phase::Rinse | Phase::Idle => self.tumble(unit, wear, mains_v),
            Phase::Drain => self.drain(unit, wear, mains_v),
            Phase::Spin => self.spin(unit, wear, mains_v),
        };
        self.cool(climate);
        self.minutes_in_phase += 1;
        if self.phase_is_over(phase) {
            self.phases.pop_front();
            self.minutes_in_phase = 0;
        }
        Some(self.measure(phase, minute, climate, mains_v))
    }

    fn phase_is_over(&self, phase: Phase) -> bool {
        let minutes = self.minutes_in_phase;
        let reached = match phase {
            Phase::Fill => self.level_mm >= self.target_mm(),
            Phase::Heat => self.water_c >= self.programme.wash_c,
            Phase::Wash => minutes >= self.programme.wash_min,
            Phase::Rinse => minutes >= RINSE_MIN,
            Phase::Drain => self.level_mm <= EMPTY_MM,
            Phase::Spin => minutes >= self.programme.spin_min,
            Phase::Idle => true,
        };
        reached || minutes >= PHASE_LIMIT_MIN
    }

    /// More laundry takes more water.
    fn target_mm(&self) -> f64 {
        self.programme.level_mm + 30.0 * (self.load - 0.5)
    }

    fn fill(&mut self, unit: &Unit, climate: &Climate, mains_v: f64) -> Minute {
        self.let_in(unit, climate.inlet_c);
        Minute {
            motor_a: 0.25 * unit.tumble_a * mains_v / RATED_V,
            rpm: 0.5 * TUMBLE_RPM,
            ..self.tumbling(0.5)
        }
    }

    /// One minute of the inlet valve, which closes at the target.
    fn let_in(&mut self, unit: &Unit, inlet_c: f64) {
        let open_mm = unit.fill_mm_min * normal(&mut self.rng, 1.0, 0.05);
        let added_mm = open_mm.min(self.target_mm() - self.level_mm).max(0.0);
        let level_mm = self.level_mm + added_mm;
        if level_mm > 0.0 {
            self.water_c = (self.water_c * self.level_mm + inlet_c * added_mm) / level_mm;
        }
        self.level_mm = level_mm;
    }

    fn heat(&mut self, unit: &Unit, wear: &Wear, mains_v: f64) -> Minute {
        // Power goes with the square of the voltage; scale makes the protection cut out for a part of the time.
        let heater_w = unit.heater_w * (mains_v / RATED_V).powi(2) * (1.0 - 0.5 * wear.heater);
        let litres = self.level_mm * LITRES_PER_MM;
        self.water_c += heater_w * 60.0 / (litres.max(1.0) * JOULE_PER_LITRE_K);
        Minute {
            heater_w,
            ..self.tumble(unit, wear, mains_v)
        }
    }

    fn tumble(&mut self, unit: &Unit, wear: &Wear, mains_v: f64) -> Minute {
        self.leak(unit, wear);
        let motor_a = unit.tumble_a * (0.75 + 0.5 * self.load) * (1.0 + 0.08 * wear.bearing) * mains_v / RATED_V;
        Minute {
            motor_a,
            rpm: TUMBLE_RPM,
            ..self.tumbling(1.0 + 0.6 * wear.bearing)
        }
    }

    fn tumbling(&self, strength: f64) -> Minute {
        Minute {
            vibration_m_s2: 0.35 * strength * (0.7 + 0.6 * self.load),
            ..Minute::default()
        }
    }

    /// Laundry soaks up water in the first minutes; a worn gasket lets it out all the time. The control tops up.
    fn leak(&mut self, unit: &Unit, wear: &Wear) {
        let soaked_mm = 5.0 * self.load * (-f64::from(self.minutes_in_phase) / 2.0).exp();
        self.level_mm = (self.level_mm - soaked_mm - 3.0 * wear.gasket).max(0.0);
        if self.level_mm < self.target_mm() - 25.0 {
            self.let_in(unit, self.water_c);
        }
    }

    fn drain(&mut self, unit: &Unit, wear: &Wear, mains_v: f64) -> Minute {
        let supply = mains_v / RATED_V;
        let drained_mm = unit.drain_mm_min * (1.0 - 0.6 * wear.drain_pump) * supply;
        self.level_mm = (self.level_mm - drained_mm * normal(&mut self.rng, 1.0, 0.04)).max(0.0);
        Minute {
            pump_a: self.pump(unit, wear, supply),
            rpm: 0.0,
            ..Minute::default()
        }
    }

    fn pump(&mut self, unit: &Unit, wear: &Wear, supply: f64) -> f64 {
        unit.pump_a * (1.0 + 0.9 * wear.drain_pump) * supply * normal(&mut self.rng, 1.0, 0.02)
    }

    fn spin(&mut self, unit: &Unit, wear: &Wear, mains_v: f64) -> Minute {
        // Full speed after three minutes.
        let ramp = (f64::from(self.minutes_in_phase + 1) / 3.0).min(1.0);
        let rpm = unit.spin_rpm * self.programme.spin_share * ramp;
        let share = rpm / 1_400.0;
        self.level_mm = 0.0;
        let load = 0.8 + 0.4 * self.load;
        let supply = mains_v / RATED_V;
        Minute {
            motor_a: unit.spin_a * (0.5 + 0.5 * share) * load * (1.0 + 0.4 * wear.bearing) * supply,
            // Little water comes, so the pump idles.
            pump_a: 0.8 * self.pump(unit, wear, supply),
            rpm,
            vibration_m_s2: unit.spin_m_s2 * share * share * self.imbalance * (1.0 + 2.5 * wear.bearing),
            heater_w: 0.0,
        }
    }

    /// The tub loses about 0.4 % of its excess temperature a minute; an empty one follows the air quickly.
    fn cool(&mut self, climate: &Climate) {
        let rate = if self.level_mm > EMPTY_MM { 0.004 } else { 0.08 };
        self.water_c -= rate * (self.water_c - climate.ambient_c);
    }

    fn measure(&mut self, phase: Phase, minute: Minute, climate: &Climate, mains_v: f64) -> [f64; CHANNELS.len()] {
        let (level_mm, water_c) = (self.level_mm, self.water_c);
        let rng = &mut self.rng;
        let mut around =
            |value: f64, relative: f64, absolute: f64| normal(rng, value, relative * value.abs() + absolute).max(0.0);
        [
            f64::from(phase as u8),
            around(minute.motor_a, 0.03, 0.005),
            around(minute.pump_a, 0.01, 0.001),
            around(minute.rpm, 0.01, 0.0),
            around(minute.vibration_m_s2, 0.06, 0.02),
            around(water_c, 0.0, 0.15),
            // The housing is a little warmer than the room while the machine works.
            around(climate.ambient_c + 0.8, 0.0, 0.1),
            around(level_mm, 0.0, 0.6),
            around(minute.heater_w, 0.005, 0.0),
            mains_v,
        ]
    }
}

/// Readings of a machine that does nothing.
pub(crate) fn idle(rng: &mut ChaCha8Rng, climate: &Climate) -> [f64; CHANNELS.len()] {
    let ambient_c = normal(rng, climate.ambient_c, 0.1).max(0.0);
    let standby_a = normal(rng, 0.012, 0.001).max(0.0);
    let resting_m_s2 = normal(rng, 0.02, 0.005).max(0.0);
    let mains_v = normal(rng, climate.mains_v, 0.7);
    [
        0.0,
        standby_a,
        0.0,
        0.0,
        resting_m_s2,
        ambient_c,
        ambient_c,
        0.0,
        0.0,
        mains_v,
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn channels_are_those_of_the_profile() {
        let profile = crate::profiles::washing_machine();
        let names: Vec<_> = profile.channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(names, super::CHANNELS);
    }
}
