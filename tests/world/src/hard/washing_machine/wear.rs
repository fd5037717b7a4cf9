//! What a home and the years do to a healthy washing machine.

use super::super::draw::event_days;
use super::super::effect::{Effect, Effects};
use super::super::episode::{self, Draw, Episode, Shape};
use super::super::figure::{ASSUMED, Figure};
use super::super::household::Household;
use super::super::quantity::Quantity;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const WOODEN: Figure = Figure::new(Effect::WoodenFloor, "share of homes", 0.3, 0.3, ASSUMED);
const WOODEN_SHAKE: Figure = Figure::new(Effect::WoodenFloor, "spin vibration, share more", 0.5, 1.0, ASSUMED);
const PRESSURE: Figure = Figure::new(
    Effect::Pressure,
    "fill rate at 0.5 to 8 bar, factor (logarithmic)",
    0.33,
    2.0,
    ASSUMED,
);
const HOSE_HEIGHT: Figure = Figure::new(
    Effect::Hose,
    "drain rate by a hose of 0.6 to 1 m, share",
    -0.1,
    0.0,
    ASSUMED,
);
const HOSE_KINKS: Figure = Figure::new(Effect::Hose, "kinks a year", 0.1, 0.1, ASSUMED);
const HOSE_KINK: Figure = Figure::new(Effect::Hose, "drain rate by a kink, share", -0.2, -0.05, ASSUMED);
const LINT_DAYS: Figure = Figure::new(
    Effect::LintFilter,
    "days from one cleaning to the next",
    60.0,
    240.0,
    ASSUMED,
);
const LINT_DRAIN: Figure = Figure::new(
    Effect::LintFilter,
    "drain rate before the cleaning, share",
    -0.3,
    -0.05,
    ASSUMED,
);
const LINT_PUMP: Figure = Figure::new(
    Effect::LintFilter,
    "pump current before the cleaning, share",
    -0.08,
    0.0,
    ASSUMED,
);
const NEW_UNITS: Figure = Figure::new(
    Effect::RunIn,
    "share of units that are new at the start",
    0.3,
    0.3,
    ASSUMED,
);
const RUN_IN: Figure = Figure::new(Effect::RunIn, "spin vibration, share", -0.12, -0.12, ASSUMED);
const RUN_IN_DAYS: Figure = Figure::new(Effect::RunIn, "days until 63 % of it is done", 40.0, 40.0, ASSUMED);
const AGE_DAMPERS: Figure = ageing("spin vibration, share a year", 0.0, 0.25);
const AGE_MOTOR: Figure = ageing("motor current, share a year", -0.03, 0.06);
const AGE_PUMP: Figure = ageing("pump current, share a year", -0.03, 0.08);
const AGE_DRAIN: Figure = ageing("drain rate, share a year", -0.06, 0.0);
const AGE_HEATER: Figure = ageing("heater power, share a year", -0.03, 0.0);
const MOVE_SPIN: Figure = moved("spin vibration, share", -0.3, 0.7);
const MOVE_WASH: Figure = moved("vibration while tumbling, share", -0.15, 0.25);
const MOVE_DRAIN: Figure = moved("drain rate, share", -0.15, 0.08);

const fn ageing(what: &'static str, low: f64, high: f64) -> Figure {
    Figure::new(Effect::Ageing, what, low, high, ASSUMED)
}

const fn moved(what: &'static str, low: f64, high: f64) -> Figure {
    Figure::new(Effect::Move, what, low, high, ASSUMED)
}

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    WOODEN,
    WOODEN_SHAKE,
    PRESSURE,
    HOSE_HEIGHT,
    HOSE_KINKS,
    HOSE_KINK,
    LINT_DAYS,
    LINT_DRAIN,
    LINT_PUMP,
    NEW_UNITS,
    RUN_IN,
    RUN_IN_DAYS,
    AGE_DAMPERS,
    AGE_MOTOR,
    AGE_PUMP,
    AGE_DRAIN,
    AGE_HEATER,
    MOVE_SPIN,
    MOVE_WASH,
    MOVE_DRAIN,
];

/// The episodes of a unit in its home.
pub(super) fn episodes(seed: u64, days: f64, effects: Effects, household: &Household) -> Vec<Episode> {
    let by_effect: [(Effect, Draw); 6] = [
        (Effect::WoodenFloor, floor),
        (Effect::Pressure, pressure),
        (Effect::Hose, hose),
        (Effect::LintFilter, lint),
        (Effect::RunIn, run_in),
        (Effect::Ageing, age),
    ];
    let mut found = episode::draw(seed, days, effects, &by_effect);
    found.extend(household.places(seed, place));
    found
}

fn floor(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let is_wooden = WOODEN.happens(rng);
    let shaking = Episode::lasting(Effect::WoodenFloor, 0.0);
    let shaking = shaking.moving(Quantity::SpinVibration, WOODEN_SHAKE.draw(rng), Shape::Step);
    is_wooden.then_some(shaking).into_iter().collect()
}

fn pressure(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let change = PRESSURE.draw_log(rng) - 1.0;
    vec![Episode::lasting(Effect::Pressure, 0.0).moving(Quantity::FillRate, change, Shape::Step)]
}

fn hose(rng: &mut ChaCha8Rng, days: f64) -> Vec<Episode> {
    let slowed = |day, change| Episode::lasting(Effect::Hose, day).moving(Quantity::DrainRate, change, Shape::Step);
    let mut found = vec![slowed(0.0, HOSE_HEIGHT.draw(rng))];
    for day in event_days(rng, HOSE_KINKS.low, days) {
        found.push(slowed(day, HOSE_KINK.draw(rng)));
    }
    found
}

fn lint(rng: &mut ChaCha8Rng, days: f64) -> Vec<Episode> {
    let length = LINT_DAYS.draw(rng);
    let (drain, pump) = (LINT_DRAIN.draw(rng), LINT_PUMP.draw(rng));
    // Some of the first filling has happened before the start.
    let mut from = -length * rng.random::<f64>();
    let mut found = Vec::new();
    while from < days {
        let filling = Episode::plain(Effect::LintFilter, from, from + length);
        let filling = filling.moving(Quantity::DrainRate, drain, Shape::Rising);
        found.push(filling.moving(Quantity::PumpCurrent, pump, Shape::Rising));
        from += length;
    }
    found
}

fn run_in(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let settling = Shape::Settling(RUN_IN_DAYS.low);
    let running_in = Episode::plain(Effect::RunIn, 0.0, 4.0 * RUN_IN_DAYS.low);
    let then = Episode::lasting(Effect::RunIn, running_in.until_day);
    let found = [
        running_in.moving(Quantity::SpinVibration, RUN_IN.low, settling),
        then.moving(Quantity::SpinVibration, RUN_IN.low, Shape::Step),
    ];
    if NEW_UNITS.happens(rng) {
        found.into()
    } else {
        Vec::new()
    }
}

fn age(rng: &mut ChaCha8Rng, _: f64) -> Vec<Episode> {
    let motor = AGE_MOTOR.draw(rng);
    let changes = [
        (Quantity::SpinVibration, AGE_DAMPERS.draw(rng)),
        (Quantity::SpinCurrent, motor),
        (Quantity::WashCurrent, motor),
        (Quantity::PumpCurrent, AGE_PUMP.draw(rng)),
        (Quantity::DrainRate, AGE_DRAIN.draw(rng)),
        (Quantity::HeaterPower, AGE_HEATER.draw(rng)),
    ];
    let ageing = Episode::lasting(Effect::Ageing, 0.0);
    vec![changes.into_iter().fold(ageing, |one, (quantity, change)| {
        one.moving(quantity, change, Shape::Yearly)
    })]
}

/// Each place has a floor, a level and a hose of its own.
fn place(moved: Episode, rng: &mut ChaCha8Rng) -> Episode {
    moved
        .moving(Quantity::SpinVibration, MOVE_SPIN.draw(rng), Shape::Step)
        .moving(Quantity::WashVibration, MOVE_WASH.draw(rng), Shape::Step)
        .moving(Quantity::DrainRate, MOVE_DRAIN.draw(rng), Shape::Step)
}
