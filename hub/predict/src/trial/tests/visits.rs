//! Openings against service dates, of devices whose openings are known.

use super::super::report::{Opening, Outcome, Services, Stretch};
use super::*;

const WEEK_MS: i64 = 7 * 24 * 3_600_000;

fn stretch(from: i64, to: i64) -> Stretch {
    Stretch {
        from: day(from),
        to: day(to),
    }
}

fn opening(at: i64, until: Option<i64>) -> Opening {
    Opening {
        at: day(at),
        until: until.map(day),
        again: false,
        score: 2.0,
        slow: false,
        moved: Vec::new(),
        outcome: None,
    }
}

/// A device that was watched in these stretches, up to its last reading.
fn device(compared: &[(i64, i64)], openings: Vec<Opening>) -> DeviceReport {
    let length = |(from, to): &(i64, i64)| (to - from) as f64;
    DeviceReport {
        name: "p".to_owned(),
        watch: Watch::Watched,
        lacking: Vec::new(),
        steps: 200,
        thin_steps: 0,
        to: compared.last().map(|(_, to)| day(*to)),
        watched_from: compared.first().map(|(from, _)| day(*from)),
        watched_days: compared.iter().map(length).sum(),
        compared: compared.iter().map(|(from, to)| stretch(*from, *to)).collect(),
        baselines: Vec::new(),
        highest: None,
        openings,
        plot: None,
    }
}

fn against(device: DeviceReport, days: &[i64]) -> (Services, DeviceReport) {
    let mut file = "device,date\nanother,2025-01-01\n".to_owned();
    for at in days {
        writeln!(file, "p,{}", day(*at).strftime("%Y-%m-%d")).unwrap();
    }
    let mut devices = vec![device];
    let services = Dates::read(file.as_bytes()).unwrap().judge(&mut devices, WEEK_MS);
    (services, devices.remove(0))
}

#[test]
fn the_rate_without_a_service_is_of_the_time_in_which_it_can_be_known() {
    // 150 days, of which the last sixty cannot tell.
    let (services, one) = against(device(&[(0, 150)], vec![opening(50, Some(55))]), &[]);
    let judged = rates(&[one], Some(&services));
    let rate = judged.without_service.unwrap();
    assert_eq!(rate.count, 1);
    assert!((rate.device_months - 90.0 / 30.44).abs() < 1e-3, "{rate:?}");
    assert!((rate.per_1000 - 1_000.0 * 30.44 / 90.0).abs() < 0.1, "{rate:?}");
    assert!((judged.opened.unwrap().device_months - 150.0 / 30.44).abs() < 1e-3);

    let (services, one) = against(device(&[(0, 85)], Vec::new()), &[]);
    assert!(rates(&[one], Some(&services)).without_service.is_none());
}

#[test]
fn a_visit_in_two_rows_is_one() {
    let (found, _) = against(device(&[(0, 100)], vec![opening(80, None)]), &[90, 90]);
    assert_eq!((found.found.count, found.found.of, found.missed), (1, 1, 0));
}

#[test]
fn a_service_is_missed_only_where_a_step_was_compared_before_it() {
    // Back on the fifth day, while the normal is learned again; and long after the last reading.
    let (found, _) = against(device(&[(0, 50), (62, 100)], Vec::new()), &[50, 55, 130]);
    let watched: Vec<bool> = found.services.iter().map(|service| service.watched).collect();
    assert_eq!(watched, [true, false, false]);
    assert_eq!((found.missed, found.not_watched), (1, 2));
    // It fell silent three weeks before.
    let (found, _) = against(device(&[(0, 30), (60, 100)], Vec::new()), &[51]);
    assert_eq!((found.missed, found.not_watched), (0, 1));
}

#[test]
fn what_stands_at_a_service_belongs_to_it_however_early_it_was_opened() {
    let (found, one) = against(device(&[(0, 200)], vec![opening(20, None)]), &[120]);
    assert_eq!((found.found.count, found.missed, found.without_service), (1, 0, 0));
    assert_eq!(one.openings[0].outcome, Some(Outcome::Service));
    let lead = found.lead_days_median.unwrap();
    assert!((100.0..=101.0).contains(&lead), "{lead}");
    // One that ended by itself long before does not.
    let (found, one) = against(device(&[(0, 200)], vec![opening(20, Some(30))]), &[120]);
    assert_eq!((found.found.count, found.missed, found.without_service), (0, 1, 1));
    assert_eq!(one.openings[0].outcome, Some(Outcome::NoService));
}

#[test]
fn openings_on_one_ticket_count_once_and_a_service_counts_once() {
    let again = |at, until| Opening {
        again: true,
        ..opening(at, until)
    };
    let openings = vec![opening(10, Some(12)), again(20, Some(22)), again(40, Some(42))];
    let (found, one) = against(device(&[(0, 200)], openings), &[]);
    assert_eq!((found.without_service, found.followed.of), (1, 1));
    assert_eq!(rates(&[one], Some(&found)).opened.unwrap().count, 1);
    let openings = vec![opening(100, Some(101)), opening(140, Some(145))];
    let (found, _) = against(device(&[(0, 200)], openings), &[150]);
    assert_eq!((found.followed.count, found.followed.of, found.found.count), (1, 1, 1));
}

#[test]
fn a_date_without_a_time_is_all_of_its_day() {
    // Opened in the morning of the day of the service.
    let mut early = opening(80, None);
    early.at += SignedDuration::from_hours(8);
    let (found, one) = against(device(&[(0, 100)], vec![early]), &[80]);
    assert_eq!((found.found.count, found.found.of), (1, 1));
    assert_eq!(one.openings[0].outcome, Some(Outcome::Service));
}

#[test]
fn steps_of_the_day_of_a_service_teach_no_normal() {
    let serviced = day(30).strftime("%Y-%m-%d").to_string();
    // Of the day of the service, values that are neither the old part's nor the new one's.
    let odd = |row: String| match row.contains(&serviced) && row.starts_with("pump-01") {
        true => format!("{},95.0", row.rsplit_once(',').unwrap().0),
        false => row,
    };
    let rows: Vec<String> = pumps().into_iter().map(odd).collect();
    let services = format!("device,date\npump-01,{serviced}\n");
    let report = try_export(
        "p.csv",
        text(HEADING, &rows).as_bytes(),
        Some(services.as_bytes()),
        None,
    )
    .unwrap();
    let one = &report.devices[0];
    assert!(
        one.openings.is_empty() && one.highest.as_ref().unwrap().score < 1.0,
        "{one:?}"
    );
    assert_eq!(one.compared.len(), 2);
    assert!(one.compared[0].to < day(30) && one.compared[1].from > day(31));
}

#[test]
fn the_file_of_services_is_bounded_and_says_what_it_cannot_read() {
    let mut file = "device,date\n".to_owned();
    for n in 0..=SERVICES_MAX {
        writeln!(file, "p{},2025-01-01", n % 7).unwrap();
    }
    let error = Dates::read(file.as_bytes()).err().unwrap();
    assert!(matches!(error, TrialError::TooManyServices), "{error}");
    let error = Dates::read("device,date\np1,02/03/2025\n".as_bytes()).err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("02/03/2025"), "{cause}");
}

#[test]
fn an_opening_ends_and_the_next_within_its_cool_down_is_on_its_ticket() {
    let hot = |row: String, n: usize| match (n < 1_440, n / 24) {
        (true, 20..25 | 35..40) => format!("{},81.0", row.rsplit_once(',').unwrap().0),
        _ => row,
    };
    let rows: Vec<String> = pumps().into_iter().enumerate().map(|(n, row)| hot(row, n)).collect();
    let export = text(HEADING, &rows);
    let report = tried(&export);
    let openings = &report.devices[0].openings;
    assert_eq!(
        openings.iter().map(|opening| opening.again).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(openings[0].until.unwrap() > day(25) && openings[0].until.unwrap() < openings[1].at);
    // That of the pump that wears is the other.
    assert_eq!(report.rates.opened.unwrap().count, 2);
    // A service between the two ends the ticket, and what stood at it.
    let services = format!("device,at\npump-01,{}\n", day(24));
    let report = try_export("p.csv", export.as_bytes(), Some(services.as_bytes()), None).unwrap();
    let openings = &report.devices[0].openings;
    assert_eq!(openings[0].until, Some(day(24)));
    assert!(openings.iter().all(|opening| !opening.again));
}
