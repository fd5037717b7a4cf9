//! What a fleet teaches: influence of conditions, floors, and thresholds by the rule of budgets. It sees another fleet than the one that
//! is judged.

use std::collections::BTreeMap;

use hub_core::budget::history::{HighestScore, History, MonthOfScores};
use hub_core::budget::level::{Thresholds, renew};
use hub_core::budget::{Budgets, Draws, Month};
use hub_core::id::ApplianceId;
use hub_predict::generic::{DEVICES_MIN, Settings, WATCHED_DAYS_MIN, conditions, fleet_floors};
use jiff::civil::date;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::limits::Limits;
use super::machine::{Kit, Run};
use super::watch::{Said, Watched, watch};

/// Floors hang on what is taken for a calibration, which hangs on floors: they are learned so many times.
const FLOOR_ROUNDS: usize = 3;
/// The same of thresholds, since the normal follows below half of one.
const THRESHOLD_ROUNDS: usize = 3;
/// Name of the appliance model in budgets.
const APPLIANCE: &str = "appliance";

/// A detector with what a fleet taught.
pub struct Learned {
    pub settings: Settings,
    pub calls: f64,
    pub limits: Limits,
    pub limit_tickets: f64,
    pub limit_calls: f64,
    pub device_months: u32,
}

pub fn learn(kit: &Kit, fleet: &[Vec<Run>], days: u32) -> Learned {
    let steps: Vec<Vec<Vec<Option<f64>>>> = fleet
        .iter()
        .map(|runs| runs.iter().map(|run| run.values.clone()).collect())
        .collect();
    let mut settings = Settings {
        conditions: conditions(&kit.channels, &kit.influences, steps.iter().map(Vec::as_slice)),
        // No machine of a fleet without a fault has a finding.
        threshold: f64::MAX,
        ..kit.settings.clone()
    };
    for _ in 0..FLOOR_ROUNDS {
        let watched = fleet.iter().map(|runs| watch(runs, &kit.channels, &settings));
        let long = watched.filter(|one| days_of(one) >= WATCHED_DAYS_MIN);
        let wanders: Vec<_> = long.map(|one| one.wander).collect();
        settings.fleet_floors = fleet_floors(kit.channels.len(), &wanders, DEVICES_MIN);
    }
    settings.threshold = kit.settings.threshold;
    let (mut calls, mut device_months) = (f64::MAX, 0);
    for _ in 0..THRESHOLD_ROUNDS {
        let watched: Vec<Watched> = fleet.iter().map(|runs| watch(runs, &kit.channels, &settings)).collect();
        let tickets = thresholds(&watched, days, |said| said.ticket);
        settings.threshold = tickets.as_ref().map_or(settings.threshold, |t| t.tickets.in_force);
        device_months = tickets.map_or(0, |t| t.device_months);
        calls = calls_of(&watched, days, |said| said.call);
    }
    let limits = Limits::learn(fleet, &kit.channels, kit.features, kit.calibration());
    let watched: Vec<Watched> = fleet
        .iter()
        .map(|runs| limits.watch(runs, &kit.channels, &settings, f64::MAX))
        .collect();
    let limit_tickets = thresholds(&watched, days, |said| said.ticket).map_or(f64::MAX, |t| t.tickets.in_force);
    Learned {
        limit_calls: calls_of(&watched, days, |said| said.call),
        limit_tickets,
        limits,
        settings,
        calls,
        device_months,
    }
}

fn days_of(watched: &Watched) -> f64 {
    let ends = watched.said.first().zip(watched.said.last());
    ends.map_or(0.0, |(first, last)| last.day - first.day)
}

fn calls_of(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> f64 {
    let calls = thresholds(watched, days, score).and_then(|thresholds| thresholds.calls);
    calls.map_or(f64::MAX, |calls| calls.in_force)
}

/// The thresholds that a hub would have after the fleet's months.
fn thresholds(watched: &[Watched], days: u32, score: impl Fn(&Said) -> f64) -> Option<Thresholds> {
    let first = Month::of(date(2026, 1, 1));
    let mut history = History::default();
    let months = watched.iter().map(|one| one.months(days).end).max().unwrap_or(0);
    for month in 0..months {
        let there = watched.iter().enumerate();
        let there = there.filter(|(_, one)| one.months(days).contains(&month));
        let highest = there.map(|(number, one)| HighestScore {
            appliance: ApplianceId(number as i64),
            score: one.of_month(month).map(&score).fold(0.0, f64::max) as f32,
        });
        history.record(MonthOfScores::new(first.plus(month as i32), highest));
    }
    let histories = BTreeMap::from([(APPLIANCE.to_owned(), history)]);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut draw = || rng.next_u64();
    let next = first.plus(months as i32);
    let mut renewed = renew(
        next,
        Budgets::default(),
        &histories,
        &BTreeMap::new(),
        &mut Draws(&mut draw),
    );
    renewed.remove(APPLIANCE)
}
