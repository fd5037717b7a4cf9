//! The recorded pump rig by family `generic`: without training, with the floors of its kinds of quantity and the settings that
//! hold before there is a fleet. Beside it the family that was trained for this rig.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hub_predict::generic::{Channel, Settings, Step, Unit, fleet_floors};
use hub_predict::{Model, Row, score_rows};
use jiff::Timestamp;

use crate::bar::{Bar, Bound};
use crate::recut::{Stream, streams};

/// Seconds of one step.
const PERIOD_S: f64 = 5.0;
/// Steps that may be missing without a gap.
const MISSING_MAX: i64 = 3;
/// Rows from which the trained family learns a unit's normal: as many seconds as `generic` has steps for.
const CALIBRATION_ROWS: u32 = 200;

/// Clean streams that floors are learned from, at the least.
const LEARNED_FROM_MIN: usize = 10;

/// What a detector made of one stream.
struct Outcome {
    /// It alarmed before the onset, or where there is none.
    falsely: bool,
    /// Seconds from the onset to its alarm, if none was before.
    delay_s: Option<f64>,
}

/// What a detector made of all, each run counting as one.
#[derive(Default)]
struct Figures {
    found: f64,
    early: f64,
    runs: f64,
    clean_alarming: f64,
    clean: f64,
    delay_s: f64,
}

pub fn evaluate(data: &Path, models: &Path) -> anyhow::Result<Vec<Bar>> {
    let profile = hub_predict::load_manifest(&models.join("pump-rig"))?.1.profile;
    let channel = |of: &hub_core::profile::Channel| Channel {
        name: of.name.clone(),
        unit: of.unit.clone(),
        decimals: of.decimals,
    };
    let channels: Vec<Channel> = profile.channels.iter().map(channel).collect();
    let streams = streams(data, models, &profile)?;
    let settings = Settings::default();
    let lives: Vec<(Vec<bool>, Unit)> = streams.iter().map(|s| live(&s.rows, &channels, &settings)).collect();
    let generic: Vec<Outcome> = streams
        .iter()
        .zip(&lives)
        .map(|(s, (alarms, _))| judge(s, alarms))
        .collect();
    let learned = streams.iter().map(|s| {
        let others = streams
            .iter()
            .zip(&lives)
            .filter(|(of, _)| of.anomaly.is_none() && of.recording() != s.recording());
        let wanders: Vec<_> = others.map(|(_, (_, unit))| unit.wander(&channels)).collect();
        let fleet_floors = fleet_floors(channels.len(), &wanders, LEARNED_FROM_MIN);
        judge(
            s,
            &live(
                &s.rows,
                &channels,
                &Settings {
                    fleet_floors,
                    ..Settings::default()
                },
            )
            .0,
        )
    });
    let learned: Vec<Outcome> = learned.collect();
    let trained = streams.iter().map(|s| Ok(judge(s, &trained_alarms(s)?)));
    let trained: Vec<Outcome> = trained.collect::<anyhow::Result<_>>()?;
    runs(&streams, &generic);
    let figures = Figures::of(&streams, &generic);
    figures.print("generic, unit floors");
    Figures::of(&streams, &learned).print("generic, and what other runs wander");
    // Trained on a part of the fault-free recording: its share of clean streams is too kind.
    Figures::of(&streams, &trained).print("pump-rig/1, other fault groups");
    Ok(vec![
        Bar {
            name: "skab-generic-found",
            value: figures.found / figures.runs,
            bound: Bound::AtLeast(0.83),
        },
        Bar {
            name: "skab-generic-clean-alarming",
            value: figures.clean_alarming / figures.clean,
            bound: Bound::AtMost(0.05),
        },
        Bar {
            name: "skab-generic-delay-s",
            value: figures.delay_s,
            bound: Bound::AtMost(90.0),
        },
    ])
}

/// Whether an alarm stands after each row, and the unit at the end. A step is judged when the first row behind it is there.
fn live(rows: &[Row], channels: &[Channel], settings: &Settings) -> (Vec<bool>, Unit) {
    let mut unit = Unit::new(channels, settings);
    let mut alarms = Vec::with_capacity(rows.len());
    let Some(start) = rows.first().map(|row| row.at) else {
        return (alarms, unit);
    };
    let number = |at: Timestamp| (at.duration_since(start).as_secs_f64() / PERIOD_S) as i64;
    let (mut begun, mut before, mut stands) = (0, None, false);
    for (i, row) in rows.iter().enumerate() {
        let step = number(rows[begun].at);
        if number(row.at) != step {
            let after_gap = before.is_some_and(|before| step - before > MISSING_MAX + 1);
            let means = means(&rows[begun..i], channels.len());
            if let Step::Watching { alarm, .. } = unit.step(channels, settings, &means, after_gap, false) {
                stands = alarm;
            }
            (begun, before) = (i, Some(step));
        }
        alarms.push(stands);
    }
    (alarms, unit)
}

fn means(rows: &[Row], channels: usize) -> Vec<Option<f64>> {
    let mean = |i: usize| {
        let values: Vec<f64> = rows.iter().filter_map(|row| row.values[i]).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    (0..channels).map(mean).collect()
}

fn trained_alarms(stream: &Stream) -> anyhow::Result<Vec<bool>> {
    let model = Arc::new(Model::load(&stream.model)?);
    let mut stands = false;
    let mut alarms = Vec::with_capacity(stream.rows.len());
    for steps in score_rows(&model, CALIBRATION_ROWS, &stream.rows) {
        stands = steps?.last().map_or(stands, |step| step.verdict.alarm);
        alarms.push(stands);
    }
    Ok(alarms)
}

fn judge(stream: &Stream, alarms: &[bool]) -> Outcome {
    let (onset, last) = stream.anomaly.unwrap_or((alarms.len(), alarms.len()));
    let falsely = alarms[..onset].contains(&true);
    let within = alarms.get(onset..=last).unwrap_or_default();
    let alarm = within.iter().position(|alarm| *alarm && !falsely);
    let seconds = |i: usize| {
        stream.rows[onset + i]
            .at
            .duration_since(stream.rows[onset].at)
            .as_secs_f64()
    };
    Outcome {
        falsely,
        delay_s: alarm.map(seconds),
    }
}

/// A line a run with a fault, and one for each run without that alarmed.
fn runs(streams: &[Stream], outcomes: &[Outcome]) {
    println!(
        "{:<32} {:<22} {:>6} {:>6} {:>8}",
        "run", "fault class", "found", "early", "delay"
    );
    for (run, of) in by_run(streams, outcomes) {
        let (found, falsely) = (share(&of, |o| o.delay_s.is_some()), share(&of, |o| o.falsely));
        let fault_class = &of[0].0.fault_class;
        let delay = of
            .iter()
            .find_map(|(_, o)| o.delay_s)
            .map_or("-".into(), |s| format!("{s:.0} s"));
        if fault_class != "none" || falsely > 0.0 {
            println!("{run:<32} {fault_class:<22} {found:>6.2} {falsely:>6.2} {delay:>8}");
        }
    }
}

type Judged<'a> = Vec<(&'a Stream, &'a Outcome)>;

fn by_run<'a>(streams: &'a [Stream], outcomes: &'a [Outcome]) -> BTreeMap<&'a str, Judged<'a>> {
    let mut runs: BTreeMap<&str, Judged<'_>> = BTreeMap::new();
    for (stream, outcome) in streams.iter().zip(outcomes) {
        runs.entry(&stream.run).or_default().push((stream, outcome));
    }
    runs
}

fn share(of: &Judged<'_>, is: impl Fn(&Outcome) -> bool) -> f64 {
    of.iter().filter(|(_, outcome)| is(outcome)).count() as f64 / of.len() as f64
}

impl Figures {
    fn of(streams: &[Stream], outcomes: &[Outcome]) -> Self {
        let mut figures = Self::default();
        for of in by_run(streams, outcomes).values() {
            let falsely = share(of, |o| o.falsely);
            if of[0].0.anomaly.is_some() {
                figures.runs += 1.0;
                figures.early += falsely;
                figures.found += share(of, |o| o.delay_s.is_some());
            } else {
                figures.clean += 1.0;
                figures.clean_alarming += falsely;
            }
        }
        let mut delays: Vec<f64> = outcomes.iter().filter_map(|o| o.delay_s).collect();
        delays.sort_by(f64::total_cmp);
        figures.delay_s = delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN);
        figures
    }

    fn print(&self, detector: &str) {
        println!(
            "skab, {detector}: {:.2} of {} found ({:.2} alarmed before the onset), {:.2} of {} clean streams alarmed, median delay {:.0} s",
            self.found, self.runs, self.early, self.clean_alarming, self.clean, self.delay_s
        );
    }
}
