//! Named faults on units of the hard world: what a fleet teaches of them, and how a unit is watched by it.

use std::collections::BTreeMap;

use hub_core::budget::history::History;
use hub_core::budget::{Budget, Budgets};
use hub_predict::generic::{Metric, Metrics, NamedFaults, NamedRule, NamedUnit, Settings, Signs, Speed, conditions};

use super::kit::{Kit, Run};
use super::learn::{bounded_by_fleets, history, renewed};
use super::watch::{Said, Trace, Watched};

/// The metric hangs on how normals follow, which hangs on levels, which hang on the metric: all are learned so many times.
const ROUNDS: usize = 3;
/// One in so many runs goes into the metric: neighbours are alike.
const ONE_IN: usize = 3;
/// Times the level that a ticket needs on a fleet that nothing was learned from: as with a model that has its family's level. A call, which
/// costs more trust if it is wrong than ten right ones earn, needs more: at 1.15 six of 30,102 months without a fault had one (seeds 910 to 929).
const TICKET_MARGIN: f64 = 1.15;
const CALL_MARGIN: f64 = 1.4;
/// Name of what none of the faults is, among the levels.
const UNNAMED: &str = "unnamed";

/// Named faults with what a fleet taught, and the detector without names beside them.
pub struct Named {
    pub faults: NamedFaults,
    /// Figures of the detector without names; its threshold is its level here.
    pub generic: Settings,
    pub calls: f64,
    pub device_months: u32,
}

impl Named {
    /// What a machine is compared by.
    pub fn rule<'a>(&'a self, kit: &'a Kit) -> NamedRule<'a> {
        NamedRule {
            figures: &kit.parts.channels,
            faults: &self.faults,
            channels: &kit.channels,
            settings: &self.generic,
        }
    }
}

/// From units of several fleets, so many of each.
pub fn learn(kit: &Kit, (fleet, units): (&[Vec<Run>], usize), days: u32, generic: &Settings) -> anyhow::Result<Named> {
    let channels = &kit.parts.channels;
    let steps: Vec<Vec<Vec<Option<f64>>>> = fleet
        .iter()
        .map(|runs| runs.iter().map(|run| run.parts.clone()).collect())
        .collect();
    let unknown = Metric::learn(channels.len(), &[]);
    let mut named = Named {
        faults: NamedFaults {
            signatures: kit.parts.signatures.clone(),
            conditions: conditions(channels, &kit.parts.influences, steps.iter().map(Vec::as_slice)),
            metrics: Metrics {
                newest: unknown.clone(),
                quick: unknown.clone(),
                slow: unknown,
            },
            threshold: 1.0,
        },
        generic: Settings {
            threshold: f64::MAX,
            ..generic.clone()
        },
        calls: f64::MAX,
        device_months: 0,
    };
    // The budgets are shared out evenly.
    let shares = 1.0 + named.faults.signatures.len() as f64;
    let whole = Budgets::default();
    let share = Budgets {
        tickets: Budget::new(whole.tickets.per_1000() / shares)?,
        calls: Budget::new(whole.calls.per_1000() / shares)?,
    };
    for _ in 0..ROUNDS {
        let steps: Vec<[Deviations; 3]> = fleet.iter().map(|runs| deviations(runs, kit, &named)).collect();
        let [newest, quick, slow] = [0, 1, 2].map(|speed| {
            let of_speed: Vec<Deviations> = steps.iter().map(|of| of[speed].clone()).collect();
            Metric::learn(channels.len(), &of_speed)
        });
        named.faults.metrics = Metrics { newest, quick, slow };
        let watched: Vec<Watched> = fleet.iter().map(|runs| watch(runs, kit, &named)).collect();
        let levels = renewed(&histories(&watched, days, &named), share);
        let ticket = |name: &str| levels.get(name).map_or(f64::MAX, |of| of.tickets.in_force);
        // Of all scores, whether they may be named or not: of the latter there are too few to fit a tail to.
        let call = |name: &str| {
            levels
                .get(name)
                .and_then(|of| of.calls)
                .map_or(f64::MAX, |of| of.in_force)
        };
        for (i, signature) in named.faults.signatures.iter_mut().enumerate() {
            signature.ticket_level = ticket(&i.to_string());
            signature.call_level = call(&i.to_string());
        }
        named.generic.threshold = ticket(UNNAMED);
    }
    let watched: Vec<Watched> = fleet.iter().map(|runs| watch(runs, kit, &named)).collect();
    if let Some((tickets, _, device_months)) = bounded_by_fleets(&watched, units, days, |said| said.ticket) {
        named.faults.threshold = TICKET_MARGIN * tickets;
        named.device_months = device_months;
    }
    let calls = bounded_by_fleets(&watched, units, days, |said| said.call).and_then(|(_, calls, _)| calls);
    named.calls = calls.map_or(f64::MAX, |calls| CALL_MARGIN * calls);
    Ok(named)
}

/// Months of each fault's scores, by its place, and of the scores without a name.
fn histories(watched: &[Watched], days: u32, named: &Named) -> BTreeMap<String, History> {
    let mut all: BTreeMap<_, _> = (0..named.faults.signatures.len())
        .map(|i| {
            let of =
                |one: &Watched, run: usize| one.traces.get(run).and_then(|run| run.get(i)).map_or(0.0, |t| t.ticket);
            (i.to_string(), history(watched, days, of))
        })
        .collect();
    let unnamed = |one: &Watched, run: usize| one.unnamed.get(run).copied().unwrap_or(0.0);
    all.insert(UNNAMED.to_owned(), history(watched, days, unnamed));
    all
}

/// A machine watched for named faults, and for what has no name.
pub fn watch(runs: &[Run], kit: &Kit, named: &Named) -> Watched {
    let rule = named.rule(kit);
    let mut unit = NamedUnit::new(rule);
    let mut watched = Watched::default();
    for run in runs {
        if let Some(told) = run.told {
            unit.told(rule, told);
        }
        let step = unit.step(rule, &run.values, &run.parts);
        let in_levels = step.unnamed / named.generic.threshold;
        let Some(sign) = step.sign else { continue };
        let none = named.faults.signatures.len();
        watched.said.push(Said {
            day: run.day,
            ticket: sign.score,
            call: sign.call,
            rose: sign.rose,
            stands: sign.alarm,
            top: sign.strongest.filter(|_| sign.score > in_levels).unwrap_or(none),
            called: sign.called,
        });
        watched.unnamed.push(step.unnamed);
        let traces = named.faults.signatures.iter().enumerate().map(|(i, signature)| {
            let (of, metric) = (
                unit.signs()
                    .weighed(signature.speed, named.faults.metrics.of(signature.speed)),
                named.faults.metrics.of(signature.speed),
            );
            let (channel, by) = signature.moves.first().copied().unwrap_or_default();
            let apart = of.get(channel).copied().flatten().unwrap_or(0.0);
            Trace {
                ticket: sign.scores[i],
                call: sign.named[i],
                apart: apart * f64::signum(by) / metric.usual(channel),
            }
        });
        watched.traces.push(traces.collect());
    }
    watched
}

/// Deviations of a machine's channels in some of its runs.
type Deviations = Vec<Vec<Option<f32>>>;

/// The same by the newest steps and by both averages.
fn deviations(runs: &[Run], kit: &Kit, named: &Named) -> [Deviations; 3] {
    let mut signs = Signs::new(kit.parts.channels.len());
    let mut all = [const { Vec::new() }; 3];
    for (number, run) in runs.iter().enumerate() {
        if let Some(told) = run.told {
            signs.told(told);
        }
        let said = signs.step(&kit.parts.channels, &named.faults, &run.parts, 0.0, false);
        if said.is_some() && number.is_multiple_of(ONE_IN) {
            for (of, speed) in all.iter_mut().zip([Speed::Newest, Speed::Quick, Speed::Slow]) {
                let weighed = signs.weighed(speed, named.faults.metrics.of(speed)).into_iter();
                let single = weighed.map(|one| one.map(|one| one as f32));
                of.push(single.collect());
            }
        }
    }
    all
}
