//! Fridges of the hard world, a step a day: in a day all of a household's habits and a defrost are in, and what is left is the unit
//! and its room. No model is shipped for them, so each feature is a mean of rows over a day, as a maker without training would take it.

use hub_predict::generic::{Channel, Influence};
use tests_world::hard::{Effect, Fleet, Fridge, Row};

use super::machine::{Run, day_of};

/// Channels of the profile, by id.
const ROOM: u8 = 1;
const COMPARTMENT: u8 = 2;
const EVAPORATOR: u8 = 3;
const CONDENSER: u8 = 4;
const POWER: u8 = 5;
const DUTY: u8 = 6;
const START: u8 = 7;
const OPEN: u8 = 8;

/// Share of the five minutes for which the compressor ran in a row that tells of running, and of standing still.
const RUNS_FROM: f64 = 0.3;
const STANDS_BELOW: f64 = 0.05;
/// Power of a row without the compressor from which it is a defrost, W.
const DEFROST_FROM_W: f64 = 20.0;
/// Mean peak of the starts by a relay, A; those of an inverter are below it.
const RELAY_FROM_A: f64 = 3.5;
/// Rows of a day that make a step: a sixth of all. Firmware may send half of them, and of those only what has changed.
const ROWS_MIN: usize = 48;
/// Equal values in a day, as many as all that there are, of which a sensor is stuck.
const STUCK_ROWS: u32 = 12;

/// A feature of a day: the mean of a channel over the rows that it is read of.
struct Feature {
    name: &'static str,
    unit: &'static str,
    decimals: u8,
    channel: u8,
    of: fn(&Reading) -> bool,
}

/// What a row says of the compressor.
struct Reading {
    power_w: f64,
    duty: f64,
    start_a: f64,
}

static HEALTH: [Feature; CONDITIONS_FROM] = [
    feature("power", "W", 2, POWER, |_| true),
    feature("duty", "/", 4, DUTY, |_| true),
    feature("compartment", "Cel", 2, COMPARTMENT, |_| true),
    feature("evaporator", "Cel", 2, EVAPORATOR, |row| row.duty >= RUNS_FROM),
    feature("condenser", "Cel", 2, CONDENSER, |row| row.duty >= RUNS_FROM),
    feature("running_power", "W", 2, POWER, |row| row.duty >= RUNS_FROM),
    feature("start_current", "A", 2, START, |row| row.start_a > 0.0),
    feature("defrost_power", "W", 1, POWER, |row| {
        row.duty < STANDS_BELOW && row.power_w >= DEFROST_FROM_W
    }),
];

/// Conditions, with usual value and spread.
static CONDITIONS: [(Feature, f64, f64); 2] = [
    (feature("room", "Cel", 2, ROOM, |_| true), 21.0, 3.0),
    (feature("door_open", "s", 2, OPEN, |_| true), 2.0, 1.0),
];

/// Features that tell of the fridge come before its conditions.
pub const CONDITIONS_FROM: usize = 8;

const fn feature(
    name: &'static str,
    unit: &'static str,
    decimals: u8,
    channel: u8,
    of: fn(&Reading) -> bool,
) -> Feature {
    Feature {
        name,
        unit,
        decimals,
        channel,
        of,
    }
}

fn features() -> impl Iterator<Item = &'static Feature> {
    HEALTH.iter().chain(CONDITIONS.iter().map(|(one, ..)| one))
}

/// What is read of a day, and by which kind of quantity it is compared.
pub fn channels() -> Vec<Channel> {
    let channel = |one: &Feature| Channel {
        name: one.name.into(),
        unit: one.unit.into(),
        decimals: one.decimals,
    };
    features().map(channel).collect()
}

/// Each condition may show in each feature.
pub fn influences() -> Vec<Influence> {
    let influences = (0..CONDITIONS_FROM).flat_map(|channel| {
        let of = CONDITIONS.iter().enumerate();
        of.map(move |(i, (_, reference, spread))| Influence {
            channel,
            by: CONDITIONS_FROM + i,
            reference: *reference,
            spread: *spread,
        })
    });
    influences.collect()
}

/// Days on which the hub is told what begins a new normal: the fridge goes to another household, or gets a part.
fn told(fridge: &Fridge) -> Vec<f64> {
    let episodes = fridge.life().episodes().iter();
    let told = episodes.filter(|one| matches!(one.effect, Effect::NewOwner | Effect::PartChange) && one.from_day > 0.0);
    told.map(|one| one.from_day).collect()
}

/// The day under way.
struct Day {
    number: i64,
    rows: usize,
    of: Vec<Sum>,
}

/// The rows of a day that a feature is read of.
#[derive(Clone, Copy)]
struct Sum {
    sum: f64,
    count: u32,
    lowest: f64,
    highest: f64,
}

impl Day {
    fn new(number: i64) -> Self {
        Self {
            number,
            rows: 0,
            of: vec![Sum::NONE; features().count()],
        }
    }

    fn add(&mut self, row: &Row) {
        let value = |id: u8| {
            let of = row.sample.values.iter().find(|(channel, _)| *channel == id);
            of.map(|(_, value)| *value)
        };
        let (Some(power_w), Some(duty), Some(start_a)) = (value(POWER), value(DUTY), value(START)) else {
            return;
        };
        self.rows += 1;
        let reading = Reading { power_w, duty, start_a };
        for (sum, feature) in self.of.iter_mut().zip(features()) {
            if let Some(value) = value(feature.channel).filter(|_| (feature.of)(&reading)) {
                sum.add(value);
            }
        }
    }

    fn values(&self) -> Option<Vec<Option<f64>>> {
        let mean = |(i, sum): (usize, &Sum)| sum.mean().filter(|_| i >= CONDITIONS_FROM || !sum.is_stuck());
        (self.rows >= ROWS_MIN).then(|| self.of.iter().enumerate().map(mean).collect())
    }
}

impl Sum {
    const NONE: Self = Self {
        sum: 0.0,
        count: 0,
        lowest: f64::INFINITY,
        highest: f64::NEG_INFINITY,
    };

    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        (self.lowest, self.highest) = (self.lowest.min(value), self.highest.max(value));
    }

    /// A sensor that repeats itself says nothing of the fridge.
    fn is_stuck(&self) -> bool {
        self.count >= STUCK_ROWS && self.lowest >= self.highest
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// The days of a fridge until one of them. A day ends with the first row of a later one; rows that come after it, and those of a clock
/// that is ahead of the hub's, are none of any.
pub fn days(fleet: &Fleet, fridge: &mut Fridge, until_day: f64) -> Vec<Run> {
    let mut told = told(fridge);
    let mut under_way = Day::new(0);
    let mut days = Vec::new();
    for row in fridge {
        let received = day_of(fleet.start, row.received);
        if received >= until_day {
            break;
        }
        let at = day_of(fleet.start, row.sample.at);
        let number = at.floor() as i64;
        if number < under_way.number || at > received + 0.5 {
            continue;
        }
        if number > under_way.number {
            if let Some(values) = under_way.values() {
                let before = told.len();
                told.retain(|told| *told > received);
                days.push(Run {
                    day: received,
                    values,
                    parts: Vec::new(),
                    afresh: told.len() < before,
                    told: None,
                });
            }
            under_way = Day::new(number);
        }
        under_way.add(&row);
    }
    days
}

/// Whether the compressor starts by a relay: an inverter starts softly.
pub fn has_relay(days: &[Run]) -> bool {
    let feature = HEALTH.iter().position(|one| one.channel == START);
    let starts = days.iter().filter_map(|day| day.values[feature?]);
    let (count, sum) = starts.fold((0_u32, 0.0), |(count, sum), start_a| (count + 1, sum + start_a));
    sum >= RELAY_FROM_A * f64::from(count.max(1))
}
