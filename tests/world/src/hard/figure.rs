//! Ranges of the hard world, each with its source. `docs/world.md` is written from them.

use super::effect::Effect;
use rand::Rng;

/// No source: chosen by judgement.
pub(super) const ASSUMED: &str = "assumed";
/// Voltage characteristics of public networks.
pub(super) const EN_50160: &str = "EN 50160";
/// Runs a week in Europe and the United States.
pub(super) const RUNS: &str = "Pakula and Stamminger 2010; UK figure of 270 washes a year";
/// Wash temperatures and maintenance washes in European homes.
pub(super) const APPLIA: &str = "APPLiA and A.I.S.E. 2020";
/// Energy of refrigerators in 235 homes and 111 in the laboratory.
#[cfg(test)]
pub(super) const HARRINGTON: &str = "assumed, after Harrington, Aye, Fuller 2018";
/// Door openings in the laboratory.
pub(super) const PURDUE: &str = "Purdue, in Home Energy 1993";
/// Condenser cleaning in laboratory and field.
pub(super) const MEIER: &str = "Meier, Energy and Buildings";

/// One range. Bounds are meant as `what` says: of a uniform draw, or of a logarithmic one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    /// Name of the effect, or of the part of the world.
    pub(super) of: &'static str,
    /// Quantity and unit.
    pub(super) what: &'static str,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) source: &'static str,
}

impl Figure {
    /// A range of an effect.
    pub(super) const fn new(effect: Effect, what: &'static str, low: f64, high: f64, source: &'static str) -> Self {
        Self::base(effect.name(), what, low, high, source)
    }

    /// A range that no effect switches.
    pub(super) const fn base(of: &'static str, what: &'static str, low: f64, high: f64, source: &'static str) -> Self {
        Self {
            of,
            what,
            low,
            high,
            source,
        }
    }

    /// A draw, all values alike.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        self.low + (self.high - self.low) * rng.random::<f64>()
    }

    /// A draw, all orders of magnitude alike. The lower bound is above 0.
    pub(super) fn draw_log(&self, rng: &mut impl Rng) -> f64 {
        self.low * (self.high / self.low).powf(rng.random::<f64>())
    }

    /// Whether something of this probability happens; of a range, a probability within it.
    pub(super) fn happens(&self, rng: &mut impl Rng) -> bool {
        let probability = self.draw(rng);
        rng.random::<f64>() < probability
    }
}

/// Energy of a fridge by its room: not a draw, but what its physics must come to; a test compares.
#[cfg(test)]
pub(super) const ROOM_ENERGY: Figure = Figure::base(
    "fridge",
    "energy for each kelvin of the room, share",
    0.02,
    0.05,
    HARRINGTON,
);

/// All ranges, by part of the world.
#[cfg(test)]
pub(super) fn all() -> Vec<Figure> {
    [
        super::mains::FIGURES,
        super::climate::FIGURES,
        super::sensor::FIGURES,
        super::delivery::FIGURES,
        super::firmware::FIGURES,
        super::batch::FIGURES,
        super::household::FIGURES,
        super::repair::FIGURES,
        super::fault::FIGURES,
        super::washing_machine::habits::FIGURES,
        super::washing_machine::plan::FIGURES,
        super::washing_machine::wear::FIGURES,
        super::washing_machine::unit::FIGURES,
        super::washing_machine::run::FIGURES,
        super::fridge::habits::FIGURES,
        super::fridge::wear::FIGURES,
        super::fridge::unit::FIGURES,
        super::fridge::control::FIGURES,
        &[ROOM_ENERGY],
    ]
    .concat()
}
