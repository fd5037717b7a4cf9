//! What a home and the years do to a healthy fridge.

use super::super::draw::event_days;
use super::super::effect::{Effect, Effects};
use super::super::episode::{self, Draw, Episode, Shape};
use super::super::figure::{ASSUMED, Figure, MEIER};
use super::super::household::Household;
use super::super::quantity::Quantity;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const BUILT_IN: Figure = Figure::new(Effect::BuiltIn, "share of homes", 0.4, 0.4, ASSUMED);
const BUILT_IN_AIR: Figure = Figure::new(Effect::BuiltIn, "heat from the condenser, share", -0.4, -0.15, ASSUMED);
const SETPOINTS: Figure = Figure::new(Effect::Setpoint, "changes a year", 0.0, 4.0, ASSUMED);
const SETPOINT: Figure = Figure::new(
    Effect::Setpoint,
    "set temperature against the first, K, up or down",
    1.0,
    3.0,
    ASSUMED,
);
const DUST_DAYS: Figure = Figure::new(
    Effect::Dust,
    "days from one cleaning to the next",
    180.0,
    900.0,
    ASSUMED,
);
const DUST: Figure = Figure::new(
    Effect::Dust,
    "heat from the condenser before the cleaning, share",
    -0.15,
    -0.02,
    MEIER,
);
const AGE_SEAL: Figure = ageing("heat that comes in, share a year", 0.0, 0.03);
const AGE_COMPRESSOR: Figure = ageing("power of the compressor, share a year", -0.01, 0.02);
const AGE_CAPACITY: Figure = ageing("heat that the compressor moves, share a year", -0.02, 0.0);
const MOVE_AIR: Figure = Figure::new(Effect::Move, "heat from the condenser, share", -0.3, 0.3, ASSUMED);

const fn ageing(what: &'static str, low: f64, high: f64) -> Figure {
    Figure::new(Effect::Ageing, what, low, high, ASSUMED)
}

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    BUILT_IN,
    BUILT_IN_AIR,
    SETPOINTS,
    SETPOINT,
    DUST_DAYS,
    DUST,
    AGE_SEAL,
    AGE_COMPRESSOR,
    AGE_CAPACITY,
    MOVE_AIR,
];

/// The episodes of a unit in its home.
pub(super) fn episodes(seed: u64, days: f64, effects: Effects, household: &Household) -> Vec<Episode> {
    let by_effect: [(Effect, Draw); 4] = [
        (Effect::BuiltIn, built_in),
        (Effect::Setpoint, setpoint),
        (Effect::Dust, dust),
        (Effect::Ageing, age),
    ];
    let mut found = episode::draw(seed, days, effects, &by_effect);
    found.extend(household.places(seed, place));
    found
}

fn built_in(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let is_built_in = BUILT_IN.happens(rng);
    let change = BUILT_IN_AIR.draw(rng);
    let stifled = Episode::lasting(Effect::BuiltIn, 0.0).moving(Quantity::CondenserTransfer, change, Shape::Step);
    is_built_in.then_some(stifled).into_iter().collect()
}

/// Each change holds until the next; every second one goes back to the first temperature.
fn setpoint(rng: &mut ChaCha8Rng, days: f64) -> Vec<Episode> {
    let a_year = SETPOINTS.draw(rng);
    let changes = event_days(rng, a_year, days);
    let spans = changes.chunks(2);
    let change = |span: &[f64]| {
        let until = span.get(1).copied().unwrap_or(f64::INFINITY);
        let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let change = sign * SETPOINT.draw(rng);
        Episode::plain(Effect::Setpoint, span[0], until).moving(Quantity::SetTemperature, change, Shape::Step)
    };
    spans.map(change).collect()
}

fn dust(rng: &mut ChaCha8Rng, days: f64) -> Vec<Episode> {
    let (length, change) = (DUST_DAYS.draw(rng), DUST.draw(rng));
    let mut from = -length * rng.random::<f64>();
    let mut found = Vec::new();
    while from < days {
        let settling = Episode::plain(Effect::Dust, from, from + length);
        found.push(settling.moving(Quantity::CondenserTransfer, change, Shape::Rising));
        from += length;
    }
    found
}

fn age(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let ageing = Episode::lasting(Effect::Ageing, 0.0)
        .moving(Quantity::HeatLeak, AGE_SEAL.draw(rng), Shape::Yearly)
        .moving(Quantity::CompressorPower, AGE_COMPRESSOR.draw(rng), Shape::Yearly)
        .moving(Quantity::Capacity, AGE_CAPACITY.draw(rng), Shape::Yearly);
    vec![ageing]
}

/// Each place has air of its own around the condenser.
fn place(moved: Episode, rng: &mut ChaCha8Rng) -> Episode {
    moved.moving(Quantity::CondenserTransfer, MOVE_AIR.draw(rng), Shape::Step)
}
