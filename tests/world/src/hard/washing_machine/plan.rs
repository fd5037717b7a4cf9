//! The runs of a whole record, planned before any is lived: when, what, how full, and what is odd about it.

use super::super::Fleet;
use super::super::climate::season;
use super::super::draw::{Stream, beta, generator, poisson};
use super::super::effect::{Effect, Effects};
use super::super::figure::{ASSUMED, Figure};
use super::super::household::Household;
use super::habits::Habits;
use super::programme::{CLEANING, Programme};
use crate::noise::normal;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const DAY_S: f64 = 86_400.0;
/// Runs of one week get numbers of their own.
const RUNS_A_WEEK_MAX: u32 = 60;
/// Days between cleaning runs.
const CLEANING_DAYS: f64 = 30.4;
/// Foam comes in clusters of that many days.
const FOAM_DAYS: f64 = 30.0;

const HOURS: Figure = Figure::base("household", "hour at which a run starts", 7.0, 21.0, ASSUMED);
const CONCENTRATION: Figure = Figure::base(
    "household",
    "fill of a run: Beta of the week's mean, concentration",
    8.0,
    8.0,
    ASSUMED,
);
const WEEK_SWING: Figure = Figure::new(
    Effect::FillWeeks,
    "mean fill of a week, one standard deviation",
    0.1,
    0.1,
    ASSUMED,
);
const WEEK_MEMORY: Figure = Figure::new(
    Effect::FillWeeks,
    "correlation of a week with the one before",
    0.7,
    0.7,
    ASSUMED,
);
const LUMP: Figure = Figure::base("household", "share of runs that end as one lump", 0.04, 0.04, ASSUMED);
const LUMP_SIZE: Figure = Figure::base("household", "imbalance of a lump, factor", 1.7, 1.7, ASSUMED);
const BLANKET_SIZE: Figure = Figure::new(Effect::Blankets, "imbalance, factor", 1.3, 2.8, ASSUMED);
const HEAVY_SIZE: Figure = Figure::new(Effect::HeavyItem, "imbalance, factor", 1.5, 2.2, ASSUMED);
const SHOE_SIZE: Figure = Figure::new(Effect::Shoes, "vibration while tumbling, factor", 1.5, 2.5, ASSUMED);
const FOAM_SHARE: Figure = Figure::new(
    Effect::Foam,
    "share of a month's runs; months below 0 have none",
    -0.3,
    0.6,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    HOURS,
    CONCENTRATION,
    WEEK_SWING,
    WEEK_MEMORY,
    LUMP,
    LUMP_SIZE,
    BLANKET_SIZE,
    HEAVY_SIZE,
    SHOE_SIZE,
    FOAM_SHARE,
];

/// The truth about one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunTruth {
    /// Planned start, in days of the record.
    pub day: f64,
    /// Fill, share of a full load.
    pub load: f64,
    /// Temperature of the programme, °C.
    pub wash_c: f64,
    /// Effects that make this run another than usual.
    pub effects: Effects,
}

/// How the spin goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spin {
    /// As the programme wants.
    Whole,
    /// After some minutes of distributing the laundry once more.
    Retried,
    /// At lower speed.
    Slow,
    /// Given up.
    GivenUp,
}

/// A run to come.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) second: i64,
    pub(super) programme: Programme,
    /// How unevenly the laundry lies, 1 on average.
    pub(super) imbalance: f64,
    /// Factor on the vibration while tumbling.
    pub(super) knocks: f64,
    pub(super) spin: Spin,
    pub(super) truth: RunTruth,
    /// Noise of the run's readings.
    pub(super) rng: ChaCha8Rng,
}

impl Planned {
    pub(super) fn foams(&self) -> bool {
        self.truth.effects.has(Effect::Foam)
    }
}

/// The runs of a record, in order. `local_day` is that of its start.
pub(super) fn runs(fleet: &Fleet, seed: u64, household: &Household, local_day: f64) -> VecDeque<Planned> {
    let (days, effects) = (f64::from(fleet.days), fleet.effects);
    let planner = Planner {
        seed,
        effects,
        local_day,
        foam: months_of_foam(seed, days),
    };
    let mut planned = Vec::new();
    let mut swing = 0.0;
    for week in 0..=(days / 7.0) as u64 {
        let rng = &mut generator(seed, Stream::Week(week));
        let fresh = (1.0 - WEEK_MEMORY.low * WEEK_MEMORY.low).sqrt();
        swing = WEEK_MEMORY.low * swing + fresh * normal(rng, 0.0, WEEK_SWING.low);
        let monday = (week * 7) as f64 - local_day.fract();
        let habits = Habits::draw(seed, household.number(monday), effects);
        let fill = habits.fill + if effects.has(Effect::FillWeeks) { swing } else { 0.0 };
        for number in 0..poisson(rng, habits.runs_a_week).min(RUNS_A_WEEK_MAX) {
            let hour = HOURS.draw(rng);
            let day = monday + f64::from(rng.random_range(0..7_u8)) + hour / 24.0;
            let number = week << 8 | u64::from(number);
            planned.push(planner.run(number, day, &habits, fill.clamp(0.15, 0.9)));
        }
        let months = |day: f64| (day / CLEANING_DAYS).floor();
        if habits.cleans && months(monday) < months(monday + 7.0) {
            planned.push(planner.cleaning(week << 8 | 255, monday + 5.5));
        }
    }
    planned.retain(|run| (0.0..days).contains(&run.truth.day) && !household.is_away(run.truth.day));
    planned.sort_by_key(|run| run.second);
    planned.into()
}

/// The share of runs with foam in each month, and in one more, since the last week may end behind the record.
fn months_of_foam(seed: u64, days: f64) -> Vec<f64> {
    let rng = &mut generator(seed, Stream::Effect(Effect::Foam));
    (0..=(days / FOAM_DAYS) as usize + 1)
        .map(|_| FOAM_SHARE.draw(rng).max(0.0))
        .collect()
}

struct Planner {
    seed: u64,
    effects: Effects,
    local_day: f64,
    foam: Vec<f64>,
}

impl Planner {
    /// A run of the household. All is drawn whether its effect is on or not, so that one effect shifts no other.
    fn run(&self, number: u64, day: f64, habits: &Habits, fill: f64) -> Planned {
        let mut rng = generator(self.seed, Stream::Run(number));
        let programme = habits.programme(&mut rng);
        let lump = if LUMP.happens(&mut rng) { LUMP_SIZE.low } else { 1.0 };
        let usual = lump * normal(&mut rng, 1.0, 0.15).clamp(0.6, 1.5);
        let mut odd = Effects::NONE;
        let mut is_so = |effect: Effect, share: f64, rng: &mut ChaCha8Rng| {
            let drawn = rng.random::<f64>() < share && self.effects.has(effect);
            odd = if drawn { odd.with(effect) } else { odd };
            drawn
        };
        let winter = season(self.local_day + day) < -0.5;
        let blankets = is_so(Effect::Blankets, if winter { habits.blankets } else { 0.0 }, &mut rng);
        let heavy = is_so(Effect::HeavyItem, if blankets { 0.0 } else { habits.heavy }, &mut rng);
        let shoes = is_so(Effect::Shoes, habits.shoes, &mut rng);
        is_so(Effect::Foam, self.foam[(day.max(0.0) / FOAM_DAYS) as usize], &mut rng);
        let sizes = [BLANKET_SIZE, HEAVY_SIZE, SHOE_SIZE].map(|size| size.draw(&mut rng));
        let imbalance = usual * if blankets { sizes[0] } else { 1.0 } * if heavy { sizes[1] } else { 1.0 };
        // An uneven load is refused more often.
        let retries = (habits.retries * imbalance * imbalance).min(0.6);
        let retried = is_so(Effect::UnbalanceRetry, retries, &mut rng);
        let spin = [Spin::Retried, Spin::Slow, Spin::GivenUp][rng.random_range(0..3)];
        // Last, since it takes more draws or fewer.
        let usual_load = beta(&mut rng, fill, CONCENTRATION.low);
        let load = match (blankets, heavy) {
            (true, _) => 1.0,
            (_, true) => 0.35,
            _ => usual_load,
        };
        Planned {
            second: (day * DAY_S) as i64,
            programme,
            imbalance,
            knocks: if shoes { sizes[2] } else { 1.0 },
            spin: if retried { spin } else { Spin::Whole },
            truth: RunTruth {
                day,
                load,
                wash_c: programme.wash_c,
                effects: odd,
            },
            rng: generator(self.seed, Stream::RunNoise(number)),
        }
    }

    /// An empty, hot run.
    fn cleaning(&self, number: u64, day: f64) -> Planned {
        Planned {
            second: (day * DAY_S) as i64,
            programme: CLEANING,
            imbalance: 0.3,
            knocks: 1.0,
            spin: Spin::Whole,
            truth: RunTruth {
                day,
                load: 0.0,
                wash_c: CLEANING.wash_c,
                effects: Effects::NONE.with(Effect::Cleaning),
            },
            rng: generator(self.seed, Stream::RunNoise(number)),
        }
    }
}
