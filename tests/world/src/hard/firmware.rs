//! Firmware: waves that reach the whole model within two weeks and change levels, rounding or the rate of rows.

use super::draw::{Stream, generator};
use super::effect::{Effect, Effects};
use super::episode::{Episode, Shape};
use super::figure::{ASSUMED, Figure};
use super::quantity::Quantity;
use rand::Rng;

const WAVES: Figure = Figure::new(Effect::Firmware, "waves a year", 1.0, 3.0, ASSUMED);
const ROLL_OUT: Figure = Figure::new(
    Effect::Firmware,
    "days until the whole model has it",
    14.0,
    14.0,
    ASSUMED,
);
const REACH: Figure = Figure::new(
    Effect::Firmware,
    "change, share of the greatest of its quantity",
    0.3,
    1.0,
    ASSUMED,
);
const MOVED: Figure = Figure::new(Effect::Firmware, "quantities changed by a wave", 0.0, 3.0, ASSUMED);
const COARSER: Figure = Figure::new(
    Effect::Firmware,
    "probability that a wave coarsens the steps",
    0.15,
    0.15,
    ASSUMED,
);
const THINNER: Figure = Figure::new(
    Effect::Firmware,
    "probability that a wave halves the rate of rows",
    0.1,
    0.1,
    ASSUMED,
);
const ON_CHANGE: Figure = Figure::new(
    Effect::Firmware,
    "probability that a wave leaves out rows that repeat the last",
    0.1,
    0.1,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[WAVES, ROLL_OUT, REACH, MOVED, COARSER, THINNER, ON_CHANGE];

/// What firmware can move, and how far at most.
pub(super) type Reach = &'static [(Quantity, f64)];

/// Days from which the unit's firmware reports otherwise; infinite if it never does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reporting {
    pub(super) coarse_from: f64,
    pub(super) thin_from: f64,
    pub(super) on_change_from: f64,
}

/// One wave of a model.
#[derive(Debug, Clone)]
struct Wave {
    day: f64,
    moves: Vec<(Quantity, f64)>,
    is_coarser: bool,
    is_thinner: bool,
    is_on_change: bool,
}

/// The waves of a unit's model as they reach the unit.
pub(super) fn of_unit(
    fleet_seed: u64,
    seed: u64,
    days: f64,
    reach: Reach,
    effects: Effects,
) -> (Reporting, Vec<Episode>) {
    let mut reporting = Reporting {
        coarse_from: f64::INFINITY,
        thin_from: f64::INFINITY,
        on_change_from: f64::INFINITY,
    };
    let mut episodes = Vec::new();
    if !effects.has(Effect::Firmware) {
        return (reporting, episodes);
    }
    let rng = &mut generator(seed, Stream::Effect(Effect::Firmware));
    for wave in waves(fleet_seed, days, reach) {
        let from = wave.day + ROLL_OUT.high * rng.random::<f64>();
        let at = |is_so: bool, from_before: f64| if is_so { from.min(from_before) } else { from_before };
        reporting.coarse_from = at(wave.is_coarser, reporting.coarse_from);
        reporting.thin_from = at(wave.is_thinner, reporting.thin_from);
        reporting.on_change_from = at(wave.is_on_change, reporting.on_change_from);
        let moved = wave.moves.into_iter();
        let installed = Episode::lasting(Effect::Firmware, from);
        episodes.push(moved.fold(installed, |episode, (quantity, change)| {
            episode.moving(quantity, change, Shape::Step)
        }));
    }
    (reporting, episodes)
}

fn waves(fleet_seed: u64, days: f64, reach: Reach) -> Vec<Wave> {
    let rng = &mut generator(fleet_seed, Stream::Fleet(Effect::Firmware));
    let expected = WAVES.draw(rng) * days / 365.25;
    // The part of a wave that is left over comes with that probability.
    let waves = (expected + rng.random::<f64>()) as u32;
    let wave = |_| {
        let day = days * rng.random::<f64>();
        let moved = (MOVED.low as u32)..=(MOVED.high as u32);
        let mut left: Vec<_> = reach.to_vec();
        let mut moves = Vec::new();
        for _ in 0..rng.random_range(moved) {
            if !left.is_empty() {
                let (quantity, greatest) = left.swap_remove(rng.random_range(0..left.len()));
                let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
                moves.push((quantity, sign * greatest * REACH.draw(rng)));
            }
        }
        Wave {
            day,
            moves,
            is_coarser: COARSER.happens(rng),
            is_thinner: THINNER.happens(rng),
            is_on_change: ON_CHANGE.happens(rng),
        }
    };
    (0..waves).map(wave).collect()
}

#[cfg(test)]
mod tests {
    use super::{Effects, Quantity, of_unit};

    #[test]
    fn a_wave_reaches_every_unit_of_the_model_within_two_weeks() {
        let reach = &[(Quantity::SpinVibration, 0.12), (Quantity::FillLevel, 6.0)];
        let units: Vec<_> = (0..50)
            .map(|unit| of_unit(9, unit, 365.0, reach, Effects::ALL).1)
            .collect();
        let waves = units[0].len();
        assert!((1..=3).contains(&waves));
        for wave in 0..waves {
            let days: Vec<_> = units.iter().map(|unit| unit[wave].from_day).collect();
            let (first, last) = (
                days.iter().copied().fold(f64::MAX, f64::min),
                days.iter().copied().fold(0.0, f64::max),
            );
            assert!((8.0..=14.0).contains(&(last - first)), "{first} to {last}");
            assert!(units.iter().all(|unit| unit[wave].shifts == units[0][wave].shifts));
        }
        assert!(of_unit(9, 1, 365.0, reach, Effects::NONE).1.is_empty());
    }
}
