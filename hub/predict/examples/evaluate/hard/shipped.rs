//! The shipped model of washing machines on the same machines: it rings on every alarm whose probability is 0.9 or more.

use std::path::Path;
use std::sync::Arc;

use hub_predict::{Model, score_rows};
use jiff::Timestamp;
use tests_world::hard::{Fleet, WashingMachine};

use super::kit::Kit;
use super::machine::SHIPPED;
use super::watch::{Said, Watched};

/// Probability from which a call is made.
const GATE: f32 = 0.9;

pub fn load(models: &Path) -> anyhow::Result<Arc<Model>> {
    Ok(Arc::new(Model::load(&models.join(SHIPPED))?))
}

/// A machine watched until a day. The score for calls is 1 where the gate is passed.
pub fn watch(
    kit: &Kit,
    model: &Arc<Model>,
    fleet: &Fleet,
    machine: &mut WashingMachine,
    until_day: f64,
) -> anyhow::Result<Watched> {
    let rows: Vec<_> = kit.rows(fleet, machine, until_day).map(|(row, _)| row).collect();
    let mut watched = Watched::default();
    let mut stood = false;
    for steps in score_rows(model, kit.calibration(), &rows) {
        for verdict in steps?.into_iter().map(|step| step.verdict) {
            if verdict.calibrating {
                continue;
            }
            let probability = verdict.prediction.as_ref().map_or(0.0, |one| one.probability);
            watched.said.push(Said {
                day: day(fleet.start, verdict.at),
                ticket: f64::from(u8::from(verdict.alarm)),
                call: f64::from(u8::from(probability >= GATE)),
                rose: verdict.alarm && !stood,
                stands: verdict.alarm,
                top: 0,
                called: None,
            });
            stood = verdict.alarm;
        }
    }
    Ok(watched)
}

fn day(start: Timestamp, at: Timestamp) -> f64 {
    at.duration_since(start).as_secs_f64() / 86_400.0
}
