use super::super::Budget;
use super::super::surge::{RELEASE_MAX, ReleaseError, SurgeBreaker, expected_tickets};
use super::Random;
use jiff::{SignedDuration, Timestamp};

const RUNS: u32 = 2_000;
const DAYS: u32 = 60;

fn day(number: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::from(number))
}

/// Expected false tickets a day at one a month and 1,000 appliances.
fn nominal(watched: u32) -> f64 {
    expected_tickets(Budget::new(1.0).unwrap(), 0.0, watched, 1.0)
}

/// A Poisson count (Knuth, The Art of Computer Programming 2, 3.4.1).
fn poisson(mean: f64, random: &mut Random) -> u32 {
    let (limit, mut product, mut count) = ((-mean).exp(), random.unit(), 0);
    while product > limit {
        product *= random.unit();
        count += 1;
    }
    count
}

/// Of many fleets whose rate is so many times the nominal one: share that stops within 60 days, the median day on which, counted
/// from 0, and the mean of tickets until then.
fn stops(watched: u32, times: f64, right_rate: f64) -> (f64, u32, f64) {
    let mut random = Random(u64::from(watched) + times as u64);
    let expected = expected_tickets(Budget::new(1.0).unwrap(), right_rate, watched, 1.0);
    let (mut days, mut opened) = (Vec::new(), 0);
    for _ in 0..RUNS {
        let mut breaker = SurgeBreaker::default();
        for number in 0..DAYS {
            let tickets = poisson(times * expected, &mut random);
            if breaker.count(tickets, expected, day(number)) {
                days.push(number);
                break;
            }
            opened += tickets;
        }
    }
    days.sort_unstable();
    let median = days.get(days.len() / 2).copied().unwrap_or(DAYS);
    (
        days.len() as f64 / f64::from(RUNS),
        median,
        f64::from(opened) / f64::from(RUNS),
    )
}

#[test]
fn at_the_nominal_rate_calls_hardly_ever_stop() {
    for watched in [300, 1_000, 5_000, 20_000] {
        let (share, ..) = stops(watched, 1.0, 0.0);
        assert!(share <= 0.04, "{watched}: {share}");
    }
}

#[test]
fn a_surge_stops_calls_within_days() {
    for (watched, times, latest, let_through) in [
        (1_000, 10.0, 19, 7.0),
        (5_000, 10.0, 4, 7.0),
        (20_000, 10.0, 1, 10.0),
        (5_000, 3.0, 21, 14.0),
        (20_000, 3.0, 6, 14.0),
    ] {
        let (share, median, opened) = stops(watched, times, 0.0);
        assert!(
            median <= latest && opened <= let_through,
            "{watched} x{times}: {share} {median} {opened}"
        );
        assert!(share >= 0.9, "{watched} x{times}: {share}");
    }
}

#[test]
fn right_tickets_are_expected_too() {
    // Of a fleet of which 5 % get a fault each year, four right tickets come on each false one.
    let (share, ..) = stops(5_000, 1.0, 0.05 / 12.0);
    assert!(share <= 0.06, "{share}");
    let mut unaware = SurgeBreaker::default();
    let opened = (0..DAYS).find(|number| unaware.count(1, nominal(5_000), day(*number)));
    assert!(opened.is_some(), "a budget alone would take them for a surge");
}

#[test]
fn a_person_lets_calls_go_on_for_a_while() {
    let mut breaker = SurgeBreaker::default();
    let hour = SignedDuration::from_hours(1);
    assert!(breaker.lets_calls_out(day(0)));
    assert_eq!(
        breaker.release("li", "seen", day(0), day(1)),
        Err(ReleaseError::NotStopped)
    );
    assert!(!breaker.count(5, 0.5, day(0)), "5 ln 3 - 1 is less than 5.5");
    assert!(breaker.count(2, 0.5, day(1)) && !breaker.lets_calls_out(day(1)));
    let stop = breaker.stop().unwrap();
    assert_eq!((stop.at, stop.tickets, stop.expected), (day(1), 7, 1.0));
    for number in 2..50 {
        assert!(!breaker.count(0, 0.5, day(number)), "told once");
    }
    assert!(!breaker.lets_calls_out(day(50)), "only a person lets them go on");
    assert_eq!(
        breaker.release("li", "seen", day(50), day(50)),
        Err(ReleaseError::Until)
    );
    assert_eq!(
        breaker.release("li", "seen", day(50), day(50) + RELEASE_MAX + hour),
        Err(ReleaseError::Until)
    );
    assert_eq!(breaker.release("li", " ", day(50), day(60)), Err(ReleaseError::Reason));
    assert_eq!(
        breaker.release("li", "a filter is blocked, not a fault", day(50), day(60)),
        Ok(())
    );
    assert!(breaker.lets_calls_out(day(59)) && breaker.stop().unwrap().is_released(day(59)));
    let kept = serde_json::to_string(&breaker).unwrap();
    assert_eq!(serde_json::from_str::<SurgeBreaker>(&kept).unwrap(), breaker);
    let (mut goes_on, mut is_over) = (breaker.clone(), breaker);
    assert!(!goes_on.count(9, 0.5, day(59)), "released");
    assert!(
        !goes_on.lets_calls_out(day(60)),
        "it goes on, and the release has ended"
    );
    assert!(goes_on.count(0, 0.5, day(60)), "a person is asked again");
    assert!(is_over.lets_calls_out(day(60)), "and here it is over");
    assert!(!is_over.count(1, 0.5, day(60)) && is_over.stop().is_none());
}

#[test]
fn a_surge_that_is_over_is_forgotten_within_days() {
    let expected = nominal(20_000);
    let mut breaker = SurgeBreaker::default();
    for number in 0..30 {
        breaker.count(50, expected, day(number));
    }
    breaker
        .release("li", "the old firmware comes back", day(30), day(42))
        .unwrap();
    for number in 30..36 {
        breaker.count(50, expected, day(number));
    }
    assert!(!breaker.lets_calls_out(day(42)), "it lasts");
    for number in 36..42 {
        breaker.count(0, expected, day(number));
    }
    assert!(breaker.lets_calls_out(day(42)), "six quiet days of 20,000 appliances");
}

#[test]
fn a_count_that_is_no_number_blinds_no_breaker() {
    for expected in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut breaker = SurgeBreaker::default();
        assert!(!breaker.count(2, expected, day(1)));
        assert!(breaker.count(100, 1.0, day(2)), "{expected}");
    }
}
