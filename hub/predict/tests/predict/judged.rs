//! Readings of ordinary shape: those that come in parts are judged as those that come whole, and of those that are not judged
//! it is told why.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{models, pump_rig, pump_rows, step, washing_rows};
use hub_core::watching::{Unjudged, WatchState, Watching};
use hub_predict::{Detector, Model, Pending, Row, Summary, Verdict, score_csv};
use jiff::{SignedDuration, Timestamp};

const CALIBRATE: u32 = 100;
const FAULT_AT: usize = 250;

/// Verdicts, with the detector restored after every reading if `restarts`.
fn verdicts(model: &Model, rows: &[Row], restarts: bool) -> (Vec<Verdict>, Detector) {
    let mut detector = Detector::with_calibration(model, CALIBRATE);
    let mut all = Vec::new();
    for row in rows {
        if restarts {
            detector = Detector::restore(model, &detector.checkpoint()).unwrap();
        }
        all.extend(step(&mut detector, model, row).unwrap());
    }
    (all, detector)
}

/// Each row as one reading a channel that has a value, a little apart, in an order that changes.
fn in_parts(rows: &[Row], apart_ms: i64) -> Vec<Row> {
    let parts = |(number, row): (usize, &Row)| -> Vec<Row> {
        let channels = row.values.len();
        let turned = (0..channels).map(|k| (k + number) % channels);
        let sent = turned.filter(|channel| row.values[*channel].is_some());
        let part = |(k, channel): (usize, usize)| {
            let mut values = vec![None; channels];
            values[channel] = row.values[channel];
            let at = row.at + SignedDuration::from_millis(apart_ms * k as i64);
            Row { at, values }
        };
        sent.enumerate().map(part).collect()
    };
    rows.iter().enumerate().flat_map(parts).collect()
}

#[test]
fn one_channel_a_message_is_judged_as_whole_messages_are() {
    let pump = pump_rig();
    let washing = Model::load(&models().join("washing-machine")).unwrap();
    let (of_pump, of_washing) = (pump_rows(&pump, 400, FAULT_AT), washing_rows(&washing, 60));
    // A row begins with what the model reads of it, and it does not read the room's temperature.
    let mut heard = of_washing.clone();
    heard.iter_mut().for_each(|row| row.values[6] = None);
    // Some messages are lost.
    let mut lossy = heard.clone();
    for (number, row) in lossy.iter_mut().enumerate() {
        if number % 7 == 3 {
            row.values[number % 10] = None;
        }
    }
    let cases = [
        (&pump, &of_pump, 0),
        (&pump, &of_pump, 70),
        (&washing, &of_washing, 0),
        (&washing, &heard, 800),
        (&washing, &lossy, 800),
    ];
    for (model, rows, apart_ms) in cases {
        let (expected, whole) = verdicts(model, rows, false);
        assert!(!expected.is_empty());
        let (told, parts) = verdicts(model, &in_parts(rows, apart_ms), false);
        assert!(told == expected, "{} apart by {apart_ms} ms", model.family());
        assert_eq!(parts.alarming(), whole.alarming());
    }
    let (expected, _) = verdicts(&pump, &of_pump, false);
    assert!(expected.iter().any(|verdict| verdict.alarm));
    assert!(verdicts(&pump, &in_parts(&of_pump, 70), true).0 == expected, "restarts");
}

/// The step is a programme run, and its rows come too seldom, or its channels too far apart.
#[test]
fn a_washing_machine_that_no_run_can_be_judged_of_is_not_watched() {
    let model = Model::load(&models().join("washing-machine")).unwrap();
    let rows = washing_rows(&model, 30);
    let sound = told(&model, &rows);
    assert_eq!((sound.state, sound.needs_ms), (WatchState::Calibrating, 60_000));
    assert!(sound.calibrated > 20, "{sound:?}");

    let mut seldom: Vec<Row> = rows.iter().step_by(30).cloned().collect();
    let last = seldom[seldom.len() - 1].at;
    let thin = told(&model, &seldom);
    assert_eq!((thin.state, thin.calibrated), (WatchState::TooSeldom, 0));
    seldom.extend(rows[..2_000].iter().map(|row| Row {
        at: row.at + last.duration_since(rows[0].at) + SignedDuration::from_mins(1),
        ..row.clone()
    }));
    let back = told(&model, &seldom);
    assert!(back.state == WatchState::Calibrating && back.calibrated > 0, "{back:?}");

    let slow = in_parts(&every(&rows[..600], 400), 35_000);
    let apart = told(&model, &slow);
    assert_eq!((apart.state, apart.channels), (WatchState::ChannelsMissing, 9));
    assert!((5..9).contains(&apart.missing), "{apart:?}");
}

#[test]
fn a_late_part_of_a_row_that_was_judged_changes_nothing() {
    let model = pump_rig();
    let rows = pump_rows(&model, 400, FAULT_AT);
    let mut disturbed = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        disturbed.push(row.clone());
        // What came before comes once more, and older still.
        disturbed.extend(number.checked_sub(3).map(|before| rows[before].clone()));
        disturbed.push(row.clone());
    }
    let (told, detector) = verdicts(&model, &disturbed, true);
    assert!(told == verdicts(&model, &rows, false).0);
    let counted = detector.watching(&model).unjudged;
    assert_eq!(counted[&Unjudged::Repeated], 400);
    assert_eq!(counted[&Unjudged::Unordered], 397);
    assert_eq!(detector.watching(&model).state, WatchState::Watched);
}

#[test]
fn a_channel_that_never_comes_is_waited_for_a_while_and_then_no_longer() {
    let model = pump_rig();
    let mut rows = pump_rows(&model, 400, FAULT_AT);
    rows.iter_mut().for_each(|row| row.values[3] = None);
    let (expected, _) = verdicts(&model, &rows, false);
    let (told, detector) = verdicts(&model, &in_parts(&rows, 0), false);
    assert!(told == expected);
    assert_eq!(told.last().unwrap().at, rows.last().unwrap().at, "not behind by a row");
    let told = detector.watching(&model);
    assert_eq!((told.state, told.missing, told.channels), (WatchState::Watched, 1, 8));
}

#[test]
fn one_reading_ahead_of_the_hubs_clock_moves_nothing() {
    let model = pump_rig();
    let rows = pump_rows(&model, 400, FAULT_AT);
    let (expected, _) = verdicts(&model, &rows, false);
    let mut detector = Detector::with_calibration(&model, CALIBRATE);
    let mut judge = |row: &Row, received_at: Timestamp| -> Vec<Verdict> {
        let taken = detector.take(&model, row, received_at);
        let windows: Vec<_> = taken.steps.iter().filter_map(Pending::window).collect();
        let mut made = model.reconstruct(&windows).unwrap().into_iter();
        let conclude = |p: Pending| {
            let made = p.window().and_then(|_| made.next());
            detector.conclude(&model, p, made)
        };
        taken.steps.into_iter().map(conclude).collect()
    };
    let mut told = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        if [0, 120, 260].contains(&number) {
            let at = row.at + SignedDuration::from_secs(570);
            told.extend(judge(&Row { at, ..row.clone() }, row.at));
        }
        told.extend(judge(row, row.at));
    }
    assert!(told == expected);
    assert_eq!(
        detector.watching(&model).unjudged,
        BTreeMap::from([(Unjudged::Ahead, 3)])
    );
}

/// What is told of an appliance after these rows.
fn told(model: &Model, rows: &[Row]) -> Watching {
    verdicts(model, rows, false).1.watching(model)
}

fn every(rows: &[Row], seconds: i64) -> Vec<Row> {
    let at = |n: usize| rows[0].at + SignedDuration::from_secs(n as i64 * seconds);
    let moved = |(n, row): (usize, &Row)| Row {
        at: at(n),
        values: row.values.clone(),
    };
    rows.iter().enumerate().map(moved).collect()
}

#[test]
fn every_state_is_reached_and_left() {
    let model = pump_rig();
    let rows = pump_rows(&model, 900, usize::MAX);
    assert_eq!(Detector::new(&model).watching(&model).state, WatchState::NoReadings);
    let state = |rows: &[Row]| told(&model, rows).state;
    let calibrating = told(&model, &rows[..61]);
    assert_eq!(
        (calibrating.state, calibrating.calibrated, calibrating.calibration),
        (WatchState::Calibrating, 61, 100)
    );
    assert_eq!(calibrating.since, Some(rows[0].at));
    // The first window is still filling.
    assert_eq!(state(&rows[..125]), WatchState::Calibrating);
    let watched = told(&model, &rows[..140]);
    assert_eq!((watched.state, watched.unjudged.len()), (WatchState::Watched, 0));
    // A silence changes nothing.
    let mut silent = rows[..300].to_vec();
    silent.drain(150..200);
    assert_eq!(state(&silent), WatchState::Watched);

    for seconds in [6, 60] {
        let seldom = told(&model, &every(&rows[..40], seconds));
        assert_eq!(seldom.state, WatchState::TooSeldom);
        assert_eq!((seldom.every_ms, seldom.needs_ms), (seconds as u64 * 1_000, 5_000));
    }
    let mut back = every(&rows[..150], 60);
    let last = back[149].at;
    back.extend(every(&rows[150..], 1).into_iter().enumerate().map(|(n, row)| Row {
        at: last + SignedDuration::from_secs(n as i64 + 1),
        ..row
    }));
    assert_eq!(state(&back), WatchState::Watched);

    let mut deaf = rows[..200].to_vec();
    deaf.iter_mut().for_each(|row| row.values[1..].fill(None));
    let missing = told(&model, &deaf);
    assert_eq!(
        (missing.state, missing.missing, missing.channels),
        (WatchState::ChannelsMissing, 7, 8)
    );
    deaf.extend_from_slice(&rows[200..400]);
    assert_eq!(state(&deaf), WatchState::Watched);

    // The clock is set back by ten minutes.
    let mut set_back = rows[..700].to_vec();
    let moved = rows[700..800].iter().map(|row| Row {
        at: row.at - SignedDuration::from_mins(10),
        ..row.clone()
    });
    set_back.extend(moved);
    let passed = told(&model, &set_back);
    assert_eq!(
        (passed.state, passed.unjudged[&Unjudged::Unordered]),
        (WatchState::TimesPassed, 100)
    );
    set_back.extend_from_slice(&rows[800..]);
    assert_eq!(state(&set_back), WatchState::Watched);
}

/// What is told along these rows, each time that it changes.
fn tellings(model: &Model, rows: &[Row]) -> Vec<Watching> {
    let mut detector = Detector::with_calibration(model, CALIBRATE);
    let (mut before, mut told) = (None, Vec::new());
    for row in rows {
        step(&mut detector, model, row).unwrap();
        if detector.watch_state() != before {
            before = detector.watch_state();
            told.push(detector.watching(model));
        }
    }
    told
}

#[test]
fn a_channel_that_came_back_is_missing_no_longer() {
    let model = pump_rig();
    let mut rows = pump_rows(&model, 900, usize::MAX);
    rows[200..260].iter_mut().for_each(|row| row.values[3] = None);
    let mut told = tellings(&model, &rows);
    told.retain(|told| told.state == WatchState::Watched);
    let missing: Vec<u32> = told.iter().map(|told| told.missing).collect();
    assert_eq!(missing, [0, 1, 0]);
}

#[test]
fn channels_that_come_seldom_do_not_change_the_state_with_each_of_their_values() {
    let model = pump_rig();
    let mut rows = pump_rows(&model, 900, usize::MAX);
    for (number, row) in rows.iter_mut().enumerate() {
        if !number.is_multiple_of(30) {
            row.values[4..].fill(None);
        }
    }
    let mut states: Vec<WatchState> = tellings(&model, &rows).iter().map(|told| told.state).collect();
    states.dedup();
    assert_eq!(states, [WatchState::Calibrating, WatchState::ChannelsMissing]);
}

#[test]
fn several_states_in_the_calibration_are_told() {
    let model = pump_rig();
    let mut rows = pump_rows(&model, 200, usize::MAX);
    assert!(!told(&model, &rows).several_states);
    // The pump stands still in the second half.
    for row in &mut rows[50..100] {
        row.values[2] = Some(0.1);
        row.values[7] = Some(0.0);
    }
    assert!(told(&model, &rows).several_states);
}

/// The text of a file with these rows, in this order.
fn file(model: &Model, rows: &[Row]) -> String {
    crate::common::csv_text(model, rows, ",")
}

fn summary(model: &Arc<Model>, text: &str) -> Summary {
    let mut output = Vec::new();
    let summary = score_csv(text.as_bytes(), &mut output, model, CALIBRATE).unwrap();
    assert_eq!(String::from_utf8(output).unwrap().lines().count(), text.lines().count());
    summary
}

#[test]
fn a_summary_says_what_came_of_each_row() {
    let model = Arc::new(pump_rig());
    let rows = pump_rows(&model, 400, FAULT_AT);
    let whole = summary(&model, &file(&model, &rows));
    assert_eq!((whole.rows, whole.calibrating), (400, 105));
    assert_eq!((whole.alarms, whole.nothing_judged()), (1, None));
    assert!(whole.unjudged.is_empty() && whole.out_of_range.is_empty());
    assert_eq!(whole.first_alarm.as_ref().unwrap().0, "flow_loss");
    let (highest, _) = whole.highest.clone().unwrap();
    assert!(highest > 1.0);

    let parts = summary(&model, &file(&model, &in_parts(&rows, 0)));
    assert_eq!((parts.rows, parts.unjudged[&Unjudged::Joined].count), (3_200, 2_800));
    assert_eq!(parts.unjudged[&Unjudged::Joined].first_line, 2);
    assert_eq!(
        (parts.steps, parts.judged, parts.alarms, &parts.highest),
        (whole.steps, whole.judged, 1, &whole.highest)
    );

    let mut odd = rows.clone();
    odd[30].values.fill(None);
    odd.insert(41, rows[40].clone());
    let mut text = file(&model, &odd);
    let third = text.lines().nth(3).unwrap().to_owned();
    let mut fields: Vec<&str> = third.split(',').collect();
    fields[4] = "9000000";
    text = text.replacen(&third, &fields.join(","), 1);
    let told = summary(&model, &text);
    let found = |why| (told.unjudged[&why].count, told.unjudged[&why].first_line);
    assert_eq!(
        (found(Unjudged::NoValue), found(Unjudged::Repeated)),
        ((1, 32), (1, 43))
    );
    let range = told.out_of_range.iter().next().unwrap();
    assert_eq!((range.0.as_str(), range.1.count, range.1.first_line), ("Current", 1, 4));
    let lines = told.to_string();
    for line in [
        "rows           401",
        "calibrated     yes, 100 of 100",
        "1 of a time that came before, first in line 43",
    ] {
        assert!(lines.contains(line), "{line} is not in\n{lines}");
    }
}

#[test]
fn the_last_row_of_a_file_waits_for_nothing() {
    let model = Arc::new(pump_rig());
    let mut rows = pump_rows(&model, 351, FAULT_AT);
    rows[349].values[3] = None;
    // In a hub it waits for the reading behind it.
    let (expected, _) = verdicts(&model, &rows, false);
    let expected = expected.iter().find(|verdict| verdict.at == rows[349].at).unwrap();
    let mut output = Vec::new();
    let told = score_csv(file(&model, &rows[..350]).as_bytes(), &mut output, &model, CALIBRATE).unwrap();
    let output = String::from_utf8(output).unwrap();
    let last: Vec<&str> = output.lines().last().unwrap().split(',').collect();
    assert_eq!(
        last[1..3],
        [format!("{:.6}", expected.score), u8::from(expected.alarm).to_string()]
    );
    assert!(expected.alarm && told.unjudged.is_empty(), "{told}");
    assert_eq!(told.steps, summary(&model, &file(&model, &rows)).steps - 1);
    // The same where its channels come one by one.
    let parts = summary(&model, &file(&model, &in_parts(&rows[..350], 0)));
    assert_eq!((parts.steps, parts.rows), (told.steps, 2_799));
    assert_eq!(parts.unjudged[&Unjudged::Joined].count, 2_799 - 350);
}

#[test]
fn what_was_not_judged_at_all_is_said_with_the_reason() {
    let model = Arc::new(pump_rig());
    let rows = pump_rows(&model, 190, usize::MAX);
    let mut deaf = rows.clone();
    deaf.iter_mut().for_each(|row| row.values[1..].fill(None));
    let inputs = [
        (rows[..50].to_vec(), "needs 100 rows"),
        (every(&rows, 60), "every 60 s, and the model needs one every 5 s"),
        (every(&rows, 6), "every 6 s"),
        (rows[..110].to_vec(), "too few steps in a row"),
    ];
    for (rows, why) in inputs {
        let told = summary(&model, &file(&model, &rows)).nothing_judged();
        assert!(told.as_ref().is_some_and(|told| told.contains(why)), "{why}: {told:?}");
    }
    let told = summary(&model, &file(&model, &deaf));
    assert_eq!(told.nothing_judged().as_deref(), Some("7 of 8 channels have no value"));
    assert_eq!(
        told.unheard.map(|found| found.count),
        Some(told.steps - told.calibrating - 31)
    );
    let empty = summary(&model, &file(&model, &[]));
    assert!(empty.nothing_judged().is_some());
}

#[test]
fn times_that_go_back_or_leap_are_an_error_with_line_and_both_times() {
    let model = Arc::new(pump_rig());
    let rows = pump_rows(&model, 5, usize::MAX);
    let refused = |rows: &[Row]| {
        let told = score_csv(file(&model, rows).as_bytes(), Vec::new(), &model, CALIBRATE);
        told.unwrap_err().to_string()
    };
    let newest_first: Vec<Row> = rows.iter().rev().cloned().collect();
    let told = refused(&newest_first);
    for piece in [
        "line 3: time 2023-11-14 22:13:24 is earlier",
        "2023-11-14 22:13:25 in line 2",
    ] {
        assert!(told.contains(piece), "{piece} is not in {told}");
    }
    let mut typo = rows.clone();
    typo[2].at += SignedDuration::from_hours(24 * 365);
    let told = refused(&typo);
    for piece in [
        "line 4: time 2024-11-13 22:13:23",
        "later than 2023-11-14 22:13:22 in line 3",
    ] {
        assert!(told.contains(piece), "{piece} is not in {told}");
    }
}
