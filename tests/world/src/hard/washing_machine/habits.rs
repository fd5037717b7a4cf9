//! How a household washes: how often, how full, how warm, and what else goes into the drum.

use super::super::draw::{Stream, generator, lognormal};
use super::super::effect::{Effect, Effects};
use super::super::fault::FaultKind;
use super::super::figure::{APPLIA, ASSUMED, Figure, RUNS};
use super::programme::{COLD, HEATING, Programme};
use crate::noise::normal;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const RUNS_MEDIAN: Figure = Figure::base("household", "median runs a week", 4.5, 4.5, RUNS);
const RUNS_DEVIATION: Figure = Figure::new(
    Effect::Households,
    "runs a week, standard deviation of the logarithm",
    0.5,
    0.5,
    ASSUMED,
);
const RUNS_LIMITS: Figure = Figure::new(Effect::Households, "runs a week of a home", 1.0, 14.0, RUNS);
const FILL_MEAN: Figure = Figure::new(
    Effect::Households,
    "mean fill of a home, share of a full load (68 % of homes)",
    0.47,
    0.63,
    ASSUMED,
);
const FILL_AFTER: Figure = Figure::new(
    Effect::NewHousehold,
    "mean fill of a later household, share of a full load",
    0.30,
    0.85,
    ASSUMED,
);
/// Not a draw, but what the programmes' weights must come to.
#[cfg(test)]
const WARMTH: Figure = Figure::new(
    Effect::Households,
    "wash temperature, mean over homes, °C",
    36.0,
    46.0,
    APPLIA,
);
const COLD_HOMES: Figure = Figure::new(Effect::ColdWash, "share of homes that never heat", 0.1, 0.4, APPLIA);
const CLEANING_HOMES: Figure = Figure::new(
    Effect::Cleaning,
    "share of homes with a cleaning run a month",
    0.43,
    0.43,
    APPLIA,
);
const BLANKETS: Figure = Figure::new(Effect::Blankets, "share of a home's runs in winter", 0.0, 0.35, ASSUMED);
const SHOES: Figure = Figure::new(Effect::Shoes, "share of a home's runs", 0.0, 0.03, ASSUMED);
const HEAVY: Figure = Figure::new(Effect::HeavyItem, "share of a home's runs", 0.0, 0.04, ASSUMED);
const RETRIES: Figure = Figure::new(Effect::UnbalanceRetry, "share of a home's runs", 0.02, 0.10, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    RUNS_MEDIAN,
    RUNS_DEVIATION,
    RUNS_LIMITS,
    FILL_MEAN,
    FILL_AFTER,
    WARMTH,
    COLD_HOMES,
    CLEANING_HOMES,
    BLANKETS,
    SHOES,
    HEAVY,
    RETRIES,
];

/// Habits of one household.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) runs_a_week: f64,
    /// Mean fill, share of a full load.
    pub(super) fill: f64,
    /// Prefers warm programmes if above 0.
    warmth: f64,
    washes_cold: bool,
    pub(super) cleans: bool,
    pub(super) blankets: f64,
    pub(super) shoes: f64,
    pub(super) heavy: f64,
    pub(super) retries: f64,
}

impl Habits {
    /// Habits of the household of this number at the unit, 0 being the first.
    pub(super) fn draw(seed: u64, number: usize, effects: Effects) -> Self {
        let rng = &mut generator(seed, Stream::Habits(number as u64));
        let (fill, spread) = (
            f64::midpoint(FILL_MEAN.low, FILL_MEAN.high),
            (FILL_MEAN.high - FILL_MEAN.low) / 2.0,
        );
        let drawn = Self {
            runs_a_week: lognormal(rng, RUNS_MEDIAN.low, RUNS_DEVIATION.low).clamp(RUNS_LIMITS.low, RUNS_LIMITS.high),
            fill: normal(rng, fill, spread).clamp(FILL_AFTER.low, FILL_AFTER.high),
            warmth: normal(rng, 0.0, 0.3),
            washes_cold: COLD_HOMES.happens(rng) && effects.has(Effect::ColdWash),
            cleans: CLEANING_HOMES.happens(rng) && effects.has(Effect::Cleaning),
            blankets: BLANKETS.draw(rng),
            shoes: SHOES.draw(rng),
            heavy: HEAVY.draw(rng),
            retries: RETRIES.draw(rng),
        };
        let later = FILL_AFTER.draw(rng);
        if number > 0 {
            return Self { fill: later, ..drawn };
        }
        if effects.has(Effect::Households) {
            return drawn;
        }
        Self {
            runs_a_week: RUNS_MEDIAN.low,
            fill,
            warmth: 0.0,
            ..drawn
        }
    }

    /// Kinds of fault that a machine of this household can have: without heating no scale settles.
    pub(super) fn faults(&self) -> Vec<FaultKind> {
        let kinds = FaultKind::WASHING_MACHINE.iter().copied();
        kinds
            .filter(|kind| *kind != FaultKind::HeaterScale || !self.washes_cold)
            .collect()
    }

    /// The programme of a run.
    pub(super) fn programme(&self, rng: &mut ChaCha8Rng) -> Programme {
        let programmes: &[Programme] = if self.washes_cold { &COLD } else { &HEATING };
        let weight = |one: &Programme| one.weight * (self.warmth * (one.wash_c - 45.0) / 20.0).exp();
        let mut ticket = rng.random::<f64>() * programmes.iter().map(weight).sum::<f64>();
        for programme in programmes {
            ticket -= weight(programme);
            if ticket < 0.0 {
                return *programme;
            }
        }
        programmes[0]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::draw::{Stream, generator};
    use super::{Effects, Habits, WARMTH};

    #[test]
    fn homes_wash_as_often_as_warm_and_as_full_as_stated() {
        let homes: Vec<_> = (0..3_000).map(|seed| Habits::draw(seed, 0, Effects::ALL)).collect();
        let mut runs: Vec<_> = homes.iter().map(|home| home.runs_a_week).collect();
        runs.sort_by(f64::total_cmp);
        assert!((4.3..4.7).contains(&runs[1_500]) && runs[0] >= 1.0 && runs[2_999] <= 14.0);
        let fill = homes.iter().map(|home| home.fill).sum::<f64>() / 3_000.0;
        assert!((0.5..0.6).contains(&fill), "{fill}");
        let cold = homes.iter().filter(|home| home.washes_cold).count();
        assert!((600..900).contains(&cold), "{cold}");
        let rng = &mut generator(1, Stream::Unit);
        let warmth = homes.iter().map(|home| home.programme(rng).wash_c).sum::<f64>() / 3_000.0;
        assert!((WARMTH.low..WARMTH.high).contains(&warmth), "{warmth}");
    }
}
