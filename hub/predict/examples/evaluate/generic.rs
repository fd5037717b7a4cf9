//! The recorded pump rig by family `generic`: without training, with the floors of its kinds of quantity and the settings that
//! hold before there is a fleet. Beside it the family that was trained for this rig.

mod eigen;
mod peers;
mod shipped;
mod stated;

use std::collections::BTreeMap;
use std::path::Path;

use hub_predict::Row;
use hub_predict::generic::{Channel, Settings, Step, Unit, fleet_floors};
use jiff::Timestamp;

use crate::bar::Bar;
use crate::part::{Data, Evidence, Found, Part};
use crate::pump_rig::recordings;
use crate::recut::{Stream, streams};
use peers::PEERS;

/// Seconds of one step.
const PERIOD_S: f64 = 5.0;
/// Steps that may be missing without a gap.
const MISSING_MAX: i64 = 3;
/// Rows from which the trained family learns a unit's normal: as many seconds as `generic` has steps for.
const CALIBRATION_ROWS: u32 = 200;

/// Clean streams that floors are learned from, at the least.
const LEARNED_FROM_MIN: usize = 10;
/// Steps of a calibration, and of a hold time, of the rules beside.
const CALIBRATION: usize = 40;
const HOLD: usize = 4;
/// Share of clean streams that may alarm.
const CLEAN_MOST: f64 = 0.05;
/// Thresholds that are tried for learned floors, each higher by this factor.
const THRESHOLDS: i32 = 40;
const THRESHOLD_STEP: f64 = 1.1;
/// Rows at which a clock may alarm.
const CLOCK_STEP: usize = 10;
const CLOCK_MAX: usize = 1_200;

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

pub fn evaluate(data: &Path, models: &Path) -> anyhow::Result<Part> {
    let trial = Trial::load(data, models)?;
    let settings = Settings::default();
    let mut table = Table::default();
    let (generic, units) = trial.generic(&settings, &[]);
    runs(&trial.streams, &generic);
    let figures = Figures::of(&trial.streams, &generic);
    table.add("generic, floors of its table", "1.33", &figures);
    let floors = trial.floors_of_others(&units);
    let learned_at = |threshold: f64| {
        let settings = Settings {
            threshold,
            ..Settings::default()
        };
        Figures::of(&trial.streams, &trial.generic(&settings, &floors).0)
    };
    let learned = "generic, floors that other runs show";
    table.add(learned, "1.33", &learned_at(settings.threshold));
    let mut grid = (0..THRESHOLDS).map(|step| settings.threshold * THRESHOLD_STEP.powi(step));
    if let Some((threshold, of)) = grid.find_map(|t| Some((t, learned_at(t))).filter(|(_, of)| of.keeps())) {
        table.add(learned, &format!("{threshold:.2}, chosen here"), &of);
    }
    // Trained on a part of the fault-free recording: its share of clean streams is too kind.
    let trained = trial.streams.iter().map(|s| stated::live(s, CALIBRATION_ROWS));
    let trained: Vec<stated::Trained> = trained.collect::<anyhow::Result<_>>()?;
    let outcomes = trial.judged(|s| trained[s].alarms.clone());
    table.add(
        "pump-rig/1, other fault groups",
        "1.00",
        &Figures::of(&trial.streams, &outcomes),
    );
    let shipped = shipped::Shipped::of(&trial.streams, &models.join("pump-rig"))?;
    let outcomes_of_shipped = trial.judged(|s| shipped.alarms(s).to_vec());
    let of_shipped = Figures::of(&trial.streams, &outcomes_of_shipped);
    table.add("pump-rig/2, the folder that is shipped", "1.33", &of_shipped);
    let opinions = shipped.opinions(&outcomes_of_shipped);
    println!("skab, {opinions}");
    let stated = stated::Stated::of(&trial.streams, &trained, &outcomes);
    println!("skab, {stated}");
    trial.beside(&mut table);
    let mut lines = vec![
        format!(
            "Recorded pump faults cut at random: {} runs with a fault, four times each, and {} clean streams that are independent; a run counts \
             once. An alarm that was begun before the onset is false, and the run is not found. Thresholds that were chosen here are the \
             lowest by which at most 5 % of these very clean streams alarm, which is kind to those rules.",
            figures.runs, figures.clean
        ),
        String::new(),
    ];
    lines.extend(table.lines);
    lines.extend([String::new(), format!("Stated probability of {stated}.")]);
    lines.extend([String::new(), format!("Second opinion of {opinions}.")]);
    let mut bars = vec![
        Bar::at_least("skab-generic-found", figures.found / figures.runs, 0.83),
        Bar::at_most(
            "skab-generic-clean-alarming",
            figures.clean_alarming / figures.clean,
            CLEAN_MOST,
        ),
        Bar::at_most("skab-generic-delay-s", figures.delay_s, 90.0),
    ];
    bars.extend(stated.bars());
    Ok(Part {
        name: "skab",
        evidence: Evidence::Laboratory,
        data: Data::Files(recordings(data)?),
        lines,
        found: table.found,
        bars,
    })
}

/// The streams, and the steps of each.
struct Trial {
    streams: Vec<Stream>,
    blocks: Vec<Vec<Block>>,
    channels: Vec<Channel>,
}

impl Trial {
    fn load(data: &Path, models: &Path) -> anyhow::Result<Self> {
        let profile = hub_predict::load_manifest(&models.join("pump-rig"))?.1.profile;
        let channel = |of: &hub_core::profile::Channel| Channel {
            name: of.name.clone(),
            unit: of.unit.clone(),
            decimals: of.decimals,
        };
        let channels: Vec<Channel> = profile.channels.iter().map(channel).collect();
        let streams = streams(data, models, &profile)?;
        Ok(Self {
            blocks: streams.iter().map(|s| blocks(&s.rows, channels.len())).collect(),
            streams,
            channels,
        })
    }

    /// What comes of alarms after each row, by the stream's place.
    fn judged(&self, alarms: impl Fn(usize) -> Vec<bool>) -> Vec<Outcome> {
        let streams = self.streams.iter().enumerate();
        streams.map(|(place, stream)| judge(stream, &alarms(place))).collect()
    }

    /// What `generic` makes of each stream, with floors for each where there are any, and the units at the end.
    fn generic(&self, settings: &Settings, floors: &[Vec<Option<f64>>]) -> (Vec<Outcome>, Vec<Unit>) {
        let streams = self.streams.iter().zip(&self.blocks).enumerate();
        let live = streams.map(|(place, (stream, blocks))| {
            let settings = Settings {
                fleet_floors: floors.get(place).cloned().unwrap_or_default(),
                ..settings.clone()
            };
            let (alarms, unit) = live(stream.rows.len(), blocks, &self.channels, &settings);
            (judge(stream, &alarms), unit)
        });
        live.unzip()
    }

    /// For each stream, the floors that clean streams of other recordings show.
    fn floors_of_others(&self, units: &[Unit]) -> Vec<Vec<Option<f64>>> {
        let floors = |stream: &Stream| {
            let others = self.streams.iter().zip(units);
            let others = others.filter(|(of, _)| of.anomaly.is_none() && of.recording() != stream.recording());
            let wanders: Vec<_> = others.map(|(_, unit)| unit.wander(&self.channels)).collect();
            fleet_floors(self.channels.len(), &wanders, LEARNED_FROM_MIN)
        };
        self.streams.iter().map(floors).collect()
    }

    /// Rules that anybody has.
    fn beside(&self, table: &mut Table) {
        for (name, peer) in PEERS {
            let streams = self.streams.iter().zip(&self.blocks);
            let scores: Vec<Vec<f64>> = streams
                .map(|(s, blocks)| peers::scores(blocks, &self.channels, s.rows.len(), peer))
                .collect();
            if let Some((threshold, of)) = self.tuned(&scores) {
                table.add(name, &format!("{threshold:.2}, chosen here"), &of);
            }
        }
        let clock = (CLOCK_STEP..CLOCK_MAX).step_by(CLOCK_STEP).map(|row| {
            let alarms = |s: usize| (0..self.streams[s].rows.len()).map(|i| i >= row).collect();
            (row, Figures::of(&self.streams, &self.judged(alarms)))
        });
        if let Some((row, of)) = clock.max_by(|a, b| a.1.found.total_cmp(&b.1.found)) {
            table.add("a clock", &format!("row {row}, chosen here"), &of);
        }
        let always = self.judged(|s| vec![true; self.streams[s].rows.len()]);
        table.add("an alarm that always stands", "", &Figures::of(&self.streams, &always));
    }

    /// The lowest threshold by which few enough clean streams alarm.
    fn tuned(&self, scores: &[Vec<f64>]) -> Option<(f64, Figures)> {
        let clean = self.streams.iter().zip(scores).filter(|(s, _)| s.anomaly.is_none());
        let mut thresholds: Vec<f64> = clean
            .map(|(_, scores)| scores.iter().copied().fold(0.0, f64::max).next_up())
            .collect();
        thresholds.sort_by(f64::total_cmp);
        let at = |threshold: f64| {
            let alarms = |s: usize| scores[s].iter().map(|score| *score >= threshold).collect();
            (threshold, Figures::of(&self.streams, &self.judged(alarms)))
        };
        thresholds.into_iter().map(at).find(|(_, of)| of.keeps())
    }
}

/// Rows of the table of detectors.
struct Table {
    lines: Vec<String>,
    found: Vec<Found>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            lines: vec![
                "| detector | threshold | found | alarmed before the onset | clean streams that alarm | median delay |"
                    .to_owned(),
                format!("|{}", " --- |".repeat(6)),
            ],
            found: Vec::new(),
        }
    }
}

impl Table {
    fn add(&mut self, detector: &str, threshold: &str, of: &Figures) {
        let line = format!(
            "| {detector} | {threshold} | {:.2} of {} ({:.0} %) | {:.2} | {:.2} of {} ({:.1} %) | {:.0} s |",
            of.found,
            of.runs,
            100.0 * of.found / of.runs,
            of.early,
            of.clean_alarming,
            of.clean,
            100.0 * of.clean_alarming / of.clean,
            of.delay_s
        );
        println!("skab {line}");
        self.lines.push(line);
        let wrong = of.early + of.clean_alarming;
        self.found.push(Found {
            what: [detector, threshold].join(" ").trim_end().to_owned(),
            found: of.found,
            of: of.runs,
            wrong,
            watched: format!("{} streams", of.runs + of.clean),
            precision: Some(of.found / (of.found + wrong).max(f64::MIN_POSITIVE)),
        });
    }
}

/// The rows of one step.
pub struct Block {
    /// First row behind it: that is when it is judged.
    row: usize,
    means: Vec<Option<f64>>,
    after_gap: bool,
}

/// The steps of a stream that a row behind them ends.
fn blocks(rows: &[Row], channels: usize) -> Vec<Block> {
    let Some(start) = rows.first().map(|row| row.at) else {
        return Vec::new();
    };
    let number = |at: Timestamp| (at.duration_since(start).as_secs_f64() / PERIOD_S) as i64;
    let (mut begun, mut before) = (0, None);
    let mut blocks = Vec::new();
    for (row, of) in rows.iter().enumerate() {
        let step = number(rows[begun].at);
        if number(of.at) != step {
            blocks.push(Block {
                row,
                means: means(&rows[begun..row], channels),
                after_gap: before.is_some_and(|before| step - before > MISSING_MAX + 1),
            });
            (begun, before) = (row, Some(step));
        }
    }
    blocks
}

/// Whether an alarm stands after each row, and the unit at the end.
fn live(rows: usize, blocks: &[Block], channels: &[Channel], settings: &Settings) -> (Vec<bool>, Unit) {
    let mut unit = Unit::new(channels, settings);
    let mut alarms = vec![false; rows];
    for block in blocks {
        let step = unit.step(channels, settings, &block.means, block.after_gap, false);
        if let Step::Watching { alarm, .. } = step {
            alarms[block.row..].fill(alarm);
        }
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

    /// At most so many clean streams alarm as a rule may have.
    fn keeps(&self) -> bool {
        self.clean_alarming <= CLEAN_MOST * self.clean
    }
}
