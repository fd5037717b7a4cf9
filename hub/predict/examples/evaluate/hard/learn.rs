//! What a fleet teaches: influence of conditions, floors, and thresholds by the rule of budgets. It sees another fleet than the one that
//! is judged.

use std::collections::BTreeMap;

use hub_core::budget::history::{HighestScore, History, MONTHS_MAX, MonthOfScores};
use hub_core::budget::level::{Thresholds, renew};
use hub_core::budget::{Budgets, Draws, Month};
use hub_core::id::ApplianceId;
use hub_predict::generic::{Channel, DEVICES_MIN, Influence, Settings, WATCHED_DAYS_MIN, conditions, fleet_floors};
use jiff::civil::date;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kit::Run;
use super::watch::{Said, Watched, watch};

/// Floors hang on what is taken for a calibration, which hangs on floors: they are learned so many times.
const FLOOR_ROUNDS: usize = 3;
/// The same of thresholds, since the normal follows below half of one.
const THRESHOLD_ROUNDS: usize = 3;

/// A detector with what a fleet taught.
pub struct Learned {
    pub settings: Settings,
    pub calls: f64,
    pub device_months: u32,
}

/// What a fleet teaches of these channels, with `first` settings before there is one.
pub fn learn(
    (channels, influences): (&[Channel], &[Influence]),
    first: &Settings,
    fleet: &[Vec<Run>],
    days: u32,
) -> Learned {
    let steps: Vec<Vec<Vec<Option<f64>>>> = fleet
        .iter()
        .map(|runs| runs.iter().map(|run| run.values.clone()).collect())
        .collect();
    let mut settings = Settings {
        conditions: conditions(channels, influences, steps.iter().map(Vec::as_slice)),
        // No machine of a fleet without a fault has a finding.
        threshold: f64::MAX,
        ..first.clone()
    };
    for _ in 0..FLOOR_ROUNDS {
        let watched = fleet.iter().map(|runs| watch(runs, channels, &settings));
        let long = watched.filter(|one| days_of(one) >= WATCHED_DAYS_MIN);
        let wanders: Vec<_> = long.map(|one| one.wander).collect();
        settings.fleet_floors = fleet_floors(channels.len(), &wanders, DEVICES_MIN);
    }
    settings.threshold = first.threshold;
    let (mut calls, mut device_months) = (f64::MAX, 0);
    for _ in 0..THRESHOLD_ROUNDS {
        let watched: Vec<Watched> = fleet.iter().map(|runs| watch(runs, channels, &settings)).collect();
        let tickets = thresholds(&watched, days, |said| said.ticket);
        settings.threshold = tickets.as_ref().map_or(settings.threshold, |t| t.tickets.in_force);
        device_months = tickets.map_or(0, |t| t.device_months);
        calls = calls_of(&watched, days, |said| said.call);
    }
    Learned {
        settings,
        calls,
        device_months,
    }
}

fn days_of(watched: &Watched) -> f64 {
    let ends = watched.said.first().zip(watched.said.last());
    ends.map_or(0.0, |(first, last)| last.day - first.day)
}

pub fn calls_of(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> f64 {
    let calls = thresholds(watched, days, score).and_then(|thresholds| thresholds.calls);
    calls.map_or(f64::MAX, |calls| calls.in_force)
}

/// The thresholds that a hub would have after the fleet's months.
pub fn thresholds(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> Option<Thresholds> {
    let known = history(watched, days, |one, run| one.said.get(run).map_or(0.0, &score));
    let histories = BTreeMap::from([("washing machine".to_owned(), known)]);
    renewed(&histories, Budgets::default()).remove("washing machine")
}

/// The highest score of each machine in each month of its record, by a score of a machine's run.
pub fn history(watched: &[Watched], days: u32, score: impl Fn(&Watched, usize) -> f64) -> History {
    let mut known = History::default();
    let months = watched.iter().map(|one| one.months(days).end).max().unwrap_or(0);
    for month in 0..months {
        let there = watched.iter().enumerate();
        let there = there.filter(|(_, one)| one.months(days).contains(&month));
        let highest = there.map(|(number, one)| {
            let runs = one.runs_of_month(month);
            HighestScore {
                appliance: ApplianceId(number as i64),
                score: runs.map(|run| score(one, run)).fold(0.0, f64::max) as f32,
            }
        });
        known.record(MonthOfScores::new(first_month().plus(month as i32), highest));
    }
    known
}

/// The thresholds of each of these in the month after them.
pub fn renewed(histories: &BTreeMap<String, History>, budgets: Budgets) -> BTreeMap<String, Thresholds> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = || rng.next_u64();
    renew(
        first_month().plus(MONTHS_MAX as i32),
        budgets,
        None,
        histories,
        &BTreeMap::new(),
        &mut Draws(&mut draw),
    )
}

fn first_month() -> Month {
    Month::of(date(2026, 1, 1))
}
