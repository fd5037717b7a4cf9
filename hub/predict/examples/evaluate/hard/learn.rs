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

/// Samples of fleets, drawn with replacement, and the quantile of their levels that is taken.
const FLEETS_DRAWN: usize = 40;
const BOUND: f64 = 0.8;

/// Levels of tickets and of calls that hold for the next fleet, and the months behind them: what is rarest in a fleet comes from its firmware and
/// its batches, which all of its units have. So whole fleets are drawn, of so many units each, where the hub's rule, for one fleet, draws
/// units.
pub fn bounded_by_fleets(
    watched: &[Watched],
    units: usize,
    days: u32,
    score: impl Fn(&Said) -> f64,
) -> Option<(f64, Option<f64>, u32)> {
    let highest = highest(watched, days, |one, run| one.said.get(run).map_or(0.0, &score));
    let fleets: Vec<&[Vec<(u32, f32)>]> = highest.chunks(units.max(1)).collect();
    let all = levels_of(recorded(highest.iter()))?;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let drawn: Vec<Thresholds> = (0..FLEETS_DRAWN)
        .filter_map(|_| {
            let one = |_| fleets[(rng.next_u64() % fleets.len() as u64) as usize];
            let sample: Vec<_> = (0..fleets.len()).map(one).collect();
            levels_of(recorded(sample.into_iter().flatten()))
        })
        .collect();
    let bound = |of: &dyn Fn(&Thresholds) -> Option<f64>| {
        let mut levels: Vec<f64> = drawn.iter().filter_map(of).collect();
        levels.sort_by(f64::total_cmp);
        levels.get((BOUND * levels.len() as f64) as usize).copied()
    };
    let tickets = bound(&|one| Some(one.tickets.fitted)).unwrap_or(0.0);
    let calls = bound(&|one| one.calls.map(|calls| calls.fitted)).unwrap_or(0.0);
    Some((
        all.tickets.in_force.max(tickets),
        all.calls.map(|of_units| of_units.in_force.max(calls)),
        all.device_months,
    ))
}

pub fn calls_of(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> f64 {
    let calls = thresholds(watched, days, score).and_then(|thresholds| thresholds.calls);
    calls.map_or(f64::MAX, |calls| calls.in_force)
}

/// The thresholds that a hub would have after the fleet's months.
pub fn thresholds(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> Option<Thresholds> {
    levels_of(history(watched, days, |one, run| one.said.get(run).map_or(0.0, &score)))
}

fn levels_of(known: History) -> Option<Thresholds> {
    let histories = BTreeMap::from([(String::new(), known)]);
    renewed(&histories, Budgets::default()).remove("")
}

/// The highest score of each unit in each month of its record, by a score of a unit's run.
pub fn history(watched: &[Watched], days: u32, score: impl Fn(&Watched, usize) -> f64) -> History {
    recorded(highest(watched, days, score).iter())
}

/// Unit by unit, its months with the highest score of each.
fn highest(watched: &[Watched], days: u32, score: impl Fn(&Watched, usize) -> f64) -> Vec<Vec<(u32, f32)>> {
    let of_unit = |one: &Watched| {
        let of_month = |month: u32| {
            let runs = one.runs_of_month(month);
            (month, runs.map(|run| score(one, run)).fold(0.0, f64::max) as f32)
        };
        one.months(days).map(of_month).collect()
    };
    watched.iter().map(of_unit).collect()
}

fn recorded<'a>(units: impl Iterator<Item = &'a Vec<(u32, f32)>>) -> History {
    let mut months: BTreeMap<u32, Vec<HighestScore>> = BTreeMap::new();
    for (number, unit) in units.enumerate() {
        for (month, score) in unit {
            months.entry(*month).or_default().push(HighestScore {
                appliance: ApplianceId(number as i64),
                score: *score,
            });
        }
    }
    let mut known = History::default();
    // Also the first one, in which nobody is watched: a history of a year is looked at as a whole.
    for month in 0..=months.keys().last().copied().unwrap_or(0) {
        let highest = months.remove(&month).unwrap_or_default();
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
