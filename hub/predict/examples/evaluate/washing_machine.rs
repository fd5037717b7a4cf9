//! Simulated washing machines: healthy units for 60 days, and units with one fault until they fail.

use std::path::Path;
use std::sync::Arc;

use hub_predict::{Model, Row, quantise_row, score_rows};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests_world::{FaultKind, FaultPlan, Unit, WashingMachine};

use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};
use crate::scores::{Score, Sustained};

/// Seed of the fleet that the bars are measured on, and of the one that probabilities are fitted to. Neither is the
/// seed of the training fleet.
const SEEDS: (u64, u64) = (501, 502);
const UNITS: usize = 100;
const DAYS: i64 = 60;
const DAY: SignedDuration = SignedDuration::from_hours(24);

struct Life {
    machine: WashingMachine,
    fault: Option<FaultPlan>,
    end: Timestamp,
}

struct Lived {
    held: f32,
    /// Class, share of the way from onset to failure, and event time of the first alarm.
    alarm: Option<(String, Timestamp)>,
    early: bool,
    probability: f32,
}

pub fn evaluate(models: &Path, scores: &mut Vec<Score>) -> anyhow::Result<Part> {
    let model = Arc::new(Model::load(&models.join("washing-machine"))?);
    for life in fleet(SEEDS.1) {
        let fault = life.fault.is_some();
        scores.push(Score {
            family: "washing-machine",
            fault,
            held: live(life, &model)?.held,
        });
    }
    let (mut found, mut named, mut gate, mut healthy_alarms, mut early, mut leads) = (0, 0, 0, 0, 0, Vec::new());
    for life in fleet(SEEDS.0) {
        let (fault, end) = (life.fault, life.end);
        let lived = live(life, &model)?;
        let Some(fault) = fault else {
            healthy_alarms += usize::from(lived.alarm.is_some());
            continue;
        };
        early += usize::from(lived.early);
        gate += usize::from(lived.probability >= 0.9);
        match lived.alarm {
            Some((class, at)) => {
                found += 1;
                named += usize::from(class == fault.kind.name());
                leads.push(end.duration_since(at).as_secs_f64() / 86_400.0);
                if class != fault.kind.name() {
                    println!("washing-machine: {} was named {class}", fault.kind.name());
                }
            }
            None => println!(
                "washing-machine: {} not found, held score {:.2}",
                fault.kind.name(),
                lived.held
            ),
        }
    }
    leads.sort_by(f64::total_cmp);
    let said = format!(
        "The first world, which is easy: {found} of {UNITS} faulty units found before failure (median {:.1} days before, {early} alarmed before \
         the onset), {named} named right, {gate} with probability 0.9 or more; {healthy_alarms} of {UNITS} healthy units alarmed in {DAYS} days.",
        leads.get(leads.len() / 2).copied().unwrap_or(f64::NAN)
    );
    println!("washing-machine: {said}");
    let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
    Ok(Part {
        name: "washing-machine",
        evidence: Evidence::Simulated,
        data: Data::Seeds(format!("tests/world, seeds {} and {}", SEEDS.0, SEEDS.1)),
        lines: vec![said],
        found: vec![Found {
            what: "washing-machine/1".into(),
            found: found as f64,
            of: UNITS as f64,
            wrong: (early + healthy_alarms) as f64,
            watched: format!("{UNITS} units for {DAYS} days"),
            precision: None,
        }],
        bars: vec![
            Bar::at_least("washing-machine-found", share(found, UNITS), 0.9),
            Bar::at_most("washing-machine-healthy-alarms", healthy_alarms as f64, 2.0),
            Bar::at_least("washing-machine-class-right", share(named, found), 0.9),
            Bar::at_least("washing-machine-call-gate", share(gate, UNITS), 0.8),
        ],
    })
}

/// Healthy units, then as many faulty ones: the kinds in turn, onset at day 20 to 40, failure 15 to 40 days later.
fn fleet(seed: u64) -> impl Iterator<Item = Life> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = Timestamp::UNIX_EPOCH + 20_454 * DAY;
    (0..2 * UNITS).map(move |i| {
        let machine = WashingMachine::new(Unit::draw(rng.random(), 28_800), start);
        if i < UNITS {
            return Life {
                machine,
                fault: None,
                end: start + DAYS as i32 * DAY,
            };
        }
        let fault = FaultPlan {
            kind: FaultKind::ALL[i % FaultKind::ALL.len()],
            onset: start + SignedDuration::from_secs(rng.random_range(20 * 86_400..40 * 86_400)),
            days_to_failure: rng.random_range(15.0..40.0),
        };
        let end = fault.onset + SignedDuration::from_secs_f64(fault.days_to_failure * 86_400.0);
        Life {
            machine: machine.with_fault(fault),
            fault: Some(fault),
            end,
        }
    })
}

fn live(mut life: Life, model: &Arc<Model>) -> anyhow::Result<Lived> {
    let mut rows = Vec::new();
    for sample in life.machine.step_until(life.end) {
        let mut values = vec![None; model.profile().channels.len()];
        for (id, value) in sample.values {
            values[usize::from(id) - 1] = Some(value);
        }
        rows.push(Row {
            at: sample.at,
            values: quantise_row(model.profile(), &values),
        });
    }
    let steps = score_rows(model, model.manifest().baseline.calibration, &rows);
    let steps = steps.collect::<Result<Vec<_>, _>>()?;
    let mut sustained = Sustained::new(model);
    let mut lived = Lived {
        held: 0.0,
        alarm: None,
        early: false,
        probability: 0.0,
    };
    for verdict in steps.into_iter().flatten().map(|step| step.verdict) {
        sustained.next(verdict.score);
        let Some(prediction) = verdict.prediction else { continue };
        if life.fault.is_some_and(|f| verdict.at < f.onset) {
            lived.early = true;
        } else {
            lived.probability = lived.probability.max(prediction.probability);
            lived.alarm.get_or_insert((prediction.fault_class, verdict.at));
        }
    }
    lived.held = sustained.most;
    Ok(lived)
}
