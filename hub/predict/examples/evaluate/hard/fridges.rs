//! Fridges of the hard world, judged by the detector that needs no training. Beside it limits on each feature by the same rule.

use hub_predict::generic::Settings;
use tests_world::hard::{FaultKind, Fleet};

use super::each::each;
use super::fridge::{self, CONDITIONS_FROM, days, has_relay};
use super::judge::{self, Clean, Faulty};
use super::learn::{self, Learned};
use super::limits::Limits;
use super::machine::Run;
use super::report::{self, FRIDGE, Judged};
use super::trial::Plan;
use super::watch::{Watched, watch};
use super::{BOUNDS, DAYS, Size, fleet, results};
use crate::part::Part;

/// Seeds of the fleet that is learned from, and of those that are judged; 754 and 755 are for trying another rule.
const LEARNED: (u64, u64) = (751, 600);
const CLEAN: (u64, u64) = (752, 900);
const FAULTY: u64 = 753;
/// Days of the weeks before an event in which a healthy effect may have made it.
const WEEKS: f64 = 28.0;

struct Detectors {
    channels: Vec<hub_predict::generic::Channel>,
    generic: Learned,
    limits: Limits,
}

pub fn evaluate(size: &Size) -> anyhow::Result<Part> {
    let detectors = Detectors::learn(size);
    let names = || detectors.channels.iter().map(|one| one.name.clone()).collect();
    let mut judged = [Judged::new(("generic", names())), Judged::new(("limits", names()))];
    let plan = Plan {
        name: "hard-fridge",
        clean: (CLEAN.0, size.units.unwrap_or(CLEAN.1)),
        faulty: FAULTY,
        faults: 2,
        threads: size.threads,
    };
    plan.run(
        &FRIDGE,
        &mut judged,
        |fleet, number| Ok(detectors.clean(fleet, number)),
        |fleet, kind, number| Ok(detectors.faulty(fleet, kind, number)),
    )?;
    report::all(&FRIDGE, &judged);
    let seeds = plan.seeds(&LEARNED.0.to_string());
    Ok(results::part(plan.name, &FRIDGE, &judged, &BOUNDS, &seeds))
}

impl Detectors {
    fn learn(size: &Size) -> Self {
        let (seed, units) = LEARNED;
        let learned = each(0..units, size.threads, |number| {
            let fleet = fleet(seed);
            days(&fleet, &mut fleet.fridge(number), f64::from(DAYS))
        });
        let (channels, influences) = (fridge::channels(), fridge::influences());
        let settings = Settings::default();
        let generic = learn::learn((&channels, &influences), &settings, &learned, DAYS);
        let shown = (channels.as_slice(), CONDITIONS_FROM);
        let limits = Limits::learn(&learned, |day| &day.values, shown, settings.calibration, DAYS);
        report::learned(&FRIDGE, &channels, &generic, &limits, units);
        Self {
            channels,
            generic,
            limits,
        }
    }

    /// A fridge watched by both, with the thresholds of tickets and calls of each.
    fn watch(&self, days: &[Run]) -> [(Watched, (f64, f64)); 2] {
        let (settings, limits) = (&self.generic.settings, &self.limits);
        [
            (
                watch(days, &self.channels, settings),
                (settings.threshold, self.generic.calls),
            ),
            (limits.watch(days), (limits.tickets, limits.calls)),
        ]
    }

    fn clean(&self, fleet: &Fleet, number: u64) -> Vec<Option<Clean>> {
        let mut unit = fleet.fridge(number);
        let life = unit.life().clone();
        let lived = days(fleet, &mut unit, f64::from(DAYS));
        let before = |day: f64| life.effects_between(day - WEEKS, day);
        let watched = self.watch(&lived).into_iter();
        watched
            .map(|(watched, at)| Some(judge::clean(before, &watched, DAYS, at)))
            .collect()
    }

    fn faulty(&self, fleet: &Fleet, kind: FaultKind, number: u64) -> Vec<Option<Faulty>> {
        let mut unit = fleet.fridge(number);
        let Some(fault) = unit.life().faults().first().cloned() else {
            return Vec::new();
        };
        let lived = days(fleet, &mut unit, fault.failure_day);
        // An inverter has no relay.
        let can_show = kind != FaultKind::StartRelay || has_relay(&lived);
        let watched = self.watch(&lived).into_iter();
        watched
            .map(|(watched, (_, calls))| Some(judge::faulty(&fault, can_show, &watched, calls, |_| true, false)))
            .collect()
    }
}
