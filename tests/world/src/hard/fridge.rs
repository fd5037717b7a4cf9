//! A fridge of the hard world: a compressor that holds a temperature, one row every five minutes, with the channels of
//! `models/profiles/fridge.toml`.

mod cabinet;
pub(super) mod control;
pub(super) mod habits;
pub(super) mod unit;
pub(super) mod wear;

use super::Fleet;
use super::batch;
use super::climate::Climate;
use super::draw::{Stream, generator};
use super::fault::Fault;
use super::firmware::Reach;
use super::household::Household;
use super::life::Life;
use super::mains::{Mains, RATED_V};
use super::quantity::{Levels, Quantity};
use super::recorder::{Recorder, Row};
use super::repair;
use super::sensor::Kind;
use crate::noise::normal;
use crate::profiles;
use cabinet::{Around, Cabinet};
use habits::Habits;
use rand_chacha::ChaCha8Rng;
use unit::Unit;

/// Channels of the profile, in order; a test compares them.
#[cfg(test)]
const CHANNELS: [&str; 8] = [
    "room_temperature_c",
    "compartment_temperature_c",
    "evaporator_temperature_c",
    "condenser_temperature_c",
    "power_w",
    "compressor_duty",
    "start_current_a",
    "door_open_s",
];

/// What the channels measure, in the profile's order.
const KINDS: [Kind; 8] = [
    Kind::Temperature,
    Kind::Temperature,
    Kind::Temperature,
    Kind::Temperature,
    Kind::SmallPower,
    Kind::Exact,
    Kind::Current,
    Kind::Exact,
];

/// What firmware moves at most (assumed).
pub(super) const FIRMWARE: Reach = &[
    (Quantity::CompressorPower, 0.05),
    (Quantity::SetTemperature, 0.5),
    (Quantity::DefrostInterval, 0.3),
    (Quantity::FanPower, 0.2),
];

/// Parts that a supplier may change (assumed).
pub(super) const PARTS: [Quantity; 5] = [
    Quantity::Capacity,
    Quantity::CompressorPower,
    Quantity::CondenserTransfer,
    Quantity::HeatLeak,
    Quantity::StartCurrent,
];

const MINUTES: i64 = 5;
const PERIOD_S: i64 = 60 * MINUTES;
const HOUR_S: i64 = 3_600;
const DAY_S: f64 = 86_400.0;

/// A fridge: an iterator over its rows by arrival, and the truth beside them.
#[derive(Debug, Clone)]
pub struct Fridge {
    unit: Unit,
    climate: Climate,
    mains: Mains,
    household: Household,
    habits: Vec<Habits>,
    doors: habits::Doors,
    life: Life,
    cabinet: Cabinet,
    hour: Hour,
    noise: ChaCha8Rng,
    recorder: Recorder,
    /// Last second that has been lived through, and the end of the record.
    second: i64,
    end: i64,
}

/// What holds for an hour.
#[derive(Debug, Clone)]
struct Hour {
    levels: Levels,
    is_down: bool,
    /// Heat of warm food, W.
    warm_w: f64,
    /// Openings of the door in a minute.
    openings_a_minute: f64,
}

impl Fridge {
    pub(super) fn new(fleet: &Fleet, seed: u64) -> Self {
        let (days, effects) = (f64::from(fleet.days), fleet.effects);
        let (mains, mut episodes) = Mains::draw(seed, days, effects);
        let (household, told) = Household::draw(seed, days, effects);
        episodes.extend(told);
        episodes.extend(batch::of_unit(fleet.seed, seed, &PARTS, effects));
        episodes.extend(wear::episodes(seed, days, effects, &household));
        let (doors, told) = habits::Doors::draw(seed, days, effects);
        episodes.extend(told);
        let recorder = Recorder::new(fleet, seed, &profiles::fridge(), &KINDS, FIRMWARE, &mut episodes);
        let unit = Unit::draw(seed, effects);
        let faults = Fault::draw(fleet, seed, &unit.faults());
        episodes.extend(repair::new_parts(seed, &faults, effects));
        let households = 0..=household.number(days);
        let climate = Climate::draw(seed, effects);
        let cabinet = Cabinet::new(seed, climate.room_c(recorder.local_day(0)));
        Self {
            unit,
            climate,
            mains,
            habits: households.map(|number| Habits::draw(seed, number, effects)).collect(),
            household,
            doors,
            life: Life { episodes, faults },
            cabinet,
            // The first period sets it.
            hour: Hour::calm(),
            noise: generator(seed, Stream::Noise),
            recorder,
            second: 0,
            end: (days * DAY_S) as i64,
        }
    }

    /// Effects and faults of this fridge.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Lives through the next five minutes. False at the end of the record.
    fn advance(&mut self) -> bool {
        let next = self.second + PERIOD_S;
        if next >= self.end {
            return false;
        }
        let day = self.second as f64 / DAY_S;
        if self.second % HOUR_S == 0 {
            self.hour = self.hour();
        }
        let local_day = self.recorder.local_day(self.second);
        let is_off = self.hour.is_down || self.mains.out_until(day).is_some();
        let around = Around {
            room_c: self.climate.room_c(local_day),
            humidity: self.climate.humidity(local_day),
            supply: if is_off {
                0.0
            } else {
                self.mains.volts(local_day) / RATED_V
            },
            warm_w: self.hour.warm_w,
            openings: self.hour.openings_a_minute,
            is_left_open: self.doors.is_left_open(day),
        };
        let readings = self.period(&around);
        self.second = next;
        if !is_off {
            self.recorder.take(next, readings);
        }
        true
    }

    /// Five minutes, and what the sensors say at their end.
    fn period(&mut self, around: &Around) -> [f64; 8] {
        let mut sum = cabinet::Minute::default();
        for _ in 0..MINUTES {
            sum.add(&self.cabinet.minute(&self.unit, &self.hour.levels, around));
        }
        let rng = &mut self.noise;
        let share = 1.0 / MINUTES as f64;
        let mut read = |value: f64, deviation: f64| normal(rng, value, deviation);
        let start_a = sum.start_a;
        [
            read(around.room_c, 0.1),
            read(sum.compartment_c * share, 0.05),
            read(sum.evaporator_c * share, 0.2),
            read(sum.condenser_c * share, 0.2),
            read(sum.power_w * share, 0.005 * sum.power_w * share),
            sum.run * share,
            // Where on the wave the relay closes decides the peak.
            if start_a > 0.0 {
                read(start_a, 0.05 * start_a)
            } else {
                0.0
            },
            sum.open_s,
        ]
    }

    fn hour(&self) -> Hour {
        let day = self.second as f64 / DAY_S;
        let local_day = self.recorder.local_day(self.second);
        let habits = &self.habits[self.household.number(day)];
        let is_away = self.household.is_away(day);
        Hour {
            levels: self.life.levels(day),
            is_down: self.life.is_down(day),
            warm_w: if is_away { 0.0 } else { self.doors.warm_w(day) },
            openings_a_minute: if is_away {
                0.0
            } else {
                habits.openings_a_minute(local_day)
            },
        }
    }
}

impl Hour {
    fn calm() -> Self {
        Self {
            levels: Levels::unmoved(),
            is_down: false,
            warm_w: 0.0,
            openings_a_minute: 0.0,
        }
    }
}

impl Iterator for Fridge {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.recorder.arrived(self.second) {
                return Some(row);
            }
            if !self.advance() {
                return self.recorder.arrived(i64::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn channels_are_those_of_the_profile() {
        let profile = crate::profiles::fridge();
        let names: Vec<_> = profile.channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(names, super::CHANNELS);
    }
}
