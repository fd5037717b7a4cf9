//! The one road for a score: the hub, `forecall score` and the evaluation say the same, however rows are cut into rounds and
//! batches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::common::{csv_text, models, pump_rig, pump_rows, washing_rows};
use hub_core::id::{ApplianceId, TenantId};
use hub_core::situation::Observation;
use hub_predict::{
    Detector, Detectors, Manner, Model, Progress, Registry, Row, RowRef, Verdict, WINDOWS_MAX, Watch, read_rows,
    score_csv, score_rows, stored,
};
use hub_store::prediction::ScoringSubject;
use hub_store::telemetry::StoredRow;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a hub tells of an appliance, and what its detector holds in the end.
type Told = (Vec<Observation>, Vec<u8>);

/// Lengths of rounds, at most so many rows each.
fn cuts(seed: u64, most: usize) -> impl FnMut() -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || rng.random_range(1..=most)
}

/// Takes the next round off these rows.
fn take(rows: &mut Vec<StoredRow>, count: usize) -> Vec<StoredRow> {
    let rest = rows.split_off(count.min(rows.len()));
    std::mem::replace(rows, rest)
}

/// What a hub makes of the rows: the worker's part without a store.
fn hub(registry: &Arc<Registry>, mut rows: Vec<StoredRow>, mut count: impl FnMut() -> usize) -> BTreeMap<i64, Told> {
    let mut watch = Watch::new(registry.clone(), &[], Arc::new(()));
    let (mut told, now) = (BTreeMap::<i64, Told>::new(), Instant::now());
    while !rows.is_empty() {
        let round = take(&mut rows, count());
        for appliance in watch.missing(&round) {
            watch.admit(&ScoringSubject {
                appliance,
                tenant: TenantId::new("acme").unwrap(),
                profile: round[0].profile.name.clone(),
                appliance_model: round[0].profile.name.clone(),
                model: None,
                checkpoints: Vec::new(),
                fresh_after: 0,
            });
            told.insert(appliance.0, Told::default());
        }
        let scored = watch.score(round, now);
        assert!(scored.failed.is_empty());
        for observation in scored.commit.observations {
            told.get_mut(&observation.appliance().0).unwrap().0.push(observation);
        }
    }
    for (appliance, (_, state)) in &mut told {
        *state = watch.state(ApplianceId(*appliance)).unwrap();
    }
    told
}

/// A file of rows as `forecall score` reads it.
fn recorded(model: &Model, rows: &[Row]) -> String {
    csv_text(model, rows, ";")
}

/// The hub, `forecall score` and the evaluation on the same recording.
pub fn compare(model: &Arc<Model>, registry: &Arc<Registry>, recording: &str) -> Vec<Observation> {
    let calibrate = model.manifest().baseline.calibration;
    let rows = read_rows(recording.as_bytes(), model.profile()).unwrap().rows;
    // The evaluation.
    let steps: Vec<_> = score_rows(model, calibrate, &rows).map(Result::unwrap).collect();
    // `forecall score`.
    let mut output = Vec::new();
    score_csv(recording.as_bytes(), &mut output, model, calibrate).unwrap();
    let output = String::from_utf8(output).unwrap();
    let mut newest: Option<&Verdict> = None;
    assert_eq!(output.lines().count(), rows.len() + 1);
    for (line, of_row) in output.lines().skip(1).zip(&steps) {
        newest = of_row.last().map(|step| &step.verdict).or(newest);
        let (score, alarm) = newest.map_or((0.0, false), |verdict| (verdict.score, verdict.alarm));
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields[1..3], [format!("{score:.6}"), u8::from(alarm).to_string()]);
    }
    // The hub.
    let news: Vec<Observation> = steps.into_iter().flatten().flat_map(|step| step.news).collect();
    for most in [1, 7, 300, 100_000] {
        let rows = stored(ApplianceId(1), model.profile(), 1, &rows);
        let told = hub(registry, rows, cuts(most as u64, most));
        assert_eq!(told[&1].0, news, "rounds of up to {most} rows");
    }
    news
}

#[test]
fn the_hub_the_command_and_the_evaluation_say_the_same() {
    let registry = Arc::new(Registry::load(&models()).unwrap());
    let pump = registry.get("pump-rig").unwrap();
    let mut rows = pump_rows(pump, 640, 300);
    // Rows without a value say nothing, wherever they are read.
    for silent in [50, 120, 199, 320, 321, 500] {
        rows[silent].values.fill(None);
    }
    // The flow comes back.
    let sound = pump_rows(pump, 640, usize::MAX);
    rows[450..].clone_from_slice(&sound[450..]);
    let told = compare(pump, &registry, &recorded(pump, &rows));
    assert!(matches!(&told[0], Observation::Alarm { prediction, .. } if prediction.fault_class == "flow_loss"));
    assert!(matches!(told.last(), Some(Observation::Clear { .. })), "{told:?}");

    let washing = registry.get("washing-machine").unwrap();
    let told = compare(washing, &registry, &recorded(washing, &washing_rows(washing, 60)));
    assert!(matches!(&told[0], Observation::Alarm { prediction, .. } if prediction.fault_class == "drain_pump_wear"));
}

/// The recorded data are not part of this project; where they are absent the test says so and passes.
#[test]
fn they_say_the_same_of_a_recorded_fault() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/skab/valve1/12.csv");
    let Ok(recorded) = std::fs::read_to_string(&data) else {
        println!("skipped: no recorded data at {}", data.display());
        return;
    };
    let registry = Registry::load(&models().join("evaluation/pump-rig-1")).unwrap();
    let model = registry.get("pump-rig").unwrap().clone();
    compare(&model, &Arc::new(registry), &recorded);
}

/// Three pumps, of which two lose flow, one row of each in turn.
fn pumps(model: &Model) -> Vec<StoredRow> {
    let lives = [(1, 230), (2, 260), (3, usize::MAX)];
    let of = |(id, fault_at): (i64, usize)| {
        let rows = pump_rows(model, 330, fault_at);
        stored(
            ApplianceId(id),
            model.profile(),
            1,
            &rows[usize::try_from(id).unwrap()..],
        )
    };
    let mut lives = lives.map(|life| of(life).into_iter());
    let mut rows = Vec::new();
    while let Some(row) = lives[rows.len() % 3].next() {
        let ingest_no = i64::try_from(rows.len()).unwrap() + 1;
        rows.push(StoredRow { ingest_no, ..row });
    }
    rows
}

/// Verdicts on each appliance's steps.
fn verdicts(
    model: &Arc<Model>,
    mut rows: Vec<StoredRow>,
    windows: usize,
    mut count: impl FnMut() -> usize,
) -> BTreeMap<i64, Vec<Verdict>> {
    let mut detectors = Detectors::default();
    for appliance in 1..=3 {
        detectors.insert(ApplianceId(appliance), model.clone(), Detector::new(model));
    }
    let mut verdicts = BTreeMap::<i64, Vec<Verdict>>::new();
    while !rows.is_empty() {
        let round = take(&mut rows, count());
        let manner = Manner {
            again: false,
            windows,
            progress: &(),
        };
        let batch = detectors.score(round, &manner);
        assert!(batch.failed.is_empty());
        for step in batch.judged {
            verdicts.entry(step.row.appliance.0).or_default().push(step.verdict);
        }
    }
    verdicts
}

#[test]
fn no_cut_into_rounds_and_batches_changes_a_verdict() {
    let model = Arc::new(pump_rig());
    let rows = pumps(&model);
    let alone = |appliance: i64| {
        let own = rows.iter().filter(|row| row.appliance == ApplianceId(appliance));
        verdicts(&model, own.cloned().collect(), 1, || 1)
            .remove(&appliance)
            .unwrap()
    };
    let expected: BTreeMap<i64, Vec<Verdict>> = (1..=3).map(|appliance| (appliance, alone(appliance))).collect();
    let alarmed = expected.iter().filter(|(_, steps)| steps.iter().any(|step| step.alarm));
    assert_eq!(alarmed.map(|(appliance, _)| *appliance).collect::<Vec<_>>(), [1, 2]);
    for (seed, (windows, most)) in [(1, 2), (2, 50), (3, 3), (5, 1_000), (WINDOWS_MAX, 7)]
        .into_iter()
        .enumerate()
    {
        let together = verdicts(&model, rows.clone(), windows, cuts(seed as u64, most));
        assert!(
            together == expected,
            "batches of {windows} windows, rounds of up to {most} rows"
        );
    }
}

#[test]
fn no_cut_into_rounds_changes_what_a_hub_tells_and_holds() {
    let registry = Arc::new(Registry::load(&models().join("evaluation/pump-rig-1")).unwrap());
    let rows = pumps(registry.get("pump-rig").unwrap());
    let expected = hub(&registry, rows.clone(), || usize::MAX);
    assert_eq!(expected.len(), 3);
    assert!(!expected[&1].0.is_empty() && !expected[&2].0.is_empty() && expected[&3].0.is_empty());
    for (seed, most) in [1, 4, 40, 400].into_iter().enumerate() {
        let told = hub(&registry, rows.clone(), cuts(seed as u64, most));
        assert!(told == expected, "rounds of up to {most} rows");
    }
}

/// How many steps are given to the network together.
#[derive(Default)]
struct Shared(Mutex<Vec<usize>>);

impl Progress for Shared {
    fn begin(&self, _: RowRef) {}

    fn begin_all(&self, rows: &[RowRef]) {
        self.0.lock().unwrap().push(rows.len());
    }

    fn end(&self) {}
}

/// All numbers of a verdict, bit by bit.
fn bits(verdict: &Verdict) -> Vec<u32> {
    let scores = [verdict.score, verdict.baseline_score, verdict.autoencoder_score];
    let numbers = scores.iter().chain(&verdict.contributions);
    numbers.map(|number| number.to_bits()).collect()
}

#[test]
fn rows_of_one_appliance_share_the_networks_batches_and_no_bit_changes() {
    let model = Arc::new(pump_rig());
    let rows = stored(ApplianceId(1), model.profile(), 1, &pump_rows(&model, 400, 250));
    let judged = |windows| {
        let mut detectors = Detectors::default();
        detectors.insert(ApplianceId(1), model.clone(), Detector::new(&model));
        let shared = Shared::default();
        let manner = Manner {
            again: false,
            windows,
            progress: &shared,
        };
        let judged = detectors.score(rows.clone(), &manner).judged;
        let verdicts: Vec<Verdict> = judged.into_iter().map(|step| step.verdict).collect();
        (verdicts, shared.0.into_inner().unwrap())
    };
    let (expected, alone) = judged(1);
    assert!(alone.iter().all(|steps| *steps == 1), "{alone:?}");
    assert!(expected.iter().any(|verdict| verdict.autoencoder_score > 1.0));
    for windows in [8, WINDOWS_MAX] {
        let (verdicts, together) = judged(windows);
        assert_eq!(together.len(), expected.len().div_ceil(windows), "{together:?}");
        assert!(together[1..together.len() - 1].iter().all(|steps| *steps == windows));
        for (verdict, expected) in verdicts.iter().zip(&expected) {
            assert_eq!(bits(verdict), bits(expected), "at {}", expected.at);
        }
        assert!(verdicts == expected, "{windows} windows");
    }
}
