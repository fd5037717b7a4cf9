//! Recordings of ordinary shape, most of which were once scored without a word and judged in no row.

use super::*;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;
use std::os::unix::fs::symlink;

const NAMES: &str = "datetime,Accelerometer1RMS,Accelerometer2RMS,Current,Pressure,Temperature,Thermocouple,Voltage,\
    Volume Flow RateRMS";
const CALIBRATE: u32 = 60;
const ROWS: i64 = 190;
/// From this row on the flow falls.
const FAULT_AT: i64 = 110;

/// The values of a row, as they are written.
fn values(n: i64) -> Vec<String> {
    let noise = |k: i64| ((n * 7_919 + k * 104_729) % 1_000) as f64 / 1_000.0 - 0.5;
    let lost = 0.1 * ((n - FAULT_AT) as f64 / 20.0).clamp(0.0, 1.0);
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
    values.map(|value| format!("{value:.4}")).to_vec()
}

fn line(second: i64, values: &[String]) -> String {
    let start: Timestamp = "2024-05-01T12:00:00Z".parse().unwrap();
    let at = start + SignedDuration::from_secs(second);
    format!("{},{}", at.strftime("%F %T"), values.join(","))
}

/// A row every so many seconds.
fn every(seconds: i64, rows: i64) -> Vec<String> {
    (0..rows).map(|n| line(n * seconds, &values(n))).collect()
}

/// A folder with `in.csv`, and the command for it.
fn recording(lines: &[String]) -> (tempfile::TempDir, Score) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.csv");
    let mut text = format!("{NAMES}\n");
    for line in lines {
        writeln!(text, "{line}").unwrap();
    }
    std::fs::write(&input, text).unwrap();
    let score = Score {
        family: "pump-rig".to_owned(),
        output: folder.path().join("out.csv"),
        input,
        calibrate: Some(CALIBRATE),
        models: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1"),
    };
    (folder, score)
}

/// Rows of the output, and how many of them bear an alarm; or the error, with all its causes.
fn scored(lines: &[String]) -> Result<(usize, usize), String> {
    let (folder, score) = recording(lines);
    let output = score.output.clone();
    let input = std::fs::read_to_string(&score.input).unwrap();
    let ran = score.run();
    assert_eq!(std::fs::read_to_string(folder.path().join("in.csv")).unwrap(), input);
    assert!(!folder.path().join("out.part").exists());
    match ran {
        Ok(()) => {
            let rows = std::fs::read_to_string(output).unwrap();
            let rows: Vec<&str> = rows.lines().skip(1).collect();
            let alarms = rows.iter().filter(|row| row.split(',').nth(2) == Some("1"));
            Ok((rows.len(), alarms.count()))
        }
        Err(error) => {
            assert!(!output.exists(), "nothing is written");
            Err(format!("{error:#}"))
        }
    }
}

#[test]
fn a_fault_is_found_in_whole_rows_and_in_one_row_for_each_channel() {
    let (rows, alarms) = scored(&every(1, ROWS)).unwrap();
    assert_eq!(rows, 190);
    assert!(alarms > 20, "{alarms}");
    let parts = (0..ROWS).flat_map(|n| {
        let all = values(n);
        (0..all.len()).map(move |k| {
            let mut one = vec![String::new(); all.len()];
            one[k].clone_from(&all[k]);
            line(n, &one)
        })
    });
    let parts: Vec<String> = parts.collect();
    let (rows, in_parts) = scored(&parts).unwrap();
    assert_eq!(rows, 8 * 190);
    // The first row that bears it is the last part of its second.
    assert_eq!(in_parts, 8 * alarms - 7);
}

#[test]
fn what_is_judged_in_no_row_fails_with_the_reason_and_writes_nothing() {
    let whole = every(1, ROWS);
    let newest_first: Vec<String> = whole.iter().rev().cloned().collect();
    let mut set_back = whole[..100].to_vec();
    set_back.extend((100..ROWS).map(|n| line(n - 600, &values(n))));
    let mut typo = whole.clone();
    typo[100] = typo[100].replacen("2024", "2025", 1);
    let deaf = (0..ROWS).map(|n| {
        let mut values = values(n);
        values[1..].iter_mut().for_each(String::clear);
        line(n, &values)
    });
    let table = [
        (
            newest_first,
            "line 3: time 2024-05-01 12:03:08 is earlier than 2024-05-01 12:03:09 in line 2",
        ),
        (
            set_back,
            "line 102: time 2024-05-01 11:51:40 is earlier than 2024-05-01 12:01:39 in line 101",
        ),
        (
            typo,
            "line 102: time 2025-05-01 12:01:40 is more than 300 days later than 2024-05-01 12:01:39 in line 101",
        ),
        (
            every(60, ROWS),
            "rows come every 60 s, and the model needs one every 5 s",
        ),
        (every(6, ROWS), "rows come every 6 s, and the model needs one every 5 s"),
        (whole[..50].to_vec(), "the baseline needs 60 rows"),
        (deaf.collect(), "7 of 8 channels have no value"),
        (Vec::new(), "the baseline needs 60 rows"),
    ];
    for (lines, why) in table {
        let error = scored(&lines).unwrap_err();
        assert!(error.contains(why), "{why} is not in {error}");
    }
}

/// Makes the output another name of the input.
type Named = fn(&Path, &Path);

#[test]
fn the_input_is_never_written_over_whatever_it_is_called() {
    let lines = every(1, ROWS);
    let names: [(&str, Named); 4] = [
        ("in.csv", |_, _| {}),
        ("soft.csv", |input, output| symlink(input, output).unwrap()),
        ("hard.csv", |input, output| std::fs::hard_link(input, output).unwrap()),
        // What is written first is the file with this ending.
        ("part.csv", |input, output| {
            std::fs::hard_link(input, output.with_extension("part")).unwrap();
        }),
    ];
    for (name, link) in names {
        let (folder, mut score) = recording(&lines);
        score.output = folder.path().join(name);
        link(&score.input, &score.output);
        let (input, before) = (score.input.clone(), std::fs::read(&score.input).unwrap());
        let error = format!("{:#}", score.run().unwrap_err());
        assert!(error.contains("is the input itself"), "{name}: {error}");
        assert_eq!(std::fs::read(&input).unwrap(), before, "{name}");
    }
}
