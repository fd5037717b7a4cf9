//! Washing programmes as a table (assumed, weighted to the mean temperature of European homes).

use crate::Phase;
use std::collections::VecDeque;

/// Programmes up to this temperature do without the heater.
const UNHEATED_C: f64 = 20.0;

/// A programme of the selector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Programme {
    /// Wash temperature, °C.
    pub(super) wash_c: f64,
    /// Minutes of washing after heating.
    pub(super) wash_min: u32,
    rinses: u32,
    pub(super) spin_min: u32,
    /// Share of the unit's top spin speed.
    pub(super) spin_share: f64,
    /// Water level of the wash with a half load.
    pub(super) level_mm: f64,
    /// How often it is chosen in a home of average warmth, against the others.
    pub(super) weight: f64,
}

/// Programmes of a home that heats, coldest first; cotton unless shorter or gentler. Their mean is 48 °C.
pub(super) const HEATING: [Programme; 7] = [
    COLD[0],
    programme(30.0, (22, 2, 6), 0.7, 115.0, 5.0),
    programme(30.0, (9, 1, 5), 0.85, 95.0, 8.0),
    programme(40.0, (22, 2, 6), 0.7, 115.0, 14.0),
    programme(40.0, (30, 2, 10), 1.0, 105.0, 27.0),
    programme(60.0, (32, 3, 10), 1.0, 105.0, 38.0),
    programme(90.0, (34, 3, 10), 1.0, 105.0, 5.0),
];

/// Programmes of a home that washes cold.
pub(super) const COLD: [Programme; 2] = [
    programme(20.0, (40, 2, 10), 1.0, 105.0, 3.0),
    programme(20.0, (14, 1, 5), 0.85, 95.0, 2.0),
];

/// The cleaning programme: hot, and empty.
pub(super) const CLEANING: Programme = programme(90.0, (20, 2, 4), 0.5, 110.0, 0.0);

const fn programme(
    wash_c: f64,
    (wash_min, rinses, spin_min): (u32, u32, u32),
    spin_share: f64,
    level_mm: f64,
    weight: f64,
) -> Programme {
    Programme {
        wash_c,
        wash_min,
        rinses,
        spin_min,
        spin_share,
        level_mm,
        weight,
    }
}

impl Programme {
    /// The phases of a run in order.
    pub(super) fn phases(&self) -> VecDeque<Phase> {
        let mut phases = VecDeque::from([Phase::Fill]);
        if self.wash_c > UNHEATED_C {
            phases.push_back(Phase::Heat);
        }
        phases.extend([Phase::Wash, Phase::Drain]);
        for _ in 0..self.rinses {
            phases.extend([Phase::Fill, Phase::Rinse, Phase::Drain]);
        }
        phases.push_back(Phase::Spin);
        phases
    }
}
