//! Recorded pump rig: 19 runs with one fault each under models that never saw the fault's group, and fault-free pieces
//! that no model was trained on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use hub_predict::{Model, Row, Table, Verdict, read_rows, score_rows};

use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};
use crate::scores::{Score, Sustained};

/// Rows of the fault-free recording that are kept from training, cut into pieces.
const CLEAN: [(usize, usize); 4] = [(4000, 4400), (4400, 4800), (4800, 5200), (5200, 5600)];
/// A unit whose fault comes before this row calibrates on fewer rows.
const EARLY_ONSET: usize = 250;
/// Calibration rows of such a unit.
const SHORT_CALIBRATION: u32 = 100;

struct Stream {
    name: String,
    rows: Vec<Row>,
    /// First and last anomalous row.
    anomaly: Option<(usize, usize)>,
    model: PathBuf,
}

struct Judged {
    false_alarms: usize,
    found: bool,
    at_call_gate: bool,
    held_before: f32,
    held_within: f32,
}

pub fn evaluate(data: &Path, models: &Path, scores: &mut Vec<Score>, calibration: u32) -> anyhow::Result<Part> {
    println!(
        "pump-rig: calibration {calibration} rows ({SHORT_CALIBRATION} where the onset is before row {EARLY_ONSET})"
    );
    println!(
        "{:<16} {:>6} {:>6} {:>6} {:>8} {:>8}  fault class, probability, top",
        "run", "onset", "alarm", "delay", "before", "within"
    );
    let (mut found, mut gate, mut false_alarms, mut runs) = (0_u32, 0_u32, 0_usize, 0_u32);
    for stream in streams(data, models)? {
        let judged = judge(&stream, calibration)?;
        if judged.held_before > 0.0 {
            scores.push(Score {
                family: "pump-rig",
                fault: false,
                held: judged.held_before,
            });
        }
        if stream.anomaly.is_some() {
            scores.push(Score {
                family: "pump-rig",
                fault: true,
                held: judged.held_within,
            });
        }
        runs += u32::from(stream.anomaly.is_some());
        found += u32::from(judged.found);
        gate += u32::from(judged.at_call_gate);
        false_alarms += judged.false_alarms;
    }
    let said = format!(
        "{found} of {runs} runs with a fault found, {gate} with probability 0.9 or more; {false_alarms} alarms before an onset or on {} clean \
         pieces. Each run is judged by a model that never saw its fault group.",
        CLEAN.len()
    );
    println!("pump-rig: {said}");
    Ok(Part {
        name: "pump-rig",
        evidence: Evidence::Laboratory,
        data: Data::Files(recordings(data)?),
        lines: vec![said],
        found: vec![Found {
            what: "pump-rig/1".into(),
            found: f64::from(found),
            of: f64::from(runs),
            wrong: false_alarms as f64,
            watched: format!("{} streams", runs as usize + CLEAN.len()),
            precision: Some(f64::from(found) / (f64::from(found) + false_alarms as f64).max(1.0)),
        }],
        bars: vec![
            Bar::at_least("pump-rig-found-of-19", f64::from(found), 14.0),
            Bar::at_most("pump-rig-false-tickets", false_alarms as f64, 2.0),
        ],
    })
}

fn streams(data: &Path, models: &Path) -> anyhow::Result<Vec<Stream>> {
    let final_model = models.join("evaluation/pump-rig-1");
    let profile = hub_predict::load_manifest(&final_model)?.1.profile;
    let read = |name: &str| -> anyhow::Result<Table> {
        let path = data.join(name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        read_rows(file, &profile).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut streams = Vec::new();
    for (name, group) in fault_runs(data)? {
        let labels = labels(&data.join(&name))?;
        let first = labels.iter().position(|l| *l).context("a run without a fault")?;
        let last = labels.iter().rposition(|l| *l).context("a run without a fault")?;
        let model = models.join("evaluation/pump-rig-loo").join(group);
        streams.push(Stream {
            rows: read(&name)?.rows,
            name,
            anomaly: Some((first, last)),
            model,
        });
    }
    let clean = read("anomaly-free/anomaly-free-first5600.csv")?.rows;
    for (first, end) in CLEAN {
        let name = format!("clean {first}");
        streams.push(Stream {
            name,
            rows: clean[first..end].to_vec(),
            anomaly: None,
            model: final_model.clone(),
        });
    }
    Ok(streams)
}

/// All recordings that are judged, as paths below the folder in which `data` is.
pub fn recordings(data: &Path) -> anyhow::Result<Vec<String>> {
    let folder = data.file_name().unwrap_or_default().to_string_lossy();
    let runs = fault_runs(data)?.into_iter().map(|(name, _)| name);
    let all = runs.chain([
        "anomaly-free/anomaly-free-first5600.csv".to_owned(),
        "fault_classes.csv".to_owned(),
    ]);
    Ok(all.map(|name| format!("{folder}/{name}")).collect())
}

/// The recorded runs with a fault: file below `data`, and fault group.
pub fn fault_runs(data: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let classes = std::fs::read_to_string(data.join("fault_classes.csv"))?;
    let run = |line: &str| {
        let parts = line.trim().split_once(',');
        let (name, group) = parts.context("fault_classes.csv: file,fault_class")?;
        Ok((name.to_owned(), group.to_owned()))
    };
    classes.lines().skip(1).map(run).collect()
}

/// Whether each row of a recording is anomalous.
pub fn labels(path: &Path) -> anyhow::Result<Vec<bool>> {
    let mut csv = csv::ReaderBuilder::new().delimiter(b';').from_path(path)?;
    let column = csv
        .headers()?
        .iter()
        .position(|h| h == "anomaly")
        .context("no column anomaly")?;
    csv.records().map(|r| Ok(r?.get(column) == Some("1.0"))).collect()
}

fn judge(stream: &Stream, calibration: u32) -> anyhow::Result<Judged> {
    let model = Arc::new(Model::load(&stream.model)?);
    let early = stream.anomaly.is_some_and(|(first, _)| first < EARLY_ONSET);
    let calibration = if early { SHORT_CALIBRATION } else { calibration };
    let (onset, end) = stream.anomaly.unwrap_or((usize::MAX, usize::MAX));
    let mut judged = Judged {
        false_alarms: 0,
        found: false,
        at_call_gate: false,
        held_before: 0.0,
        held_within: 0.0,
    };
    let mut alarm: Option<(usize, Verdict)> = None;
    let (mut before, mut within) = (Sustained::new(&model), Sustained::new(&model));
    let (mut standing, mut best) = (false, 0.0f32);
    for (i, steps) in score_rows(&model, calibration, &stream.rows).enumerate() {
        for verdict in steps?.into_iter().map(|step| step.verdict) {
            if i < onset {
                before.next(verdict.score)
            } else if i <= end {
                within.next(verdict.score)
            }
            if verdict.alarm && !standing && i < onset {
                judged.false_alarms += 1;
            }
            standing = verdict.alarm;
            if verdict.alarm && (onset..=end).contains(&i) {
                best = best.max(verdict.prediction.as_ref().map_or(0.0, |p| p.probability));
                judged.found = true;
                alarm.get_or_insert((i, verdict));
            }
        }
    }
    judged.at_call_gate = best >= 0.9;
    (judged.held_before, judged.held_within) = (before.most, within.most);
    let delay = alarm
        .as_ref()
        .map(|(i, _)| stream.rows[*i].at.duration_since(stream.rows[onset].at).as_secs());
    println!(
        "{:<16} {:>6} {:>6} {:>6} {:>8.2} {:>8.2}  {}",
        stream.name,
        stream.anomaly.map_or("-".into(), |(first, _)| first.to_string()),
        alarm.as_ref().map_or("-".into(), |(i, _)| i.to_string()),
        delay.map_or("-".into(), |d| format!("{d} s")),
        before.most,
        within.most,
        alarm.map_or(String::new(), |(_, v)| describe(&v, best, &model)),
    );
    Ok(judged)
}

fn describe(verdict: &Verdict, best: f32, model: &Model) -> String {
    let class = verdict.prediction.as_ref().map_or("", |p| &p.fault_class);
    let top = verdict.top(model.manifest(), 2);
    let top: Vec<String> = top
        .iter()
        .map(|s| format!("{} {:.0} %", s.name, s.share * 100.0))
        .collect();
    format!("{class}, {best:.2}, {}", top.join(", "))
}
