//! The physics of a fridge, a minute at a time: three temperatures, frost, and the heat between them. Its constants are
//! assumed unless a source is named; tests hold what comes out to temperatures, duty and energy of real ones.

use super::super::draw::{Stream, generator, mix};
use super::super::quantity::{Levels, Quantity};
use super::control::{Action, Control};
use super::unit::Unit;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const MINUTE_S: f64 = 60.0;
/// Heat stored for each kelvin, J/K: compartment with food, evaporator with freezer, condenser.
const COMPARTMENT_J_K: f64 = 45_000.0;
const EVAPORATOR_J_K: f64 = 20_000.0;
const CONDENSER_J_K: f64 = 3_000.0;
/// What the freezer holds, °C.
const FREEZER_C: f64 = -18.0;
/// Heat that comes in whatever the room is: door frame heater, fans, light, W.
const CONSTANT_W: f64 = 12.0;
/// Electronics, W.
const STANDBY_W: f64 = 1.5;
/// Of an evaporator or condenser without its fan, the share of heat that still moves.
const STILL_AIR: f64 = 0.15;
const STILL_CONDENSER: f64 = 0.4;
/// Heat of one opening for each kelvin between room and compartment, J/K: 80 a day take about a quarter more energy (Purdue,
/// in Home Energy 1993).
const OPENING_J_K: f64 = 950.0;
const OPENING_S: f64 = 18.0;
/// Heat through an open door, W/K.
const OPEN_W_K: f64 = 9.0;
/// Frost: grams a minute, for an opening, and for a minute of an open door.
const FROST_G: f64 = 0.06;
const FROST_OPENING_G: f64 = 1.5;
const FROST_OPEN_G: f64 = 2.0;
/// Frost that halves what the evaporator moves, and the most there is room for, g.
const FROST_HALF_G: f64 = 300.0;
const FROST_MAX_G: f64 = 1_200.0;
/// Melts 1 g.
const MELT_J_G: f64 = 334.0;

/// What surrounds the fridge, and what is done to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) room_c: f64,
    /// Against the yearly mean.
    pub(super) humidity: f64,
    /// Mains, share of the rated voltage; 0 without.
    pub(super) supply: f64,
    /// Heat of warm food.
    pub(super) warm_w: f64,
    /// Openings of the door in a minute, mean.
    pub(super) openings: f64,
    pub(super) is_left_open: bool,
}

/// One minute, or the sum of some: the start current is the greatest of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Minute {
    pub(super) compartment_c: f64,
    pub(super) evaporator_c: f64,
    pub(super) condenser_c: f64,
    pub(super) power_w: f64,
    pub(super) run: f64,
    pub(super) start_a: f64,
    pub(super) open_s: f64,
}

impl Minute {
    pub(super) fn add(&mut self, other: &Self) {
        self.compartment_c += other.compartment_c;
        self.evaporator_c += other.evaporator_c;
        self.condenser_c += other.condenser_c;
        self.power_w += other.power_w;
        self.run += other.run;
        self.start_a = self.start_a.max(other.start_a);
        self.open_s += other.open_s;
    }
}

/// State of a fridge.
#[derive(Debug, Clone)]
pub(super) struct Cabinet {
    rng: ChaCha8Rng,
    control: Control,
    compartment_c: f64,
    evaporator_c: f64,
    condenser_c: f64,
    frost_g: f64,
}

/// What is switched on in a minute, and what that takes and moves.
#[derive(Debug, Clone, Copy, Default)]
struct Drive {
    /// Openings of the door.
    opened: u32,
    /// Share of the full speed; 0 at rest.
    speed: f64,
    start_a: f64,
    heater_w: f64,
    /// Heat that the compressor takes from the evaporator.
    capacity_w: f64,
    compressor_w: f64,
    fans_w: f64,
}

impl Cabinet {
    /// A fridge that has been cold for long, in a room of this temperature.
    pub(super) fn new(seed: u64, room_c: f64) -> Self {
        Self {
            rng: generator(mix(seed, 0), Stream::Noise),
            control: Control::default(),
            compartment_c: 5.0,
            evaporator_c: -15.0,
            condenser_c: room_c,
            frost_g: 20.0,
        }
    }

    /// Lives through a minute.
    pub(super) fn minute(&mut self, unit: &Unit, levels: &Levels, around: &Around) -> Minute {
        let drive = self.drive(unit, levels, around);
        self.cool(unit, levels, around, &drive);
        self.reject(unit, levels, around, &drive);
        let open_s = if around.is_left_open {
            MINUTE_S
        } else {
            OPENING_S * f64::from(drive.opened)
        };
        let standby_w = if around.supply > 0.0 { STANDBY_W } else { 0.0 };
        Minute {
            // The sensor feels the air that comes in.
            compartment_c: self.compartment_c + 2.0 * open_s / MINUTE_S,
            evaporator_c: self.evaporator_c,
            condenser_c: self.condenser_c,
            power_w: drive.compressor_w + drive.fans_w + drive.heater_w + standby_w,
            run: drive.speed,
            start_a: drive.start_a,
            open_s,
        }
    }

    fn drive(&mut self, unit: &Unit, levels: &Levels, around: &Around) -> Drive {
        let mut drive = Drive {
            // More than one opening in a minute is one that lasts longer.
            opened: u32::from(self.rng.random::<f64>() < around.openings),
            ..Drive::default()
        };
        let supply = around.supply;
        if supply == 0.0 {
            self.control.power_off();
            return drive;
        }
        let known = (self.compartment_c, self.evaporator_c);
        let peak_a = unit.start_a * levels.of(Quantity::StartCurrent) * supply;
        match self.control.minute(unit, levels, known, drive.opened, &mut self.rng) {
            Action::Rest => {}
            Action::Run(share) => drive.speed = share,
            Action::Start(share) => (drive.speed, drive.start_a) = (share, peak_a),
            Action::FailedStart => drive.start_a = peak_a,
            Action::Defrost => drive.heater_w = unit.defrost_w * levels.of(Quantity::DefrostHeater) * supply * supply,
        }
        if drive.speed > 0.0 {
            drive.capacity_w = self.capacity_w(unit, levels, drive.speed);
            drive.compressor_w = self.compressor_w(unit, levels, drive.speed, supply);
            drive.fans_w = unit.fans_w * levels.of(Quantity::FanPower);
        }
        drive
    }

    /// Heat that the compressor takes from the evaporator: less the colder that is, and the warmer the condenser.
    fn capacity_w(&self, unit: &Unit, levels: &Levels, speed: f64) -> f64 {
        let cold = 1.0 + 0.04 * (self.evaporator_c + 20.0);
        let warm = 1.0 - 0.006 * (self.condenser_c - 40.0);
        unit.capacity_w * levels.of(Quantity::Capacity) * speed * cold.max(0.1) * warm.max(0.3)
    }

    /// Power of the compressor: more the warmer the condenser, a little less if it moves less gas.
    fn compressor_w(&self, unit: &Unit, levels: &Levels, speed: f64, supply: f64) -> f64 {
        let pressure = 1.0 + 0.008 * (self.condenser_c - 40.0) + 0.012 * (self.evaporator_c + 20.0);
        let gas = 0.7 + 0.3 * levels.of(Quantity::Capacity);
        unit.compressor_w
            * levels.of(Quantity::CompressorPower)
            * speed
            * pressure.max(0.3)
            * gas
            * (0.5 + 0.5 * supply)
    }

    /// Heat into the compartment, from there to the evaporator, and away with the compressor.
    fn cool(&mut self, unit: &Unit, levels: &Levels, around: &Around, drive: &Drive) {
        let leak = levels.of(Quantity::HeatLeak);
        let above_k = around.room_c - self.compartment_c;
        let opened_w_k = OPENING_J_K * f64::from(drive.opened) / MINUTE_S;
        let door_w_k = if around.is_left_open { OPEN_W_K } else { opened_w_k };
        let into_w = (unit.leak_w_k * leak + door_w_k) * above_k + around.warm_w + CONSTANT_W;
        let fan = if drive.speed > 0.0 { 1.0 } else { STILL_AIR };
        let transfer_w_k = unit.evaporator_w_k * levels.of(Quantity::EvaporatorTransfer) * fan;
        let blocked = 1.0 + self.frost_g / FROST_HALF_G;
        let moved_w = transfer_w_k / blocked * (self.compartment_c - self.evaporator_c);
        self.compartment_c += (into_w - moved_w) * MINUTE_S / COMPARTMENT_J_K;
        let freezer_w = unit.freezer_w_k * leak * (around.room_c - FREEZER_C);
        let melting_w = self.frost(levels, around, drive);
        let warming_w = moved_w + freezer_w + drive.heater_w - melting_w - drive.capacity_w;
        self.evaporator_c += warming_w * MINUTE_S / EVAPORATOR_J_K;
    }

    /// Frost settles, or melts while the heater is on and the evaporator above 0 °C. Returns the heat that melting takes.
    fn frost(&mut self, levels: &Levels, around: &Around, drive: &Drive) -> f64 {
        let open_g = if around.is_left_open {
            FROST_OPEN_G
        } else {
            FROST_OPENING_G * f64::from(drive.opened)
        };
        let settled_g = (FROST_G + open_g) * around.humidity * levels.of(Quantity::FrostRate);
        self.frost_g = (self.frost_g + settled_g).min(FROST_MAX_G);
        if drive.heater_w == 0.0 || self.evaporator_c < 0.0 {
            return 0.0;
        }
        let melted_g = (0.7 * drive.heater_w * MINUTE_S / MELT_J_G).min(self.frost_g);
        self.frost_g -= melted_g;
        melted_g * MELT_J_G / MINUTE_S
    }

    /// Heat from the condenser into the room.
    fn reject(&mut self, unit: &Unit, levels: &Levels, around: &Around, drive: &Drive) {
        let fan = if drive.speed > 0.0 { 1.0 } else { STILL_CONDENSER };
        let transfer_w_k = unit.condenser_w_k * levels.of(Quantity::CondenserTransfer) * fan;
        let rejected_w = transfer_w_k * (self.condenser_c - around.room_c);
        let heat_w = drive.capacity_w + 0.85 * drive.compressor_w;
        self.condenser_c += (heat_w - rejected_w) * MINUTE_S / CONDENSER_J_K;
    }
}
