//! Exports as makers have them: how they are read, and what becomes of them.

use super::report::{Lack, Watch};
use super::*;
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

mod odd;
mod visits;

const HEADING: &str = "device,time,flow [l/min],current [A],motor (°C)";
const DAYS: i64 = 60;
const FAULT_DAY: i64 = 35;
const SERVICE_DAY: i64 = 55;
const FAULTY: &str = "pump-07";

fn start() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().unwrap()
}

fn day(days: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * days)
}

/// An hour of a pump, without its name: one of them loses flow and draws more current until it is serviced.
fn row(hour: i64, is_faulty: bool, random: &mut ChaCha8Rng) -> String {
    let mut around = |mean: f64, spread: f64| mean + spread * (random.random::<f64>() + random.random::<f64>() - 1.0);
    let days = hour as f64 / 24.0;
    let is_worn = is_faulty && hour < 24 * SERVICE_DAY;
    let worn = if is_worn {
        (days - FAULT_DAY as f64).max(0.0)
    } else {
        0.0
    };
    let at = start() + SignedDuration::from_hours(hour);
    let (flow, current) = (
        around(32.0, 0.4) * (1.0 - 0.01 * worn),
        around(0.9, 0.05) * (1.0 + 0.02 * worn),
    );
    format!("{at},{flow:.2},{current:.3},{:.1}", around(61.0, 1.0))
}

/// Ten pumps, hour by hour, one after the other.
fn pumps() -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let rows = (1..=10).flat_map(|pump| (0..24 * DAYS).map(move |hour| (format!("pump-{pump:02}"), hour)));
    let row = |(name, hour): (String, i64)| format!("{name},{}", row(hour, name == FAULTY, &mut random));
    rows.map(row).collect()
}

fn text(heading: &str, rows: &[String]) -> String {
    let mut text = format!("{heading}\n");
    for row in rows {
        writeln!(text, "{row}").unwrap();
    }
    text
}

fn tried(export: &str) -> Report {
    try_export("export.csv", export.as_bytes(), None::<&[u8]>, None).unwrap()
}

fn refused(export: &str) -> String {
    let error = try_export("export.csv", export.as_bytes(), None::<&[u8]>, None).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}

#[test]
fn a_fault_is_opened_before_its_service_and_nothing_else() {
    let services = format!(
        "machine;serviced on\n{FAULTY};{}\npump-99;2025-02-01\n",
        day(SERVICE_DAY).strftime("%Y-%m-%d")
    );
    let export = text(HEADING, &pumps());
    let report = try_export("pumps.csv", export.as_bytes(), Some(services.as_bytes()), None).unwrap();
    assert_eq!(report.quality.rows_read, 14_400);
    assert_eq!(report.watched().count(), 10);
    assert_eq!(report.step.period_s, 21_600.0);
    for device in &report.devices {
        assert_eq!(device.openings.len(), usize::from(device.name == FAULTY), "{device:?}");
        assert_eq!(device.plot.is_some(), device.name == FAULTY, "{}", device.name);
        assert_eq!(device.baselines.len(), 3);
    }
    let found = services_of(&report);
    assert_eq!(
        (found.found.count, found.found.of, found.missed, found.unknown_devices),
        (1, 1, 0, 1)
    );
    assert_eq!(
        (found.followed.count, found.without_service, found.too_early),
        (1, 0, 0)
    );
    let lead = found.lead_days_median.unwrap();
    assert!((10.0..20.0).contains(&lead), "{lead}");
    let faulty = report.devices.iter().find(|device| device.name == FAULTY).unwrap();
    let opening = &faulty.openings[0];
    assert!(opening.at > day(FAULT_DAY) && opening.at < day(SERVICE_DAY));
    let flow = opening.moved.iter().find(|moved| moved.channel == "flow").unwrap();
    assert!(flow.floors < -1.0 && flow.now.unwrap() < flow.normal && flow.unit == "l/min");
    assert!(report.rates.device_months > 10.0);
    assert_eq!(report.rates.opened.as_ref().unwrap().count, 1);
    // No opening of sixty days can be over.
    assert!(report.rates.without_service.is_none());
}

fn services_of(report: &Report) -> &report::Services {
    report.services.as_ref().unwrap()
}

#[test]
fn without_service_dates_nothing_is_said_of_them() {
    let report = tried(&text(HEADING, &pumps()[..2_880]));
    assert!(report.services.is_none() && report.rates.without_service.is_none());
    assert!(report.devices.iter().all(|device| device.openings.is_empty()));
    // The course of the highest score is shown, so that a person sees what quiet looks like.
    assert_eq!(report.devices.iter().filter(|device| device.plot.is_some()).count(), 1);
}

#[test]
fn a_service_that_nothing_preceded_is_missed_and_an_opening_without_one_is_counted() {
    let export = text(HEADING, &pumps());
    let services = "device,date\npump-02,2025-02-20\npump-03,2025-01-03\n";
    let report = try_export("pumps.csv", export.as_bytes(), Some(services.as_bytes()), None).unwrap();
    let found = services_of(&report);
    assert_eq!(
        (found.found.count, found.found.of, found.missed, found.not_watched),
        (0, 1, 1, 1)
    );
    // Its sixty days are not over at the end of the recording.
    assert_eq!((found.too_early, found.followed.of), (1, 0));
}

/// The same export, written in another way, is judged the same.
#[test]
fn neighbours_of_the_plain_file_give_the_same_report() {
    let rows = pumps();
    let plain = text(HEADING, &rows);
    let expected = judged(&tried(&plain));
    let mut newest_first = rows.clone();
    newest_first.reverse();
    let mut mixed = rows.clone();
    mixed.sort_by_key(|row| row.split(',').nth(1).map(str::to_owned));
    let unix = |row: &String| {
        let (name, rest) = row.split_once(',').unwrap();
        let (at, rest) = rest.split_once(',').unwrap();
        format!("{name},{},{rest}", at.parse::<Timestamp>().unwrap().as_second())
    };
    let with_semicolons = plain.replace(',', ";");
    let cases = [
        ("semicolons", with_semicolons.clone()),
        ("decimal comma", with_semicolons.replace('.', ",")),
        ("tabs", plain.replace(',', "\t")),
        ("byte-order mark", format!("\u{feff}{plain}")),
        ("sep=", format!("sep=;\n{with_semicolons}")),
        ("newest first", text(HEADING, &newest_first)),
        ("devices mixed", text(HEADING, &mixed)),
        ("Unix time", text(HEADING, &rows.iter().map(unix).collect::<Vec<_>>())),
        ("serial number", plain.replacen("device", "Serial No.", 1)),
        ("device by shape", plain.replacen("device", "where", 1)),
        ("time by shape", plain.replacen("time", "at", 1)),
        (
            "every row twice",
            text(
                HEADING,
                &rows
                    .iter()
                    .flat_map(|row| [row.clone(), row.clone()])
                    .collect::<Vec<_>>(),
            ),
        ),
    ];
    for (name, export) in cases {
        assert_eq!(judged(&tried(&export)), expected, "{name}");
    }
}

/// What was opened, by device.
fn judged(report: &Report) -> Vec<(String, Vec<Timestamp>)> {
    let of = |device: &DeviceReport| {
        (
            device.name.clone(),
            device.openings.iter().map(|opening| opening.at).collect(),
        )
    };
    report.devices.iter().map(of).collect()
}

#[test]
fn rows_are_refused_one_by_one_with_the_line_of_the_first() {
    let mut rows = pumps();
    rows.truncate(1_440);
    rows[10] = rows[10].replacen("2025", "yesterday 2025", 1);
    rows[20].push_str(",7");
    rows[30] = format!(",{}", rows[30].split_once(',').unwrap().1);
    rows[40] = "pump-01,2025-01-02 16:00:00,NaN,,-".to_owned();
    rows[50] = rows[50].replacen("pump-01,2025-01-03T02:00:00Z,", "pump-01,2025-01-03T02:00:00Z,error", 1);
    rows.push(rows[99].clone());
    let report = tried(&text(HEADING, &rows));
    let refusals: Vec<(Refused, usize, usize)> = report
        .quality
        .refused
        .iter()
        .map(|refusal| (refusal.reason, refusal.count, refusal.first_line))
        .collect();
    let expected = [
        (Refused::Fields, 1, 22),
        (Refused::Time, 1, 12),
        (Refused::NoDevice, 1, 32),
        (Refused::NoValue, 1, 42),
    ];
    assert_eq!(refusals, expected);
    let flow = &report.quality.channels[0];
    assert_eq!((flow.unreadable, flow.first_unreadable_line), (1, Some(52)));
    let device = &report.quality.devices[0];
    assert_eq!(
        (device.duplicates, device.back, device.first_back_line),
        (1, 1, Some(1_442))
    );
    assert_eq!(device.rows, 1_436);
}

#[test]
fn what_cannot_be_read_for_certain_is_refused_with_what_to_do() {
    let cases = [
        (
            "device,time,a\np1,01/02/2025 10:00,1\np1,02/03/2025 10:00,2\n",
            "day/month or month/day",
        ),
        ("device,a\np1,1\n", "no time column"),
        ("device,time,state\np1,2025-01-01,warm\n", "no column holds numbers"),
        ("device,time,a,a\np1,2025-01-01,1,1\n", "is there twice"),
        (
            "device,time,channel,value\np1,2025-01-01,flow,1\np1,2025-01-01,current,2\n",
            "names the channel of each row",
        ),
        ("device,time,a\np1,10:00,1\n", "no date"),
        ("device,time,a\n", "no row"),
        ("PK\u{3}\u{4}", "spreadsheet"),
    ];
    for (export, words) in cases {
        let error = refused(export);
        assert!(error.contains(words), "{words} is not in {error}");
    }
    let wide = format!(
        "device,time{}\np1,2025-01-01{}\n",
        (0..65).map(|n| format!(",c{n}")).collect::<String>(),
        ",1".repeat(65)
    );
    assert!(refused(&wide).contains("65 columns of numbers"));
    let error = Dates::read("date,part\n2025-01-01,seal\n".as_bytes()).err().unwrap();
    assert!(error.to_string().contains("which device was serviced"), "{error}");
}

/// In the code page of a spreadsheet, which could be read as another one.
#[test]
fn an_encoding_is_told_by_names_and_units() {
    let export = text("Gerät;Zeit;Öl (°C)", &["p1;2025-01-01 00:00;61,5".to_owned()]);
    let bytes: Vec<u8> = export.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let report = try_export("e.csv", bytes.as_slice(), None::<&[u8]>, None).unwrap();
    let channel = &report.quality.channels[0];
    assert_eq!(
        (channel.name.as_str(), channel.floor_unit.as_deref()),
        ("Öl", Some("Cel"))
    );
    assert_eq!(report.quality.device_column.as_deref(), Some("Gerät"));
}

#[test]
fn a_file_without_devices_is_of_one_device_that_has_the_files_name() {
    let rows: Vec<String> = pumps()[..1_440]
        .iter()
        .map(|row| format!("{},yes", row.split_once(',').unwrap().1))
        .collect();
    let report = tried(&text("time,flow,current,motor,simulated", &rows));
    assert_eq!(report.quality.device_found_by, DeviceBy::None);
    assert_eq!(report.devices[0].name, "export");
    assert_eq!(report.quality.text_columns, ["simulated"]);
}

#[test]
fn every_kind_of_channel_is_told_from_the_others() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let rows: Vec<String> = (0..24 * 40)
        .map(|hour| {
            let mut around = |mean: f64, spread: f64| mean + spread * (random.random::<f64>() - 0.5);
            let at = start() + SignedDuration::from_hours(hour);
            let sun = 5.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
            let (flow, room, lamp) = (around(30.0, 1.0), around(21.0, 3.0), around(9.0 + sun, 1.0));
            let label = usize::from(hour > 900);
            format!(
                "p1,{at},{flow:.2},7,,{room:.1},{lamp:.2},{hour},{},ok,{label}",
                hour % 2
            )
        })
        .collect();
    let heading = "device,time,flow,fixed,nothing,ambient temp,light,starts,valve,state,anomaly";
    let report = tried(&text(heading, &rows));
    let kinds: Vec<Kind> = report.quality.channels.iter().map(|channel| channel.kind).collect();
    let expected = [
        Kind::Measured,
        Kind::Constant,
        Kind::Empty,
        Kind::Ambient,
        Kind::Daily,
        Kind::Counter,
        Kind::TwoValued,
        Kind::Label,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        report
            .watched_channels()
            .map(|channel| channel.name.as_str())
            .collect::<Vec<_>>(),
        ["flow"]
    );
    assert_eq!(report.watched().count(), 1);
}

#[test]
fn what_cannot_be_watched_says_why() {
    let few = text(HEADING, &pumps()[..30]);
    let report = tried(&few);
    assert_eq!(report.devices[0].watch, Watch::TooFewSteps { have: 30, need: 41 });
    assert_eq!(report.watched().count(), 0);

    let mut rows = pumps();
    rows.truncate(2 * 1_440);
    // One of the two sends three times in all.
    rows.retain(|row| row.starts_with("pump-01") || row.contains("T00:00:00Z") && row.contains("-03"));
    let seldom = &tried(&text(HEADING, &rows)).devices[1];
    assert!(matches!(seldom.watch, Watch::TooSeldom { .. }), "{seldom:?}");

    let stuck: Vec<String> = pumps()[..2 * 1_440]
        .iter()
        .map(|row| match row.strip_prefix("pump-02") {
            Some(_) => format!("{},61.0", row.rsplit_once(',').unwrap().0),
            None => row.clone(),
        })
        .collect();
    let report = tried(&text(HEADING, &stuck));
    assert_eq!(report.quality.channels[2].stuck_devices, 1);
    let lacking = &report.devices[1].lacking;
    assert_eq!((lacking[0].channel.as_str(), lacking[0].why), ("motor", Lack::Stuck));

    let states: Vec<String> = pumps()[..1_440]
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let warm = if n / 36 % 2 == 0 { 20 } else { 90 };
            format!("{},{warm}.{}", row.rsplit_once(',').unwrap().0, n % 7)
        })
        .collect();
    let several = &tried(&text(HEADING, &states)).devices[0];
    let lacking = (several.lacking[0].channel.as_str(), several.lacking[0].why);
    assert_eq!(
        (&several.watch, lacking),
        (&Watch::Watched, ("motor", Lack::SeveralStates))
    );
    let alone = |row: &String| {
        let fields: Vec<&str> = row.split(',').collect();
        format!("{},{},{}", fields[0], fields[1], fields[4])
    };
    let alone: Vec<String> = states.iter().map(alone).collect();
    let several = &tried(&text("device,time,motor (°C)", &alone)).devices[0];
    let channel = "motor".to_owned();
    assert_eq!(several.watch, Watch::SeveralStates { channel });
}

#[test]
fn a_wrong_year_in_one_row_changes_no_step() {
    let mut rows = pumps();
    rows.truncate(1_440);
    rows[700] = rows[700].replacen("2025", "2026", 1);
    let report = tried(&text(HEADING, &rows));
    assert_eq!((report.step.period_s, report.quality.devices[0].leaps), (21_600.0, 2));
    assert!(report.devices[0].openings.is_empty());
}

/// A fridge: its compressor runs half of the time, and only then the power says anything.
#[test]
fn rows_of_idle_are_left_out() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let rows: Vec<String> = (0..6 * 24 * 40)
        .map(|n| {
            let at = start() + SignedDuration::from_mins(10 * n);
            let mut noise = || random.random::<f64>() - 0.5;
            let runs = n % 8 < 4;
            let (watts, inside) = if runs { (90.0, 4.5) } else { (1.0, 4.0) };
            format!(
                "f1,{at},{:.1},{:.2}",
                watts * (1.0 + 0.1 * noise()),
                inside + 0.3 * noise()
            )
        })
        .collect();
    let export = text("device,time,power [W],inside [Cel]", &rows);
    let report = tried(&export);
    let running = report.running.as_ref().unwrap();
    assert_eq!(
        (running.channel.as_str(), running.named, running.idle_rows),
        ("power", false, 2_880)
    );
    assert!((40.0..60.0).contains(&running.from), "{running:?}");
    assert_eq!(report.watched().count(), 1);
    assert!((85.0..95.0).contains(&report.devices[0].baselines[0].centre));
    let by = |channel| try_export("f.csv", export.as_bytes(), None::<&[u8]>, Some(channel));
    for name in ["power", "power [W]"] {
        assert!(by(name).unwrap().running.unwrap().named);
    }
    assert!(
        by("speed")
            .unwrap_err()
            .to_string()
            .contains("there are: power, inside")
    );
    // A fault that stops a pump once is no idle.
    assert!(tried(&text(HEADING, &pumps())).running.is_none());
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let services = "device,date\npump-07,2025-02-25\n";
    let export = text(HEADING, &pumps()).replace("pump-03", "<script>\"'&,\u{202e}".replace(',', ";").as_str());
    let report = try_export("pumps.csv", export.as_bytes(), Some(services.as_bytes()), None).unwrap();
    let json = serde_json::to_string(&report).unwrap();
    assert!(serde_json::from_str::<Report>(&json).unwrap() == report);
    assert!(json.contains("\"format\":\"forecall-try\",\"version\":1"));
}
