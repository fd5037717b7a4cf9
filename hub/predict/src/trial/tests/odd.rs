//! Files with something odd in them.

use super::*;

#[test]
fn a_column_of_dates_of_times_of_day_or_of_firmware_is_no_device() {
    for (heading, value) in [
        ("day", "2025-01-01"),
        ("clock", "08:00"),
        ("firmware", "v2.1"),
        ("updated", "rev2"),
    ] {
        let rows: Vec<String> = pumps()[..1_440]
            .iter()
            .enumerate()
            .map(|(n, row)| {
                let value = value.replace('1', if n < 700 { "1" } else { "2" }).replace('8', "9");
                let value = if n < 700 { value } else { value.replace('2', "3") };
                format!("{},{value}", row.split_once(',').unwrap().1)
            })
            .collect();
        let report = tried(&text(&format!("time,flow,current,motor,{heading}"), &rows));
        assert_eq!(report.quality.device_found_by, DeviceBy::None, "{heading}");
    }
}

#[test]
fn names_that_are_the_same_without_brackets_keep_them() {
    let report = |heading| tried(&text(heading, &pumps()[..1_440]));
    let names = |report: &Report| -> Vec<(String, String)> {
        let channels = report.quality.channels.iter();
        channels
            .map(|channel| (channel.name.clone(), channel.unit.clone()))
            .collect()
    };
    let pair = |name: &str, unit: &str| (name.to_owned(), unit.to_owned());
    let found = names(&report("device,time,temp (inlet),temp (outlet),T [Cel]"));
    assert_eq!(
        found,
        [pair("temp (inlet)", ""), pair("temp (outlet)", ""), pair("T", "Cel")]
    );
    let found = names(&report("device,time,T[1],T[2],T"));
    assert_eq!(found, [pair("T[1]", ""), pair("T[2]", ""), pair("T", "")]);
    let export = text("device,time,T [Cel],T [A],b", &pumps()[..1_440]);
    assert_eq!(names(&tried(&export))[0], pair("T [Cel]", "Cel"));
    let named = try_export("e.csv", export.as_bytes(), None::<&[u8]>, Some("T [A]")).unwrap();
    assert_eq!(named.running.unwrap().channel, "T [A]");
}

#[test]
fn a_stray_quotation_mark_fails_with_its_line() {
    let mut rows = pumps();
    rows.truncate(200);
    rows[50] = rows[50].replacen(",2025", ",\"2025", 1);
    let error = refused(&text(HEADING, &rows));
    assert!(error.contains("line 52") && error.contains("quotation mark"), "{error}");
}

#[test]
fn a_channel_around_zero_is_watched_only_by_a_unit_that_is_known() {
    let rows: Vec<String> = pumps()[..1_440]
        .iter()
        .enumerate()
        .map(|(n, row)| format!("{row},{}", (n * 7_919 % 1_000) as f64 / 100.0 - 5.0))
        .collect();
    let lacking = |unit: &str| {
        let report = tried(&text(&format!("{HEADING},pitch [{unit}]"), &rows));
        let one = report.devices.into_iter().next().unwrap();
        let of = |lacking: &report::Lacking| (lacking.channel.clone(), lacking.why);
        one.lacking.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(lacking("deg"), [("pitch".to_owned(), Lack::AroundZero)]);
    assert!(lacking("Cel").is_empty());
}

#[test]
fn what_follows_the_time_of_day_is_watched_in_steps_of_a_day_alone() {
    assert!(!report::is_watched(Kind::Daily, 43_200.0));
    assert!(report::is_watched(Kind::Daily, 86_400.0));
}

#[test]
fn a_wrong_year_is_no_end_of_a_recording() {
    // One row a step, so that none is thin.
    let mut rows: Vec<String> = pumps()[..1_440].iter().step_by(6).cloned().collect();
    rows[100] = rows[100].replacen("2025", "2031", 1);
    rows[3] = rows[3].replacen("2025", "1999", 1);
    let to = tried(&text(HEADING, &rows)).devices[0].to.unwrap();
    assert!(to > day(DAYS - 1) && to < day(DAYS), "{to}");
}

#[test]
fn a_message_lists_names_that_can_be_seen_and_not_all_of_them() {
    let wide: String = (0..40).map(|n| format!(",c{n}\u{1b}[31m")).collect();
    let error = refused(&format!("time{wide}\n2025-01-01{}\n", ",x".repeat(40)));
    assert!(!error.contains('\u{1b}') && error.contains("and 11 more"), "{error}");
    assert!(error.contains("c28") && !error.contains("c30"), "{error}");
}

#[test]
fn a_day_that_is_none_leaves_out_its_row_alone() {
    let report = tried("device,time,a\np1,30/01/2025,1\np1,31/02/2025,2\np1,03/02/2025,3\n");
    assert_eq!(report.quality.rows_read, 2);
    let refusal = &report.quality.refused[0];
    assert_eq!((refusal.reason, refusal.first_line), (Refused::Time, 3));
}

#[test]
fn forty_steps_teach_and_one_more_is_compared() {
    // Hours that a step of the usual interval takes one by one.
    let rows: Vec<String> = pumps()[..40].to_vec();
    assert_eq!(
        tried(&text(HEADING, &rows)).devices[0].watch,
        Watch::TooFewSteps { have: 40, need: 41 }
    );
}

#[test]
fn a_channel_without_a_value_tells_nothing() {
    let rows: Vec<String> = pumps()[..1_440].iter().map(|row| format!("{row},")).collect();
    let export = text(&format!("{HEADING},runs"), &rows);
    let error = try_export("e.csv", export.as_bytes(), None::<&[u8]>, Some("runs")).unwrap_err();
    assert!(error.to_string().contains("it has no value"), "{error}");
}

#[test]
fn a_value_beyond_any_measurement_is_unreadable() {
    let mut rows = pumps()[..1_440].to_vec();
    rows[7] = "pump-01,2025-01-01T07:00:00Z,1e300,0.9,61.0".to_owned();
    let flow = &tried(&text(HEADING, &rows)).quality.channels[0];
    assert_eq!((flow.unreadable, flow.first_unreadable_line), (1, Some(9)));
    assert!(flow.highest.unwrap() < 40.0 && flow.decimals == 2, "{flow:?}");
}
