//! The hard world, washing machine: false tickets and would-have calls on machines that nothing was learned from, and which faults
//! are found. Judged are named faults with the detector that needs no training beside them, and the latter alone; floors, conditions, metric
//! and thresholds are learned on other fleets. Beside them limits on each figure by the same rule of budgets, and the shipped model.

mod judge;
mod learn;
mod limits;
mod machine;
mod named;
mod observable;
mod parts;
mod poisson;
mod report;
mod shipped;
mod watch;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hub_predict::Model;
use jiff::Timestamp;
use tests_world::hard::{Fault, FaultKind, Faults, Fleet, VERSION, WashingMachine};

use crate::bar::Bar;
use judge::{Clean, Faulty};
use learn::Learned;
use limits::Limits;
use machine::{Kit, Run};
use named::Named;
use report::Judged;
use watch::Watched;

/// Seeds of the fleet that is learned from, and of those that are judged. Another rule is tried on other seeds (702 and 703 were
/// taken for that), so that those that are judged stay unseen.
const LEARNED: u64 = 701;
const CLEAN: u64 = 722;
const FAULTY: u64 = 723;
const LEARNED_MACHINES: u64 = 900;
/// Named faults learn from more fleets: each has firmware and batches of its own, so one says little of what the next will do.
const MORE_LEARNED: Range<u64> = 704..711;
const MORE_MACHINES: u64 = 150;
const DAYS: u32 = 365;
/// Days of a machine with a fault: every fault has failed by then.
const FAULTY_DAYS: u32 = 1_400;
/// First onset, and days over which onsets are spread.
const ONSET: (u64, u64) = (150, 60);
const AMPLITUDES: [f64; 3] = [1.0, 0.5, 0.25];
/// One in so many machines is shown to the shipped model too, without a fault and with one: that takes their rows at once.
const SHIPPED_ONE_IN: (u64, u64) = (10, 3);
/// Feature without which scale on the heater cannot show.
const HEATER: &str = "heater_power";
/// Runs of a machine around which the limits of its parts are.
const PARTS_CALIBRATION: u32 = 20;

/// How much is simulated.
pub struct Size {
    /// Machines without a fault.
    pub machines: u64,
    /// Times that each fault comes, by its share in hundredths.
    pub faults: usize,
    pub threads: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            machines: 1_000,
            faults: 2,
            threads: 2,
        }
    }
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

pub fn evaluate(models: &Path, size: &Size) -> anyhow::Result<Vec<Bar>> {
    let begun = Instant::now();
    let detectors = Detectors::learn(models, size)?;
    println!("hard world: learned after {:.0} s", begun.elapsed().as_secs_f64());
    let mut judged = detectors.names().map(Judged::new);
    let lived = each(0..size.machines, size.threads, |number| detectors.clean(number));
    for machine in lived {
        for (of, clean) in judged.iter_mut().zip(machine?) {
            of.clean.extend(clean);
        }
    }
    println!(
        "hard world: clean machines after {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    let kinds: Vec<FaultKind> = kinds(size.faults);
    for amplitude in AMPLITUDES {
        let lived = each(0..kinds.len() as u64, size.threads, |number| {
            detectors.faulty(kinds[number as usize], amplitude, number)
        });
        let mut by_detector = [const { Vec::new() }; DETECTORS];
        for machine in lived {
            for (of, faulty) in by_detector.iter_mut().zip(machine?) {
                of.extend(faulty);
            }
        }
        if let Some(named) = by_detector.first() {
            observable::print(amplitude, named);
        }
        for (of, faulty) in judged.iter_mut().zip(by_detector) {
            of.faulty.push((amplitude, faulty));
        }
    }
    let bars = report::all(&judged);
    println!("hard world: {:.0} s in all", begun.elapsed().as_secs_f64());
    Ok(bars)
}

const DETECTORS: usize = 5;

impl Detectors {
    fn learn(models: &Path, size: &Size) -> anyhow::Result<Self> {
        let kit = Kit::load(models)?;
        let lived = |seed: u64, machines: u64| {
            each(0..machines, size.threads, |number| {
                let fleet = fleet(seed);
                kit.runs(&fleet, &mut fleet.washing_machine(number), f64::from(DAYS))
            })
        };
        let mut learned = lived(LEARNED, LEARNED_MACHINES);
        let generic = learn::learn(&kit, &learned, DAYS);
        let shown = (kit.channels.as_slice(), kit.features);
        let limits = Limits::learn(&learned, |run| &run.values, shown, kit.calibration(), DAYS);
        report::learned(&kit, &generic, &limits, LEARNED_MACHINES, VERSION);
        learned.truncate(MORE_MACHINES as usize);
        learned.extend(MORE_LEARNED.flat_map(|seed| lived(seed, MORE_MACHINES)));
        let named = named::learn(&kit, &learned, DAYS, &generic.settings)?;
        let shown = (kit.parts.channels.as_slice(), parts::WATCHED.len());
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
            ("limits of parts", parts::WATCHED.map(String::from).into()),
            ("limits", features()),
            ("washing-machine/1", features()),
        ]
    }

    /// A machine watched by all but the shipped model.
    fn watch(&self, runs: &[Run]) -> [Watched; DETECTORS - 1] {
        [
            named::watch(runs, &self.kit, &self.named),
            watch::watch(runs, &self.kit.channels, &self.generic.settings),
            self.parts_limits.watch(runs),
            self.limits.watch(runs),
        ]
    }

    /// Thresholds of tickets and calls, in the same order.
    fn levels(&self) -> [(f64, f64); DETECTORS - 1] {
        [
            (self.named.faults.threshold, self.named.calls),
            (self.generic.settings.threshold, self.generic.calls),
            (self.parts_limits.tickets, self.parts_limits.calls),
            (self.limits.tickets, self.limits.calls),
        ]
    }

    /// A machine without a fault, as each detector saw it.
    fn clean(&self, number: u64) -> anyhow::Result<Vec<Option<Clean>>> {
        let fleet = fleet(CLEAN);
        let mut machine = fleet.washing_machine(number);
        let runs = self.kit.runs(&fleet, &mut machine, f64::from(DAYS));
        let watched = self.watch(&runs).into_iter().zip(self.levels());
        let mut all: Vec<_> = watched
            .map(|(watched, at)| Some(judge::clean(&machine, &watched, DAYS, at)))
            .collect();
        all.push(if number.is_multiple_of(SHIPPED_ONE_IN.0) {
            let mut again = fleet.washing_machine(number);
            let watched = shipped::watch(&self.kit, &self.shipped, &fleet, &mut again, f64::from(DAYS))?;
            Some(judge::clean(&machine, &watched, DAYS, (1.0, 1.0)))
        } else {
            None
        });
        Ok(all)
    }

    /// A machine until it fails, as each detector saw it.
    fn faulty(&self, kind: FaultKind, amplitude: f64, number: u64) -> anyhow::Result<Vec<Option<Faulty>>> {
        let fleet = Fleet {
            days: FAULTY_DAYS,
            faults: Faults::One {
                kind,
                onset_day: (ONSET.0 + number * 37 % ONSET.1) as f64,
            },
            amplitude,
            ..fleet(FAULTY)
        };
        let mut machine: WashingMachine = fleet.washing_machine(number);
        let Some(fault): Option<Fault> = machine.life().faults().first().cloned() else {
            return Ok(Vec::new());
        };
        let runs = self.kit.runs(&fleet, &mut machine, fault.failure_day);
        let heater = self.kit.channels.iter().position(|channel| channel.name == HEATER);
        let has = |feature: usize| runs.iter().any(|run| run.values[feature].is_some());
        let can_show = kind != FaultKind::HeaterScale || heater.is_some_and(has);
        let signatures = &self.named.faults.signatures;
        let is_right = |called: Option<usize>| {
            let class = called.and_then(|i| signatures.get(i)).map(|one| one.class.as_str());
            class.is_none_or(|class| class == parts::class_of(kind))
        };
        let watched = self.watch(&runs);
        let seen = observable::seen(&fault, &watched[0], &self.named);
        let judged = watched.iter().zip(self.levels()).enumerate();
        let mut all: Vec<_> = judged
            .map(|(i, (watched, (_, calls)))| Some(judge::faulty(&fault, can_show, watched, calls, is_right, i == 0)))
            .collect();
        if let Some(Some(named)) = all.first_mut() {
            named.seen = Some(seen);
        }
        all.push(if number.is_multiple_of(SHIPPED_ONE_IN.1) {
            let mut again = fleet.washing_machine(number);
            let watched = shipped::watch(&self.kit, &self.shipped, &fleet, &mut again, fault.failure_day)?;
            Some(judge::faulty(&fault, can_show, &watched, 1.0, is_right, false))
        } else {
            None
        });
        Ok(all)
    }
}

fn fleet(seed: u64) -> Fleet {
    Fleet::new(seed, start(), DAYS)
}

fn start() -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 20_454)
}

/// The kinds that show before they fail, each by its share.
fn kinds(times: usize) -> Vec<FaultKind> {
    let shown = FaultKind::WASHING_MACHINE
        .iter()
        .filter(|kind| **kind != FaultKind::Electronics);
    let often = |kind: &FaultKind| times * (100.0 * kind.share()).round() as usize;
    shown.flat_map(|kind| std::iter::repeat_n(*kind, often(kind))).collect()
}

/// Does one after the other, in so many threads, and gives all in order.
fn each<T: Send>(numbers: Range<u64>, threads: u64, act: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let of_thread = |thread: u64| {
        let own = numbers.clone().filter(move |number| number % threads == thread);
        own.map(|number| (number, act(number))).collect::<Vec<_>>()
    };
    let mut all: Vec<(u64, T)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn({
                    let of_thread = &of_thread;
                    move || of_thread(thread)
                })
            })
            .collect();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined
            .flat_map(|of| of.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, one)| one).collect()
}
