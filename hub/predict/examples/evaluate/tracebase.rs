//! Recorded power of household appliances without a fault, by family `generic`: what is watched, what not and why, and what
//! would have been opened. Every alarm is a false one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use hub_predict::generic::{Channel, Settings, Step, Unit};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::part::{Data, Evidence, Found, Part};

/// Seconds of one step.
const PERIOD_S: i64 = 900;
/// Steps that may be missing without a gap.
const MISSING_MAX: i64 = 3;
/// A minute is of a running appliance from this share on of the highest mean power of the recording, in place of the rated
/// power that its maker knows.
const RUNNING: f64 = 0.2;

struct Minute {
    at: Timestamp,
    mean_w: f64,
    max_w: f64,
}

pub fn evaluate(data: &Path) -> anyhow::Result<Part> {
    println!("tracebase: steps of {PERIOD_S} s of the minutes in which the appliance runs, unit floors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(data)?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    let (mut watched_days, mut opened) = (0.0, 0);
    let folder = data.file_name().unwrap_or_default().to_string_lossy();
    let name = |path: &PathBuf| format!("{folder}/{}", path.file_name().unwrap_or_default().to_string_lossy());
    let names = files.iter().map(name).collect();
    let mut lines = vec![
        String::new(),
        "| recording | steps | | opened |".to_owned(),
        format!("|{}", " --- |".repeat(4)),
    ];
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let of = watch(&minutes(path)?);
        let seen = of.last.as_ref().map_or(String::new(), said);
        lines.push(format!(
            "| {} | {} | {seen} | {} |",
            name.trim_end_matches(".csv.gz"),
            of.steps,
            of.opened.len()
        ));
        println!(
            "tracebase {:<40} {:>4} steps, {seen}; opened: {}",
            name.trim_end_matches(".csv.gz"),
            of.steps,
            of.opened.len()
        );
        for (at, what) in &of.opened {
            println!("  {at} {what}");
        }
        watched_days += of.watched as f64 * PERIOD_S as f64 / 86_400.0;
        opened += of.opened.len();
    }
    let said = format!(
        "Power of household appliances without a fault, in steps of {PERIOD_S} s of the minutes in which they run, floors of the table: {opened} \
         opened in {watched_days:.1} days' worth of steps watched, every one of them false."
    );
    println!("tracebase: {said}");
    lines.insert(0, said);
    Ok(Part {
        name: "tracebase",
        evidence: Evidence::Fleet,
        data: Data::Files(names),
        lines,
        found: vec![Found {
            what: "generic, tickets".into(),
            found: 0.0,
            of: 0.0,
            wrong: opened as f64,
            watched: format!("{watched_days:.1} days of running"),
            precision: None,
        }],
        bars: Vec::new(),
    })
}

#[derive(Default)]
struct Watched {
    steps: usize,
    watched: usize,
    last: Option<Step>,
    opened: Vec<(Timestamp, String)>,
}

fn channels() -> [Channel; 2] {
    [("mean", 1), ("highest", 0)].map(|(name, decimals)| Channel {
        name: name.into(),
        unit: "W".into(),
        decimals,
    })
}

fn watch(minutes: &[Minute]) -> Watched {
    let (channels, settings) = (channels(), Settings::default());
    let mut unit = Unit::new(&channels, &settings);
    let mut watched = Watched::default();
    let rated = minutes.iter().map(|minute| minute.mean_w).fold(0.0, f64::max);
    let (mut before, mut stands) = (None, false);
    for period in minutes.chunk_by(|a, b| number(a) == number(b)) {
        let running: Vec<&Minute> = period
            .iter()
            .filter(|minute| minute.mean_w >= RUNNING * rated)
            .collect();
        let Some(last) = running.last() else { continue };
        let count = running.len() as f64;
        let mean = |of: fn(&Minute) -> f64| Some(running.iter().map(|m| of(m)).sum::<f64>() / count);
        let values = [mean(|m| m.mean_w), mean(|m| m.max_w)];
        let step = number(last);
        let after_gap = before.is_some_and(|before| step - before > MISSING_MAX + 1);
        before = Some(step);
        let step = unit.step(&channels, &settings, &values, after_gap, stands);
        watched.steps += 1;
        if let Step::Watching {
            alarm,
            rose,
            score,
            slow_score,
            top,
            ..
        } = &step
        {
            watched.watched += 1;
            stands = *alarm;
            if *rose {
                let top: Vec<String> = top
                    .iter()
                    .map(|(i, z)| format!("{} {z:+.1}", channels[*i].name))
                    .collect();
                let what = format!("score {score:.2}, slow {slow_score:.2}, {}", top.join(", "));
                watched.opened.push((last.at, what));
            }
        }
        watched.last = Some(step);
    }
    watched
}

fn number(minute: &Minute) -> i64 {
    minute.at.as_second().div_euclid(PERIOD_S)
}

fn said(step: &Step) -> String {
    let name = |i: &usize| channels()[*i].name.clone();
    match step {
        Step::Watching { .. } => "watched".into(),
        Step::Calibrating {
            have,
            need,
            restarted_by,
        } => {
            let by = restarted_by
                .as_ref()
                .map_or(String::new(), |i| format!(", began again by {}", name(i)));
            format!("calibrating {have} of {need}{by}")
        }
        Step::CannotCalibrate { channel } => format!("not watched: {} goes from state to state", name(channel)),
    }
}

/// The rows of a file; `gzip` unpacks it.
fn minutes(path: &Path) -> anyhow::Result<Vec<Minute>> {
    let unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(path)
        .output()
        .context("cannot run gzip")?;
    ensure!(unpacked.status.success(), "cannot unpack {}", path.display());
    let mut csv = csv::Reader::from_reader(unpacked.stdout.as_slice());
    let minute = |row: (String, f64, f64, u32)| -> anyhow::Result<Minute> {
        let (t, mean_w, max_w, _) = row;
        let at = t.parse::<DateTime>()?.to_zoned(TimeZone::UTC)?.timestamp();
        Ok(Minute { at, mean_w, max_w })
    };
    csv.deserialize().map(|row| minute(row?)).collect()
}
