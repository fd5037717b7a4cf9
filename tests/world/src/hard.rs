//! The hard world: a fleet with the ordinary life that makes healthy appliances look worn, for detectors to be tuned and
//! judged on. Physics-like and pure: seed, start and length are arguments.
//!
//! A unit hangs on the fleet's seed and its number only, and each effect draws from a stream of its own: a larger fleet, or
//! one effect less, leaves everything else as it was. `docs/world.md` lists every range with its source.
//!
//! The world is frozen: a change of what it says needs another [`VERSION`], and a test pins its output.

mod batch;
mod climate;
mod delivery;
mod draw;
mod effect;
mod episode;
mod fault;
mod figure;
mod firmware;
mod fridge;
mod household;
mod life;
mod mains;
mod quantity;
mod recorder;
mod repair;
mod sensor;
mod washing_machine;
#[cfg(test)]
mod world_md;

pub use effect::{Effect, Effects};
pub use episode::Episode;
pub use fault::{Course, Fault, FaultKind};
pub use fridge::Fridge;
pub use life::Life;
pub use quantity::Quantity;
pub use recorder::Row;
pub use repair::{Visit, VisitResult};
pub use washing_machine::{RunTruth, WashingMachine};

use jiff::Timestamp;

/// Version of the hard world. Figures measured on two versions cannot be compared.
pub const VERSION: u32 = 1;

/// A fleet of one appliance model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fleet {
    /// Seed of the fleet: another one gives other units, other production months and other firmware.
    pub seed: u64,
    /// First moment of every unit's record.
    pub start: Timestamp,
    /// Length of every unit's record.
    pub days: u32,
    /// What ordinary life does to the units.
    pub effects: Effects,
    /// What breaks.
    pub faults: Faults,
    /// Factor on the amplitude of every fault, above 0. At 1 the four faults of the first world have half of the amplitude
    /// that they have there; [`FaultKind::moves`] lists all.
    pub amplitude: f64,
}

/// What breaks in a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Faults {
    /// Nothing.
    None,
    /// So many faults per unit and year, 0 to 10, of all kinds that the unit can have, by their share.
    PerYear(f64),
    /// The same fault in every unit, also where it cannot show: the heater of a home that washes cold, the relay of an inverter.
    One {
        /// Kind of the fault; one that the appliance does not have changes no reading.
        kind: FaultKind,
        /// Day of the onset, counted from the start, 0 or more.
        onset_day: f64,
    },
}

impl Fleet {
    /// A fleet without faults and with all effects.
    pub const fn new(seed: u64, start: Timestamp, days: u32) -> Self {
        Self {
            seed,
            start,
            days,
            effects: Effects::ALL,
            faults: Faults::None,
            amplitude: 1.0,
        }
    }

    /// The washing machine of this number.
    pub fn washing_machine(&self, number: u64) -> WashingMachine {
        WashingMachine::new(self, draw::mix(self.seed, number))
    }

    /// The fridge of this number.
    pub fn fridge(&self, number: u64) -> Fridge {
        Fridge::new(self, draw::mix(self.seed, number))
    }
}
