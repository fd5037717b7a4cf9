//! The table of clocks, and what is to hold for all of them.

use super::*;

fn at(minutes: i64) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const YEARS: i64 = 3_652 * DAY;

/// Clocks in minutes from a certain moment: the machine's, a given database's with whether it is elsewhere, the devices',
/// and what is known from before the start.
fn clocks(now: i64, database: Option<(i64, bool)>, devices: Option<i64>, before: Option<i64>) -> Clocks {
    Clocks {
        now: at(now),
        is_moved: false,
        database: database.map(|(minutes, is_elsewhere)| DatabaseClock {
            at: at(minutes),
            is_elsewhere,
        }),
        devices: devices.map(at),
        before: before.map(at),
    }
}

fn may(until: i64, by: Witness) -> Verdict {
    Verdict::May { until: at(until), by }
}

fn ahead(of: Witness, by: i64) -> Verdict {
    let by = SignedDuration::from_mins(by);
    Verdict::Wait(Reason::Ahead { of, by })
}

#[test]
fn the_table_of_clocks() {
    use Witness::{Before, Database, Devices};
    let none = Verdict::Wait(Reason::NoWitness);
    let elsewhere = |minutes| Some((minutes, true));
    let here = |minutes| Some((minutes, false));
    let table = [
        // A database that is new, on this machine: nobody knows, whatever the clock says.
        ("new", clocks(0, None, None, None), none),
        ("new, ten years ahead", clocks(YEARS, None, None, None), none),
        ("new, given, here", clocks(0, here(0), None, None), none),
        // What is known from before the start.
        ("before, right", clocks(0, None, None, Some(0)), may(0, Before)),
        ("before, a reboot", clocks(0, None, None, Some(-3)), may(-3, Before)),
        (
            "before, an hour ahead",
            clocks(HOUR, None, None, Some(0)),
            may(0, Before),
        ),
        (
            "before, 13 h ahead",
            clocks(13 * HOUR, None, None, Some(0)),
            may(0, Before),
        ),
        (
            "before, 40 days ahead",
            clocks(40 * DAY, None, None, Some(0)),
            may(0, Before),
        ),
        (
            "before, a season off",
            clocks(120 * DAY, None, None, Some(0)),
            may(0, Before),
        ),
        (
            "before, longer",
            clocks(120 * DAY + 1, None, None, Some(0)),
            ahead(Before, 120 * DAY + 1),
        ),
        (
            "before, 431 days ahead",
            clocks(431 * DAY, None, None, Some(0)),
            ahead(Before, 431 * DAY),
        ),
        (
            "before, ten years ahead",
            clocks(YEARS, None, None, Some(0)),
            ahead(Before, YEARS),
        ),
        (
            "before, an hour behind",
            clocks(-HOUR, None, None, Some(0)),
            may(-HOUR, Before),
        ),
        (
            "before, six years behind",
            clocks(-YEARS, None, None, Some(0)),
            may(-YEARS, Before),
        ),
        // A given database on another machine.
        ("given, right", clocks(0, elsewhere(0), None, None), may(0, Database)),
        (
            "given, off a season",
            clocks(0, elsewhere(0), None, Some(-120 * DAY)),
            may(0, Database),
        ),
        (
            "given, off a year",
            clocks(0, elsewhere(0), None, Some(-365 * DAY)),
            ahead(Before, 365 * DAY),
        ),
        (
            "given, off a year, devices",
            clocks(0, elsewhere(0), Some(-1), Some(-365 * DAY)),
            ahead(Before, 365 * DAY),
        ),
        (
            "given, one wrong clock",
            clocks(YEARS, elsewhere(YEARS), None, Some(0)),
            ahead(Before, YEARS),
        ),
        (
            "given, 13 h ahead",
            clocks(13 * HOUR, elsewhere(0), None, Some(0)),
            may(0, Database),
        ),
        (
            "given, a day ahead",
            clocks(DAY, elsewhere(0), None, None),
            may(0, Database),
        ),
        (
            "given, longer",
            clocks(DAY + 1, elsewhere(0), None, None),
            ahead(Database, DAY + 1),
        ),
        (
            "given, ten years ahead",
            clocks(YEARS, elsewhere(0), None, None),
            ahead(Database, YEARS),
        ),
        (
            "given, both ahead",
            clocks(YEARS, elsewhere(0), Some(YEARS), Some(YEARS)),
            ahead(Database, YEARS),
        ),
        (
            "given, behind",
            clocks(-YEARS, elsewhere(0), None, Some(0)),
            may(-YEARS, Database),
        ),
        (
            "given, one wrong clock, devices",
            clocks(DAY * 40, elsewhere(DAY * 40), Some(0), Some(-1)),
            ahead(Devices, DAY * 40),
        ),
        (
            "given, a day ahead of devices",
            clocks(DAY, elsewhere(DAY), Some(0), Some(-1)),
            may(DAY, Database),
        ),
        (
            "given, longer ahead of devices",
            clocks(DAY + 1, elsewhere(DAY + 1), Some(0), Some(-1)),
            ahead(Devices, DAY + 1),
        ),
        (
            "given, queues",
            clocks(0, elsewhere(0), Some(-90 * DAY), Some(-90 * DAY)),
            may(0, Database),
        ),
        (
            "given, devices keep",
            clocks(0, elsewhere(0), Some(-90 * DAY), None),
            may(0, Database),
        ),
        // A given database on this machine contradicts and does not confirm.
        (
            "here, another clock",
            clocks(YEARS, here(0), None, Some(YEARS)),
            ahead(Database, YEARS),
        ),
        (
            "here, the same wrong clock",
            clocks(YEARS, here(YEARS), None, Some(0)),
            ahead(Before, YEARS),
        ),
        ("here, before", clocks(0, here(0), None, Some(-3)), may(-3, Before)),
        (
            "here, devices",
            clocks(0, here(0), Some(-1), Some(-3)),
            may(-1, Devices),
        ),
        (
            "here, a day ahead of it",
            clocks(DAY, here(0), None, Some(0)),
            may(0, Before),
        ),
        (
            "here, longer",
            clocks(DAY + 1, here(0), None, Some(0)),
            ahead(Database, DAY + 1),
        ),
        (
            "here, behind it",
            clocks(-YEARS, here(0), None, Some(0)),
            may(-YEARS, Before),
        ),
        (
            "here, off a season",
            clocks(120 * DAY, here(120 * DAY), None, Some(0)),
            may(0, Before),
        ),
        (
            "here, new, devices",
            clocks(0, here(0), Some(-1), None),
            may(-1, Devices),
        ),
        (
            "here, the same wrong clock, devices",
            clocks(40 * DAY, here(40 * DAY), Some(0), Some(-1)),
            ahead(Devices, 40 * DAY),
        ),
        // Devices.
        ("devices, right", clocks(0, None, Some(-1), None), may(-1, Devices)),
        (
            "devices, off a season",
            clocks(0, None, Some(-1), Some(-1 - 120 * DAY)),
            may(-1, Devices),
        ),
        // Beyond that, they may have the machine's clock.
        (
            "devices, off a year",
            clocks(0, None, Some(-1), Some(-365 * DAY)),
            ahead(Before, 365 * DAY),
        ),
        (
            "devices that have the machine's time",
            clocks(YEARS, None, Some(YEARS), Some(0)),
            ahead(Before, YEARS),
        ),
        (
            "given, all have the machine's time",
            clocks(YEARS, elsewhere(YEARS), Some(YEARS), Some(0)),
            ahead(Before, YEARS),
        ),
        (
            "devices, ten years ahead of all",
            clocks(3, None, Some(YEARS), Some(0)),
            may(0, Before),
        ),
        // What was known is too late: it goes by the earlier.
        (
            "before, too late",
            clocks(YEARS, None, Some(0), Some(YEARS)),
            may(0, Before),
        ),
        (
            "devices, 8 h apart",
            clocks(8 * HOUR, None, Some(0), Some(-HOUR)),
            may(0, Devices),
        ),
        (
            "devices, a day",
            clocks(DAY, None, Some(0), Some(-HOUR)),
            may(0, Devices),
        ),
        (
            "devices, longer",
            clocks(DAY + 1, None, Some(0), Some(-HOUR)),
            ahead(Devices, DAY + 1),
        ),
        (
            "devices, 40 days ahead",
            clocks(40 * DAY, None, Some(0), None),
            ahead(Devices, 40 * DAY),
        ),
        (
            "devices, ten years ahead",
            clocks(YEARS, None, Some(0), Some(-1)),
            ahead(Devices, YEARS),
        ),
        (
            "devices, behind",
            clocks(-HOUR, None, Some(0), None),
            may(-HOUR, Devices),
        ),
        // Devices that send what they kept while everything was off: no fault, and no news.
        (
            "queues, a season off",
            clocks(0, None, Some(-90 * DAY), Some(-90 * DAY)),
            may(-90 * DAY, Before),
        ),
        (
            "queues, the hub was on",
            clocks(0, None, Some(-90 * DAY), Some(0)),
            may(-90 * DAY, Before),
        ),
        (
            "queues, too long off",
            clocks(0, None, Some(-130 * DAY), Some(-130 * DAY)),
            ahead(Before, 130 * DAY),
        ),
    ];
    for (case, clocks, expected) in table {
        assert_eq!(clocks.verdict(), expected, "{case}");
        // No matter who vouches: nothing goes while the clock is not where it was at the start.
        let moved = Clocks {
            is_moved: true,
            ..clocks
        };
        assert_eq!(moved.verdict(), Verdict::Wait(Reason::Moved), "{case}, moved");
    }
}

/// However the clocks stand, nothing is deleted that is not too old by a witness.
#[test]
fn deletion_never_goes_by_the_machines_clock_alone() {
    let times = [-YEARS, -90 * DAY, -HOUR, 0, 40 * DAY, YEARS];
    let maybe = || std::iter::once(None).chain(times.into_iter().map(Some));
    let mut allowed = 0;
    for now in times {
        for database in maybe() {
            for devices in maybe() {
                for before in maybe() {
                    let clocks = clocks(now, database.map(|at| (at, true)), devices, before);
                    let Verdict::May { until, .. } = clocks.verdict() else {
                        continue;
                    };
                    let witnesses = [
                        clocks.database.map(|database| database.at),
                        clocks.devices,
                        clocks.before,
                    ];
                    let latest = witnesses.into_iter().flatten().max();
                    assert!(until <= clocks.now && Some(until) <= latest, "{clocks:?}");
                    allowed += 1;
                }
            }
        }
    }
    assert!(allowed > 100, "{allowed}");
}

/// A run with a wrong clock does not become the witness of the next one.
#[test]
fn what_is_known_before_the_next_start_never_hangs_on_the_machines_clock() {
    for now in [-YEARS, 0, 40 * DAY, YEARS] {
        assert_eq!(clocks(now, None, None, Some(5)).vouched(), Some(at(5)));
        assert_eq!(clocks(now, None, None, None).vouched(), None);
        let moved = Clocks {
            is_moved: true,
            ..clocks(now, Some((now, true)), Some(now), Some(5))
        };
        assert_eq!(moved.vouched(), Some(at(5)));
    }
    // Ahead of a witness, it is as if nobody had said anything.
    assert_eq!(clocks(YEARS, Some((0, true)), None, Some(-5)).vouched(), Some(at(-5)));
    assert_eq!(clocks(YEARS, None, Some(0), Some(-5)).vouched(), Some(at(-5)));
    // Who vouches says it, also where what was known was too late.
    assert_eq!(clocks(3, Some((0, true)), None, Some(YEARS)).vouched(), Some(at(0)));
    assert_eq!(clocks(3, None, Some(1), Some(-90 * DAY)).vouched(), Some(at(1)));
    assert_eq!(clocks(3, None, Some(-9), Some(2)).vouched(), Some(at(2)));
    // Devices that may have the machine's clock do not become what is known.
    assert_eq!(clocks(YEARS, None, Some(YEARS), Some(5)).vouched(), Some(at(5)));
    assert_eq!(clocks(3, None, Some(YEARS), Some(5)).vouched(), Some(at(5)));
}

/// What a wrong clock made known does not stand against devices that run now.
#[test]
fn what_was_vouched_for_too_late_gives_way_to_devices() {
    for now in [3, YEARS, 2 * YEARS] {
        assert_eq!(clocks(now, None, Some(1), Some(YEARS)).vouched(), Some(at(1)), "{now}");
    }
    assert_eq!(
        clocks(3, None, Some(3 - DAY), Some(3)).vouched(),
        Some(at(3)),
        "within a day"
    );
    assert_eq!(clocks(3, None, Some(2 - DAY), Some(3)).vouched(), Some(at(2 - DAY)));
}

#[test]
fn devices_agree_where_three_and_more_than_half_do() {
    let told = |minutes: &[i64]| agreed(minutes.iter().map(|minutes| at(*minutes)).collect());
    for alone in [&[][..], &[0], &[0, 0], &[0, 1, 6], &[0, 6, 12]] {
        assert_eq!(told(alone), None, "{alone:?}");
    }
    assert_eq!(told(&[2, 0, 5]), Some(at(0)), "in any order, the earliest");
    assert_eq!(told(&[0, 1, 2, YEARS, YEARS]), Some(at(0)));
    assert_eq!(told(&[0, 1, YEARS, YEARS, YEARS]), Some(at(YEARS)));
    assert_eq!(told(&[0, 1, 2, YEARS, YEARS, YEARS]), None, "as many against as for");
    assert_eq!(told(&[-YEARS, 0, 1, 2]), Some(at(0)), "one of four may be wrong");
    assert_eq!(
        told(&[-YEARS, -DAY, 0, 1, 2, DAY, YEARS]),
        None,
        "three of seven are not enough"
    );
    assert_eq!(told(&[-9, 0, 1, 2, 3, 9]), Some(at(0)));
}
