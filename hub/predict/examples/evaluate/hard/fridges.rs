//! Fridges of the hard world, judged by named faults with the detector that needs no training beside them, and by the latter alone. Beside
//! them limits on each figure by the same rule.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use hub_predict::generic::Settings;
use tests_world::hard::{FaultKind, Fleet};

use super::each::each;
use super::judge::{self, Clean, Faulty};
use super::kit::{Kit, Run};
use super::learn::{self, Learned};
use super::limits::Limits;
use super::named::{self, Named};
use super::report::{self, FRIDGE, Judged};
use super::trial::Plan;
use super::watch::{Watched, watch};
use super::write::{self, Written};
use super::{BOUNDS, DAYS, GOLDEN_DAYS, Size, fleet, observable, parts, results};
use crate::part::Part;

/// Seeds of the fleet that is learned from, and of those that are judged; another rule is tried on others
/// (754 to 757 and 880 to 904 were taken for that).
const LEARNED: (u64, u64) = (751, 600);
const CLEAN: (Range<u64>, u64) = (960..970, 900);
const FAULTY: Range<u64> = 970..975;
/// Named faults learn from more fleets, and from so many units of each.
const MORE_LEARNED: Range<u64> = 780..810;
const MORE_UNITS: u64 = 150;
/// Days of a normal of limits.
const CALIBRATION: u32 = 40;
/// Days of the weeks before an event in which a healthy effect may have made it.
const WEEKS: f64 = 28.0;
const DETECTORS: usize = 4;

/// Fridges, for which detectors are learned once.
pub struct Fridges<'a> {
    models: &'a Path,
    size: &'a Size,
    detectors: OnceCell<Detectors>,
}

struct Detectors {
    kit: Kit,
    named: Named,
    generic: Learned,
    parts_limits: Limits,
    limits: Limits,
}

impl<'a> Fridges<'a> {
    pub fn new(models: &'a Path, size: &'a Size) -> Self {
        Self {
            models,
            size,
            detectors: OnceCell::new(),
        }
    }

    pub fn evaluate(&self) -> anyhow::Result<Part> {
        let detectors = self.detectors()?;
        let mut judged = detectors.names().map(Judged::new);
        let plan = Plan {
            name: "hard-fridge",
            clean: (CLEAN.0, self.size.units.unwrap_or(CLEAN.1)),
            faulty: FAULTY,
            faults: 2,
            threads: self.size.threads,
        };
        plan.run(
            &FRIDGE,
            &mut judged,
            |fleet, number| Ok(detectors.clean(fleet, number)),
            |fleet, kind, number| Ok(detectors.faulty(fleet, kind, number)),
        )?;
        report::all(&FRIDGE, &judged);
        for (amplitude, faulty) in &judged[0].faulty {
            observable::print(FRIDGE.kinds, *amplitude, faulty);
        }
        let seeds = plan.seeds(&learned_seeds());
        Ok(results::part(plan.name, &FRIDGE, &judged, &BOUNDS, &seeds))
    }

    /// Writes what was learned of named faults as a model folder.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let detectors = self.detectors()?;
        let fleet = fleet(LEARNED.0);
        let usual = detectors.kit.days(&fleet, &mut fleet.fridge(0), GOLDEN_DAYS);
        let units = MORE_UNITS * (1 + MORE_LEARNED.end - MORE_LEARNED.start);
        let written = Written {
            kit: &detectors.kit,
            named: &detectors.named,
            usual: &usual,
            told: &write::FRIDGE,
            learned: &format!(
                "{units} fridges without a fault, {DAYS} days each, seeds {}",
                learned_seeds()
            ),
        };
        written.write(out)
    }

    fn detectors(&self) -> anyhow::Result<&Detectors> {
        if self.detectors.get().is_none() {
            let _ = self.detectors.set(Detectors::learn(self.models, self.size)?);
        }
        self.detectors.get().context("nothing was learned")
    }
}

/// Seeds of the fleets that named faults learn from.
fn learned_seeds() -> String {
    format!("{} and {} to {}", LEARNED.0, MORE_LEARNED.start, MORE_LEARNED.end - 1)
}

impl Detectors {
    fn learn(models: &Path, size: &Size) -> anyhow::Result<Self> {
        let kit = Kit::of_fridge(models)?;
        let lived = |seed: u64, units: u64| {
            each(0..units, size.threads, |number| {
                let fleet = fleet(seed);
                kit.days(&fleet, &mut fleet.fridge(number), f64::from(DAYS))
            })
        };
        let (seed, units) = LEARNED;
        let mut learned = lived(seed, units);
        let generic = learn::learn((&kit.channels, &kit.influences), &Settings::default(), &learned, DAYS);
        let shown = (kit.channels.as_slice(), kit.features);
        let limits = Limits::learn(&learned, |day| &day.values, shown, CALIBRATION, DAYS);
        report::learned(&FRIDGE, &kit.channels, &generic, &limits, units);
        learned.truncate(MORE_UNITS as usize);
        learned.extend(MORE_LEARNED.flat_map(|seed| lived(seed, MORE_UNITS)));
        let named = named::learn(&kit, (&learned, MORE_UNITS as usize), DAYS, &generic.settings)?;
        let shown = (kit.parts.channels.as_slice(), kit.parts.watched);
        let parts_limits = Limits::learn(&learned, |day| &day.parts, shown, CALIBRATION, DAYS);
        report::named(&named, &parts_limits, learned.len());
        Ok(Self {
            named,
            generic,
            parts_limits,
            limits,
            kit,
        })
    }

    /// Each with the names of what its tickets stand by.
    fn names(&self) -> [(&'static str, Vec<String>); DETECTORS] {
        let features = || self.kit.channels.iter().map(|one| one.name.clone()).collect();
        let classes = self.named.faults.signatures.iter().map(|one| one.class.clone());
        [
            ("named", classes.chain(["none of them".to_owned()]).collect()),
            ("generic", features()),
            ("limits of parts", self.kit.parts.names()),
            ("limits", features()),
        ]
    }

    /// A fridge watched by each, with the thresholds of tickets and calls of each.
    fn watch(&self, days: &[Run]) -> [(Watched, (f64, f64)); DETECTORS] {
        let (settings, limits, of_parts) = (&self.generic.settings, &self.limits, &self.parts_limits);
        [
            (
                named::watch(days, &self.kit, &self.named),
                (self.named.faults.threshold, self.named.calls),
            ),
            (
                watch(days, &self.kit.channels, settings),
                (settings.threshold, self.generic.calls),
            ),
            (of_parts.watch(days), (of_parts.tickets, of_parts.calls)),
            (limits.watch(days), (limits.tickets, limits.calls)),
        ]
    }

    fn clean(&self, fleet: &Fleet, number: u64) -> Vec<Option<Clean>> {
        let mut unit = fleet.fridge(number);
        let life = unit.life().clone();
        let lived = self.kit.days(fleet, &mut unit, f64::from(DAYS));
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
        let lived = self.kit.days(fleet, &mut unit, fault.failure_day);
        // An inverter has no relay.
        let can_show = kind != FaultKind::StartRelay || self.kit.has_relay(&lived);
        let signatures = &self.named.faults.signatures;
        let is_right = |called: Option<usize>| {
            let class = called.and_then(|i| signatures.get(i)).map(|one| one.class.as_str());
            class.is_none_or(|class| class == parts::class_of(kind))
        };
        let watched = self.watch(&lived);
        let judged = watched.iter().enumerate();
        let mut all: Vec<_> = judged
            .map(|(i, (watched, (_, calls)))| Some(judge::faulty(&fault, can_show, watched, *calls, is_right, i == 0)))
            .collect();
        if let (Some(Some(named)), [(watched, _), ..]) = (all.first_mut(), &watched) {
            named.seen = Some(observable::seen(&fault, watched, &self.named));
        }
        all
    }
}
