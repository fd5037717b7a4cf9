//! The hard world: false tickets and would-have calls on units that nothing was learned from, and which faults are found. Of washing
//! machines and of fridges named faults are judged, with the detector that needs no training beside them, and the latter alone; floors,
//! conditions, metric and thresholds are learned on other fleets. Beside them limits on each figure by the same rule of budgets, and of washing
//! machines the model of before.

mod each;
mod first;
mod fridge;
mod fridges;
mod judge;
mod kit;
mod learn;
mod limits;
mod machine;
mod named;
mod observable;
mod parts;
mod poisson;
mod report;
mod results;
mod shipped;
mod trial;
mod watch;
mod wave;
mod write;

pub use first::evaluate as first;
pub use fridges::Fridges;

use std::cell::OnceCell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use hub_predict::Model;
use hub_predict::generic::Settings;
use jiff::Timestamp;
use tests_world::hard::{FaultKind, Fleet};

use crate::part::Part;
use each::each;
use judge::{Clean, Faulty};
use kit::{Kit, Run};
use learn::Learned;
use limits::Limits;
use machine::effects_before;
use named::Named;
use report::{Judged, WASHING_MACHINE};
use results::Bounds;
use trial::Plan;
use watch::Watched;
use write::Written;

/// Seeds of the fleet that is learned from, and of those that are judged. Another rule is tried on other seeds (702, 703 and
/// 910 to 935 were taken for that), so that those that are judged stay unseen.
const LEARNED: u64 = 701;
const CLEAN: (Range<u64>, u64) = (820..830, 1_000);
const FAULTY: Range<u64> = 830..835;
const LONG_CLEAN: (Range<u64>, u64) = (840..878, 7_600);
const LONG_FAULTY: Range<u64> = 890..900;
const LEARNED_MACHINES: u64 = 900;
/// Named faults learn from many fleets: each has firmware and batches of its own, so one says little of what the next will do.
const MORE_LEARNED: Range<u64> = 780..810;
const MORE_MACHINES: u64 = 150;
const DAYS: u32 = 365;
/// Days of a machine with a fault: every fault has failed by then.
const FAULTY_DAYS: u32 = 1_400;
/// One in so many machines is shown to the shipped model too, without a fault and with one: that takes their rows at once.
const SHIPPED_ONE_IN: (u64, u64) = (10, 3);
/// Days of the machine around whose usual values golden lives are.
const GOLDEN_DAYS: f64 = 120.0;
/// Feature without which scale on the heater cannot show.
const HEATER: &str = "heater_power";
/// Runs of a machine around which the limits of its parts are.
const PARTS_CALIBRATION: u32 = 20;
/// So many months that a rate of tickets can be bounded.
const BOUNDS: Bounds = Bounds {
    device_months: 8_000.0,
    tickets_at_most: 2.0,
    calls: None,
};
/// So many that one false call in 20,000 would be seen.
const LONG_BOUNDS: Bounds = Bounds {
    device_months: 60_000.0,
    tickets_at_most: 1.3,
    calls: Some(1.0),
};

/// How much is simulated.
pub struct Size {
    /// Units without a fault, in place of those that a part needs.
    pub units: Option<u64>,
    pub threads: u64,
}

/// Washing machines, for which detectors are learned once.
pub struct WashingMachines<'a> {
    models: &'a Path,
    size: &'a Size,
    detectors: OnceCell<Detectors>,
}

/// All that is judged, with what it was taught.
struct Detectors {
    kit: Kit,
    named: Named,
    generic: Learned,
    /// Limits of the shipped model's features, and of what named faults are told by.
    limits: Limits,
    parts_limits: Limits,
    shipped: Arc<Model>,
}

impl<'a> WashingMachines<'a> {
    pub fn new(models: &'a Path, size: &'a Size) -> Self {
        Self {
            models,
            size,
            detectors: OnceCell::new(),
        }
    }

    /// As many as tickets need, with other detectors beside.
    pub fn evaluate(&self) -> anyhow::Result<Part> {
        let plan = self.plan("hard-washing-machine", CLEAN, FAULTY, 2);
        self.judge(&plan, DETECTORS, &BOUNDS)
    }

    /// As many as calls need.
    pub fn long(&self) -> anyhow::Result<Part> {
        let plan = self.plan("hard-washing-machine-long", LONG_CLEAN, LONG_FAULTY, 4);
        self.judge(&plan, OWN, &LONG_BOUNDS)
    }

    /// Writes what was learned of named faults as a model folder.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let detectors = self.detectors()?;
        let fleet = fleet(LEARNED);
        let usual = detectors.kit.runs(&fleet, &mut fleet.washing_machine(0), GOLDEN_DAYS);
        let machines = MORE_MACHINES * (1 + MORE_LEARNED.end - MORE_LEARNED.start);
        let written = Written {
            kit: &detectors.kit,
            named: &detectors.named,
            usual: &usual,
            told: &write::WASHING_MACHINE,
            learned: &format!(
                "{machines} machines without a fault, {DAYS} days each, seeds {}",
                learned_seeds()
            ),
        };
        written.write(out)
    }

    /// Waves of firmware.
    pub fn firmware(&self) -> anyhow::Result<Part> {
        wave::evaluate(self.detectors()?, self.size)
    }

    fn plan(&self, name: &'static str, clean: (Range<u64>, u64), faulty: Range<u64>, faults: usize) -> Plan {
        Plan {
            name,
            clean: (clean.0, self.size.units.unwrap_or(clean.1)),
            faulty,
            faults,
            threads: self.size.threads,
        }
    }

    fn detectors(&self) -> anyhow::Result<&Detectors> {
        if self.detectors.get().is_none() {
            let begun = Instant::now();
            let _ = self.detectors.set(Detectors::learn(self.models, self.size)?);
            println!("hard world: learned after {:.0} s", begun.elapsed().as_secs_f64());
        }
        self.detectors.get().context("nothing was learned")
    }

    /// Judges the first so many detectors.
    fn judge(&self, plan: &Plan, count: usize, bounds: &Bounds) -> anyhow::Result<Part> {
        let detectors = self.detectors()?;
        let mut judged: Vec<Judged> = detectors.names().into_iter().take(count).map(Judged::new).collect();
        let clean = |fleet: &Fleet, number| detectors.clean(fleet, number, count);
        let faulty = |fleet: &Fleet, kind, number| detectors.faulty(fleet, kind, number, count);
        plan.run(&WASHING_MACHINE, &mut judged, clean, faulty)?;
        report::all(&WASHING_MACHINE, &judged);
        if let Some(named) = judged.first() {
            for (amplitude, faulty) in &named.faulty {
                observable::print(WASHING_MACHINE.kinds, *amplitude, faulty);
            }
        }
        let learned = learned_seeds();
        Ok(results::part(
            plan.name,
            &WASHING_MACHINE,
            &judged,
            bounds,
            &plan.seeds(&learned),
        ))
    }
}

const DETECTORS: usize = 5;
/// Those of them that are our own and no comparison.
const OWN: usize = 2;

impl Detectors {
    fn learn(models: &Path, size: &Size) -> anyhow::Result<Self> {
        let kit = Kit::of_washing_machine(models)?;
        let lived = |seed: u64, machines: u64| {
            each(0..machines, size.threads, |number| {
                let fleet = fleet(seed);
                kit.runs(&fleet, &mut fleet.washing_machine(number), f64::from(DAYS))
            })
        };
        let mut learned = lived(LEARNED, LEARNED_MACHINES);
        let of = (kit.channels.as_slice(), kit.influences.as_slice());
        let generic = learn::learn(of, &Settings::of_runs(), &learned, DAYS);
        let shown = (kit.channels.as_slice(), kit.features);
        let limits = Limits::learn(&learned, |run| &run.values, shown, kit.calibration(), DAYS);
        report::learned(&WASHING_MACHINE, &kit.channels, &generic, &limits, LEARNED_MACHINES);
        learned.truncate(MORE_MACHINES as usize);
        learned.extend(MORE_LEARNED.flat_map(|seed| lived(seed, MORE_MACHINES)));
        let named = named::learn(&kit, (&learned, MORE_MACHINES as usize), DAYS, &generic.settings)?;
        let shown = (kit.parts.channels.as_slice(), kit.parts.watched);
        let parts_limits = Limits::learn(&learned, |run| &run.parts, shown, PARTS_CALIBRATION, DAYS);
        report::named(&named, &parts_limits, learned.len());
        Ok(Self {
            named,
            generic,
            limits,
            parts_limits,
            shipped: shipped::load(models)?,
            kit,
        })
    }

    /// Each with the names of what its tickets stand by.
    fn names(&self) -> [(&'static str, Vec<String>); DETECTORS] {
        let features = || self.kit.channels.iter().map(|channel| channel.name.clone()).collect();
        let classes = self.named.faults.signatures.iter().map(|one| one.class.clone());
        [
            ("named", classes.chain(["none of them".to_owned()]).collect()),
            ("generic", features()),
            ("limits of parts", self.kit.parts.names()),
            ("limits", features()),
            ("washing-machine/1", features()),
        ]
    }

    /// A machine watched by the first so many, but not by the shipped model, with the thresholds of tickets and calls of each.
    fn watch(&self, runs: &[Run], count: usize) -> Vec<(Watched, (f64, f64))> {
        let by: [&dyn Fn() -> (Watched, (f64, f64)); DETECTORS - 1] = [
            &|| {
                let levels = (self.named.faults.threshold, self.named.calls);
                (named::watch(runs, &self.kit, &self.named), levels)
            },
            &|| {
                let (settings, calls) = (&self.generic.settings, self.generic.calls);
                (
                    watch::watch(runs, &self.kit.channels, settings),
                    (settings.threshold, calls),
                )
            },
            &|| {
                (
                    self.parts_limits.watch(runs),
                    (self.parts_limits.tickets, self.parts_limits.calls),
                )
            },
            &|| (self.limits.watch(runs), (self.limits.tickets, self.limits.calls)),
        ];
        by.into_iter().take(count).map(|watch| watch()).collect()
    }

    /// A machine without a fault, as each detector saw it.
    fn clean(&self, fleet: &Fleet, number: u64, count: usize) -> anyhow::Result<Vec<Option<Clean>>> {
        let mut machine = fleet.washing_machine(number);
        let runs = self.kit.runs(fleet, &mut machine, f64::from(DAYS));
        let before = |day| effects_before(&machine, day);
        let watched = self.watch(&runs, count).into_iter();
        let mut all: Vec<_> = watched
            .map(|(watched, at)| Some(judge::clean(before, &watched, DAYS, at)))
            .collect();
        if count == DETECTORS && number.is_multiple_of(SHIPPED_ONE_IN.0) {
            let mut again = fleet.washing_machine(number);
            let watched = shipped::watch(&self.kit, &self.shipped, fleet, &mut again, f64::from(DAYS))?;
            all.push(Some(judge::clean(before, &watched, DAYS, (1.0, 1.0))));
        }
        Ok(all)
    }

    /// A machine until it fails, as each detector saw it.
    fn faulty(&self, fleet: &Fleet, kind: FaultKind, number: u64, count: usize) -> anyhow::Result<Vec<Option<Faulty>>> {
        let mut machine = fleet.washing_machine(number);
        let Some(fault) = machine.life().faults().first().cloned() else {
            return Ok(Vec::new());
        };
        let runs = self.kit.runs(fleet, &mut machine, fault.failure_day);
        let heater = self.kit.channels.iter().position(|channel| channel.name == HEATER);
        let has = |feature: usize| runs.iter().any(|run| run.values[feature].is_some());
        let can_show = kind != FaultKind::HeaterScale || heater.is_some_and(has);
        let signatures = &self.named.faults.signatures;
        let is_right = |called: Option<usize>| {
            let class = called.and_then(|i| signatures.get(i)).map(|one| one.class.as_str());
            class.is_none_or(|class| class == parts::class_of(kind))
        };
        let watched = self.watch(&runs, count);
        let judged = watched.iter().enumerate();
        let mut all: Vec<_> = judged
            .map(|(i, (watched, (_, calls)))| Some(judge::faulty(&fault, can_show, watched, *calls, is_right, i == 0)))
            .collect();
        if let (Some(Some(named)), Some((watched, _))) = (all.first_mut(), watched.first()) {
            named.seen = Some(observable::seen(&fault, watched, &self.named));
        }
        if count == DETECTORS && number.is_multiple_of(SHIPPED_ONE_IN.1) {
            let mut again = fleet.washing_machine(number);
            let watched = shipped::watch(&self.kit, &self.shipped, fleet, &mut again, fault.failure_day)?;
            all.push(Some(judge::faulty(&fault, can_show, &watched, 1.0, is_right, false)));
        }
        Ok(all)
    }
}

/// Seeds of the fleets that named faults learn from.
fn learned_seeds() -> String {
    format!("{LEARNED} and {} to {}", MORE_LEARNED.start, MORE_LEARNED.end - 1)
}

fn fleet(seed: u64) -> Fleet {
    Fleet::new(seed, start(), DAYS)
}

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 20_454)
}
