//! A washing machine of the hard world: some runs a week, one row a minute while one is on and one an hour otherwise, with
//! the channels of `models/profiles/washing-machine.toml`.

pub(super) mod habits;
pub(super) mod plan;
mod programme;
pub(super) mod run;
pub(super) mod unit;
pub(super) mod wear;

pub use plan::RunTruth;

use super::Fleet;
use super::batch;
use super::climate::Climate;
use super::draw::{Stream, generator};
use super::fault::Fault;
use super::firmware::Reach;
use super::household::Household;
use super::life::Life;
use super::mains::Mains;
use super::quantity::Quantity;
use super::recorder::{Recorder, Row};
use super::repair;
use super::sensor::Kind;
use crate::noise::normal;
use crate::profiles;
use crate::run::CHANNELS;
use habits::Habits;
use plan::Planned;
use rand_chacha::ChaCha8Rng;
use run::{Around, Run};
use std::collections::VecDeque;
use unit::Unit;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: f64 = 86_400.0;

/// What the channels measure, in the profile's order.
const KINDS: [Kind; CHANNELS.len()] = [
    Kind::Exact,
    Kind::Current,
    Kind::SmallCurrent,
    Kind::Exact,
    Kind::Vibration,
    Kind::Temperature,
    Kind::Temperature,
    Kind::Level,
    Kind::Power,
    Kind::Exact,
];

/// What firmware moves at most (assumed).
pub(super) const FIRMWARE: Reach = &[
    (Quantity::SpinCurrent, 0.06),
    (Quantity::WashCurrent, 0.06),
    (Quantity::SpinVibration, 0.12),
    (Quantity::FillLevel, 6.0),
    (Quantity::PumpCurrent, 0.03),
];

/// Parts that a supplier may change (assumed).
pub(super) const PARTS: [Quantity; 6] = [
    Quantity::PumpCurrent,
    Quantity::DrainRate,
    Quantity::SpinVibration,
    Quantity::SpinCurrent,
    Quantity::HeaterPower,
    Quantity::FillRate,
];

/// A washing machine: an iterator over its rows by arrival, and the truth beside them.
#[derive(Debug, Clone)]
pub struct WashingMachine {
    unit: Unit,
    climate: Climate,
    mains: Mains,
    life: Life,
    runs: Vec<RunTruth>,
    planned: VecDeque<Planned>,
    running: Option<Run>,
    /// Noise of the rows outside of runs.
    noise: ChaCha8Rng,
    recorder: Recorder,
    /// Last second that has been lived through, and the first that is not lived.
    second: i64,
    end: i64,
}

impl WashingMachine {
    pub(super) fn new(fleet: &Fleet, seed: u64) -> Self {
        let (days, effects) = (f64::from(fleet.days), fleet.effects);
        let (mains, mut episodes) = Mains::draw(seed, days, effects);
        let (household, told) = Household::draw(seed, days, effects);
        episodes.extend(told);
        episodes.extend(batch::of_unit(fleet.seed, seed, &PARTS, effects));
        episodes.extend(wear::episodes(seed, days, effects, &household));
        let profile = profiles::washing_machine();
        let recorder = Recorder::new(fleet, seed, &profile, &KINDS, FIRMWARE, &mut episodes);
        let faults = Fault::draw(fleet, seed, &Habits::draw(seed, 0, effects).faults());
        episodes.extend(repair::new_parts(seed, &faults, effects));
        let life = Life { episodes, faults };
        let mut planned = plan::runs(fleet, seed, &household, recorder.local_day(0));
        planned.retain(|run| !life.is_down(run.truth.day));
        Self {
            unit: Unit::draw(seed),
            climate: Climate::draw(seed, effects),
            mains,
            life,
            runs: planned.iter().map(|run| run.truth).collect(),
            planned,
            running: None,
            noise: generator(seed, Stream::Noise),
            recorder,
            second: 0,
            end: (days * DAY_S) as i64,
        }
    }

    /// Effects and faults of this machine.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Runs of this machine, in order, as they were planned; one may begin later if the one before takes long.
    pub fn runs(&self) -> &[RunTruth] {
        &self.runs
    }

    /// Lives through the next moment at which something is read. False at the end of the record.
    fn advance(&mut self) -> bool {
        let start = self
            .planned
            .front()
            .map_or(i64::MAX, |run| run.second.max(self.second + MINUTE_S));
        let next = match self.running {
            Some(_) => self.second + MINUTE_S,
            // Heartbeats come on the hour, whatever ran before.
            None => start.min((self.second.div_euclid(HOUR_S) + 1) * HOUR_S),
        };
        if next >= self.end {
            return false;
        }
        self.second = next;
        let day = next as f64 / DAY_S;
        if let Some(until) = self.mains.out_until(day) {
            // A run that is on waits for the mains.
            self.second = self.second.max((until * DAY_S) as i64);
            return true;
        }
        match &mut self.running {
            Some(_) => self.minute(),
            None if self.life.is_down(day) => {}
            None => {
                self.idle();
                if next == start
                    && let Some(planned) = self.planned.pop_front()
                {
                    let room_c = self.climate.room_c(self.recorder.local_day(next));
                    self.running = Some(Run::start(&planned, self.life.levels(day), room_c));
                }
            }
        }
        true
    }

    fn minute(&mut self) {
        let around = self.around();
        let readings = self.running.as_mut().and_then(|run| run.minute(&self.unit, &around));
        match readings {
            Some(readings) => self.recorder.take(self.second, readings),
            None => {
                self.running = None;
                self.idle();
            }
        }
    }

    /// A row of a machine that does nothing.
    fn idle(&mut self) {
        let around = self.around();
        let rng = &mut self.noise;
        let room_c = normal(rng, around.room_c, 0.1);
        let readings = [
            0.0,
            normal(rng, 0.012, 0.001),
            0.0,
            0.0,
            normal(rng, 0.02, 0.005),
            room_c,
            room_c,
            0.0,
            0.0,
            normal(rng, around.mains_v, 0.7),
        ];
        self.recorder.take(self.second, readings);
    }

    fn around(&self) -> Around {
        let local_day = self.recorder.local_day(self.second);
        Around {
            room_c: self.climate.room_c(local_day),
            inlet_c: self.climate.inlet_c(local_day),
            mains_v: self.mains.volts(local_day),
        }
    }
}

impl Iterator for WashingMachine {
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
