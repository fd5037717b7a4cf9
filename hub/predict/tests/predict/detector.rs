//! The detector on a made-up pump: same verdicts however its life is cut up.

use crate::common::{models, pump_rig, pump_rows, step, washing_rows};
use hub_core::watching::Unjudged;
use hub_predict::{CheckpointError, Detector, Model, Verdict, Window};

const CALIBRATE: u32 = 100;
const FAULT_AT: usize = 250;
/// Bytes of a checkpoint, at most.
const CHECKPOINT_MAX: usize = 8_000;

fn verdicts(model: &Model, rows: &[hub_predict::Row]) -> Vec<Verdict> {
    let mut detector = Detector::with_calibration(model, CALIBRATE);
    rows.iter()
        .flat_map(|row| step(&mut detector, model, row).unwrap())
        .collect()
}

#[test]
fn a_falling_flow_is_found_named_and_shown() {
    let model = pump_rig();
    let rows = pump_rows(&model, 400, FAULT_AT);
    let mut detector = Detector::with_calibration(&model, CALIBRATE);
    let mut first = None;
    for row in &rows {
        for verdict in step(&mut detector, &model, row).unwrap() {
            assert_eq!(verdict.alarm, verdict.prediction.is_some());
            if let (None, Some(prediction)) = (&first, verdict.prediction) {
                first = Some((prediction.clone(), detector.evidence(&model, &prediction)));
            }
        }
    }
    let (prediction, evidence) = first.unwrap();
    assert!(
        prediction.at > rows[FAULT_AT].at && prediction.since >= rows[FAULT_AT].at,
        "{prediction:?}"
    );
    assert_eq!(prediction.fault_class, "flow_loss");
    assert_eq!(prediction.model, "pump-rig/1");
    assert!(prediction.probability > 0.5 && prediction.score >= 1.0);
    let flow = &prediction.top[0];
    assert_eq!(flow.channel, "Volume Flow RateRMS");
    assert!(
        (flow.baseline_mean - 125.0).abs() < 1.0 && flow.value < 123.0,
        "{flow:?}"
    );
    assert!((prediction.top.iter().map(|c| c.share).sum::<f32>() - 1.0).abs() < 0.1);
    assert!(evidence.points.len() <= 300 && evidence.points.len() > 100);
    assert_eq!(evidence.channels, prediction.top);
    assert!(evidence.points[0].at < prediction.since && prediction.since < evidence.points.last().unwrap().at);
}

#[test]
fn a_healthy_pump_is_quiet() {
    let model = pump_rig();
    let all = verdicts(&model, &pump_rows(&model, 1500, usize::MAX));
    assert!(all.iter().all(|v| !v.alarm));
    assert!(all.iter().any(|v| v.score > 0.0));
}

#[test]
fn a_detector_restored_after_any_row_goes_on_as_if_nothing_had_happened() {
    let model = pump_rig();
    let rows = pump_rows(&model, 400, FAULT_AT);
    let mut one = Detector::with_calibration(&model, CALIBRATE);
    let mut other = Detector::with_calibration(&model, CALIBRATE);
    let mut alarms = 0;
    for row in &rows {
        let checkpoint = other.checkpoint();
        assert!(checkpoint.len() <= CHECKPOINT_MAX, "{} bytes", checkpoint.len());
        other = Detector::restore(&model, &checkpoint).unwrap();
        let (left, right) = (
            step(&mut one, &model, row).unwrap(),
            step(&mut other, &model, row).unwrap(),
        );
        assert_eq!(left, right);
        alarms += left.iter().filter(|v| v.alarm).count();
    }
    assert!(alarms > 0);
    assert_eq!(one, other);
}

/// Whatever is in it: calibrated, with a full window, every point that is drawn, and an alarm that stands.
#[test]
fn a_checkpoint_of_a_long_life_is_small() {
    let (pump, washing) = (pump_rig(), Model::load(&models().join("washing-machine")).unwrap());
    let lives = [
        (&pump, pump_rows(&pump, 2_000, 1_700)),
        (&washing, washing_rows(&washing, 100)),
    ];
    for (model, rows) in lives {
        let mut detector = Detector::new(model);
        let (mut largest, mut alarms) = (0, 0);
        for (number, row) in rows.iter().enumerate() {
            alarms += step(&mut detector, model, row)
                .unwrap()
                .iter()
                .filter(|v| v.alarm)
                .count();
            if number % 7 == 0 {
                largest = largest.max(detector.checkpoint().len());
            }
        }
        assert!(alarms > 0, "{}", model.family());
        assert!(largest <= CHECKPOINT_MAX, "{}: {largest} bytes", model.family());
        assert!(largest > 3_000, "{}: {largest} bytes hold no long life", model.family());
    }
}

#[test]
fn what_stands_is_what_verdicts_have_said_last() {
    let model = pump_rig();
    let mut detector = Detector::with_calibration(&model, CALIBRATE);
    let mut told: Option<(String, f32)> = None;
    let mut rows = pump_rows(&model, 400, FAULT_AT);
    rows.truncate(380);
    for row in &rows {
        for verdict in step(&mut detector, &model, row).unwrap() {
            told = verdict.prediction.map(|prediction| {
                let most = told.take().map_or(0.0, |(_, most)| most);
                (prediction.fault_class, prediction.probability.max(most))
            });
        }
        let standing = detector.standing(&model).map(|(class, most)| (class.to_owned(), most));
        assert_eq!(standing, told);
    }
    assert!(told.is_some());
}

#[test]
fn a_checkpoint_of_another_model_or_of_nothing_is_refused() {
    let model = pump_rig();
    let washing = Model::load(&models().join("washing-machine")).unwrap();
    let checkpoint = Detector::new(&washing).checkpoint();
    let refused = Detector::restore(&model, &checkpoint);
    let written = "washing-machine/1".to_owned();
    assert_eq!(
        refused,
        Err(CheckpointError::OtherModel {
            written,
            wanted: "pump-rig/1".to_owned(),
            alarming: false,
        })
    );
    let whole = Detector::new(&model).checkpoint();
    for cut in [0, 1, 2, whole.len() / 2, whole.len() - 1] {
        assert_eq!(
            Detector::restore(&model, &whole[..cut]),
            Err(CheckpointError::Damaged),
            "{cut} bytes"
        );
    }
}

#[test]
fn steps_prepared_ahead_and_scored_in_shared_batches_give_the_same_bits() {
    let model = pump_rig();
    let lives = [pump_rows(&model, 330, FAULT_AT), pump_rows(&model, 300, 150)];
    let mut detectors = [(); 2].map(|()| Detector::with_calibration(&model, CALIBRATE));
    let mut together = [Vec::new(), Vec::new()];
    for part in 0..33 {
        let mut pending = Vec::new();
        for (i, rows) in lives.iter().enumerate() {
            for row in rows.iter().skip(part * 10).take(10) {
                pending.extend(detectors[i].prepare(&model, row).into_iter().map(|p| (i, p)));
            }
        }
        let windows: Vec<&Window> = pending.iter().filter_map(|(_, p)| p.window()).collect();
        let mut made = model.reconstruct(&windows).unwrap().into_iter();
        for (i, p) in pending {
            let reconstruction = p.window().and_then(|_| made.next());
            together[i].push(detectors[i].conclude(&model, p, reconstruction));
        }
    }
    for (rows, together) in lives.iter().zip(&together) {
        assert_eq!(&verdicts(&model, rows), together);
    }
}

#[test]
fn missing_and_stuck_sensors_are_told_apart_from_faults() {
    let model = pump_rig();
    let mut rows = pump_rows(&model, 700, usize::MAX);
    let stuck = rows[300].values[6];
    for row in &mut rows[300..] {
        row.values[6] = stuck;
        row.values[7] = None;
    }
    for row in &mut rows[600..] {
        row.values.iter_mut().for_each(|v| *v = None);
    }
    let all = verdicts(&model, &rows);
    assert!(all.iter().all(|v| !v.alarm && v.score.is_finite()));
    let before_all_went = all.iter().rfind(|v| v.at < rows[590].at).unwrap();
    assert_eq!(before_all_went.suspect, [6, 7]);
    assert_eq!(all.last().unwrap().suspect.len(), 8);
    // Nothing but missing values, from the first row on.
    rows.iter_mut().for_each(|row| row.values = vec![None; 8]);
    assert!(verdicts(&model, &rows).iter().all(|v| !v.alarm && v.score.is_finite()));
}

#[test]
fn times_that_stand_still_or_run_backwards_make_no_step() {
    let model = pump_rig();
    let rows = pump_rows(&model, 400, FAULT_AT);
    let mut detector = Detector::with_calibration(&model, CALIBRATE);
    for row in &rows[..300] {
        step(&mut detector, &model, row).unwrap();
    }
    let mut before = detector.clone();
    assert!(step(&mut detector, &model, &rows[299]).unwrap().is_empty());
    assert!(step(&mut detector, &model, &rows[10]).unwrap().is_empty());
    // They are counted, and nothing else of it is another.
    let counted = [(Unjudged::Repeated, 1), (Unjudged::Unordered, 1)];
    assert_eq!(detector.watching(&model).unjudged, counted.into());
    assert!(before.watching(&model).unjudged.is_empty());
    for row in &rows[300..] {
        let (left, right) = (step(&mut detector, &model, row), step(&mut before, &model, row));
        assert_eq!(left.unwrap(), right.unwrap());
    }
}

#[test]
fn a_baseline_that_starts_during_a_fault_takes_it_for_normal() {
    let model = pump_rig();
    let rows = pump_rows(&model, 800, FAULT_AT);
    let mut detector = Detector::with_calibration(&model, CALIBRATE);
    for row in &rows[400..] {
        assert!(step(&mut detector, &model, row).unwrap().iter().all(|v| !v.alarm));
    }
}
