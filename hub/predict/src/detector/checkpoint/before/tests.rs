//! Writes forms 1 to 4 as the programs before did, and goes on from them.

use std::path::Path;

use hub_core::prediction::FaultPrediction;
use jiff::SignedDuration;

use super::*;
use crate::detector::CheckpointError;
use crate::model::Model;
use crate::table::{Row, quantise_row};
use crate::verdict::Verdict;

const CALIBRATE: u32 = 60;
const FAULT_AT: usize = 180;

fn model() -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
    Model::load(&folder).unwrap()
}

/// A row a second; from [`FAULT_AT`] on the flow falls.
fn rows(model: &Model) -> Vec<Row> {
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let row = |i: usize| {
        let draw = |k: usize| (i * 7_919 + k * 104_729) % 1_000;
        let noise = |k: usize| draw(k) as f64 / 1_000.0 - 0.5;
        let lost = 0.06 * (i.saturating_sub(FAULT_AT) as f64 / 30.0).min(1.0);
        let values = [
            0.21 + 0.004 * noise(1),
            0.27 + 0.004 * noise(2),
            2.0 + 0.5 * noise(3),
            0.2 + 0.5 * noise(4),
            90.0 + 0.2 * noise(5),
            26.0 + 0.02 * noise(6),
            230.0 + 20.0 * noise(7),
            (125.0 + noise(8)) * (1.0 - lost),
        ];
        Row {
            at: start + SignedDuration::from_secs(i as i64),
            values: quantise_row(model.profile(), &values.map(Some)),
        }
    };
    (0..330).map(row).collect()
}

/// One row through a detector by itself.
fn step(detector: &mut Detector, model: &Model, row: &Row) -> Vec<Verdict> {
    let pending = detector.prepare(model, row);
    let judge = |step: crate::Pending| {
        let made = model.reconstruct(step.window().as_slice()).unwrap().pop();
        detector.conclude(model, step, made)
    };
    pending.into_iter().map(judge).collect()
}

/// The newest points, as the program before kept them.
#[derive(Default)]
struct Drawn(VecDeque<Verdict>);

impl Drawn {
    fn push(&mut self, verdicts: &[Verdict], model: &Model) {
        self.0.extend(verdicts.iter().cloned());
        let surplus = self
            .0
            .len()
            .saturating_sub(model.manifest().persistence.evidence_points);
        self.0.drain(..surplus);
    }

    fn points(&self) -> VecDeque<Point> {
        let point = |verdict: &Verdict| Point {
            at: verdict.at,
            score: verdict.score,
            values: verdict.values.iter().map(|v| v.unwrap_or(0.0) as f32).collect(),
        };
        self.0.iter().map(point).collect()
    }
}

fn written_first(detector: &Detector, drawn: &Drawn, features: usize) -> Vec<u8> {
    let window: Vec<f32> = detector.window.iter().copied().collect();
    let before = Before {
        model: detector.model.clone(),
        calibrate: detector.calibrate,
        calibrated: detector.calibrated,
        resampler: detector.resampler.clone(),
        sensors: detector.sensors.clone(),
        stage: detector.stage.clone(),
        window: window.chunks(features).map(<[f32]>::to_vec).collect(),
        persistence: detector.persistence.clone(),
        span: detector.span.clone(),
        fault: detector.fault.clone(),
        recent: Points { points: drawn.points() },
    };
    postcard::to_extend(&before, vec![FIRST]).unwrap()
}

fn written_second(detector: &Detector) -> Vec<u8> {
    let before = Second {
        model: detector.model.clone(),
        calibrate: detector.calibrate,
        calibrated: detector.calibrated,
        resampler: detector.resampler.clone(),
        sensors: detector.sensors.clone(),
        stage: detector.stage.clone(),
        window: detector.window.clone(),
        persistence: detector.persistence.clone(),
        span: detector.span.clone(),
        fault: detector.fault.clone(),
        recent: detector.recent.clone(),
    };
    postcard::to_extend(&before, vec![SECOND]).unwrap()
}

fn written_third(detector: &Detector) -> Vec<u8> {
    let before = Third {
        model: detector.model.clone(),
        calibrate: detector.calibrate,
        calibrated: detector.calibrated,
        resampler: detector.resampler.clone(),
        sensors: detector.sensors.clone(),
        stage: detector.stage.clone(),
        window: detector.window.clone(),
        persistence: detector.persistence.clone(),
        span: detector.span.clone(),
        fault: detector.fault.clone(),
        recent: detector.recent.clone(),
        intake: detector.intake.clone(),
    };
    postcard::to_extend(&before, vec![THIRD]).unwrap()
}

fn written_fourth(detector: &Detector) -> Vec<u8> {
    let before = Fourth {
        model: detector.model.clone(),
        calibrate: detector.calibrate,
        calibrated: detector.calibrated,
        resampler: detector.resampler.clone(),
        sensors: detector.sensors.clone(),
        stage: detector.stage.clone(),
        window: detector.window.clone(),
        persistence: detector.persistence.clone(),
        span: detector.span.clone(),
        fault: detector.fault.clone(),
        recent: detector.recent.clone(),
        intake: detector.intake.clone(),
        told: detector.told,
        empty_for: detector.empty_for,
    };
    postcard::to_extend(&before, vec![FOURTH]).unwrap()
}

/// Form 4 knows all that a model with a network needs, and form 3 all but with which score its alarm was told.
#[test]
fn a_checkpoint_of_form_3_or_4_is_continued_as_it_was() {
    let model = model();
    let mut one = Detector::with_calibration(&model, CALIBRATE);
    for row in &rows(&model) {
        step(&mut one, &model, row);
    }
    assert!(one.alarming());
    for bytes in [written_third(&one), written_fourth(&one)] {
        assert_eq!(Detector::restore(&model, &bytes), Ok(one.clone()));
        for cut in 0..bytes.len().min(200) {
            assert!(Detector::restore(&model, &bytes[..cut]).is_err());
        }
    }
}

#[test]
fn a_checkpoint_of_a_form_before_is_continued_with_the_same_verdicts() {
    let model = model();
    let (rows, features) = (rows(&model), model.manifest().features.len());
    // While it calibrates, in the sound time, while the flow falls, and while the alarm stands.
    for cut in [0, 40, 120, 195, 300] {
        let mut one = Detector::with_calibration(&model, CALIBRATE);
        let mut drawn = Drawn::default();
        for row in &rows[..cut] {
            drawn.push(&step(&mut one, &model, row), &model);
        }
        for bytes in [written_first(&one, &drawn, features), written_second(&one)] {
            continued(&model, one.clone(), &bytes, &rows[cut..]);
        }
    }
}

/// The state of named faults had another form once: what stood is not known then, and the baseline starts again.
#[test]
fn bytes_of_another_id_are_told_as_that_though_nothing_else_of_them_can_be_read() {
    let model = model();
    let of = |id: &str| {
        let mut bytes = vec![5];
        bytes.extend(postcard::to_stdvec(id).unwrap());
        bytes.extend([0x3f; 60]);
        Detector::restore(&model, &bytes).unwrap_err()
    };
    let other = of("washing-machine/2#0");
    assert!(
        matches!(other, CheckpointError::OtherModel { alarming: true, .. }),
        "{other}"
    );
    assert_eq!(of(model.state()), CheckpointError::Damaged);
}

fn continued(model: &Model, mut one: Detector, bytes: &[u8], rows: &[Row]) {
    let mut other = Detector::restore(model, bytes).unwrap();
    assert_eq!(
        (other.alarming(), other.standing(model)),
        (one.alarming(), one.standing(model))
    );
    // It is told again, with the first reading.
    assert_eq!(other.watch_state(), None);
    let mut last: Option<FaultPrediction> = None;
    for row in rows {
        let (left, right) = (step(&mut one, model, row), step(&mut other, model, row));
        assert_eq!(left, right);
        last = left.into_iter().find_map(|verdict| verdict.prediction).or(last);
    }
    let state = |detector: &Detector| detector.watch_state().unwrap().state;
    assert_eq!(state(&other), state(&one));
    // What is drawn is the same to a few thousandths of what the chart spans.
    let prediction = last.unwrap();
    let (left, right) = (one.evidence(model, &prediction), other.evidence(model, &prediction));
    assert_eq!(left.points.len(), right.points.len());
    for (left, right) in left.points.iter().zip(&right.points) {
        assert_eq!(left.at, right.at);
        assert!((left.score - right.score).abs() < 0.02, "{left:?} {right:?}");
    }
    for cut in 0..bytes.len().min(200) {
        assert!(Detector::restore(model, &bytes[..cut]).is_err());
    }
}
