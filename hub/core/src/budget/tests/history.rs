use super::super::history::{ConfirmedFault, History, MONTHS_MAX, MonthOfScores, Sample, WouldHave};
use super::{Random, fleet, month, score};
use crate::id::ApplianceId;

fn fault(appliance: i64, in_month: i32) -> ConfirmedFault {
    ConfirmedFault {
        appliance: ApplianceId(appliance),
        month: month(in_month),
        score: 9.0,
    }
}

/// Months of 50 appliances; appliance 7 comes to 9 in each of them.
fn watched(months: i32) -> History {
    let mut history = History::default();
    for number in 0..months {
        let scores = (0..50).map(|id| score(id, if id == 7 { 9.0 } else { 0.5 }));
        history.record(MonthOfScores::new(month(number), scores));
    }
    history
}

/// Highest scores at 9 and appliances' months.
fn told(history: &History) -> (usize, u32) {
    let sample = Sample::of([history]);
    let high = sample.upper.iter().filter(|(score, _)| *score > 1.0).count();
    (high, sample.device_months)
}

#[test]
fn a_confirmed_fault_leaves_its_month_and_three_before_it_out() {
    let mut history = watched(12);
    assert_eq!(told(&history), (12, 600));
    history.confirm(fault(7, 8));
    history.confirm(fault(7, 8));
    assert_eq!(told(&history), (8, 596), "months 5 to 8");
    history.confirm(fault(7, 9));
    assert_eq!(told(&history), (7, 595), "what is left out twice counts once");
    assert_eq!(
        history.would_have(5.0),
        WouldHave {
            unconfirmed: 7,
            confirmed: 2
        }
    );
    history.take_back(ApplianceId(7), month(9));
    history.take_back(ApplianceId(7), month(8));
    assert_eq!(told(&history), (12, 600), "the labels were wrong");
}

#[test]
fn four_months_are_looked_at_until_a_year_is_there_and_no_more_is_kept() {
    for (months, looked_at) in [(1, 1), (4, 4), (7, 4), (11, 4), (12, 12), (30, 12)] {
        assert_eq!(told(&watched(months)), (looked_at, looked_at as u32 * 50), "{months}");
    }
    let mut history = watched(4);
    history.record(MonthOfScores::new(month(3), (0..60).map(|id| score(id, 9.0))));
    assert_eq!(told(&history), (3 + 60, 210), "a month that is told again");
    history.confirm(fault(7, 2));
    for number in 4..4 + MONTHS_MAX as i32 {
        history.record(MonthOfScores::new(month(number), [score(1, 0.5)]));
    }
    assert!(history.faults().is_empty(), "older than all that is kept");
    assert_eq!(history.faults_dropped(), 0);
}

#[test]
fn of_a_large_month_the_upper_fifth_is_kept_and_nothing_below_it_is_said() {
    let mut random = Random(1);
    let history = fleet(10_000, 4, &mut random);
    let kept = serde_json::to_value(&history).unwrap();
    assert_eq!(kept["months"][0]["upper"].as_array().unwrap().len(), 2_000);
    let sample = Sample::of([&history]);
    assert_eq!((sample.appliances, sample.device_months), (10_000, 40_000));
    assert!((7_500..=8_000).contains(&sample.upper.len()), "{}", sample.upper.len());
    assert!(sample.upper.is_sorted_by(|a, b| a.0 >= b.0));
    let again: History = serde_json::from_value(kept).unwrap();
    assert_eq!(again, history);
}

#[test]
fn what_has_no_logarithm_counts_as_nothing() {
    let odd = [f32::NAN, f32::INFINITY, -3.0, 0.0, 1.0].into_iter().enumerate();
    let mut history = History::default();
    history.record(MonthOfScores::new(
        month(0),
        odd.map(|(id, value)| score(id as i64, value)),
    ));
    let sample = Sample::of([&history]);
    assert_eq!((sample.device_months, sample.upper.len()), (5, 5));
    assert!(sample.upper.iter().all(|(score, _)| score.is_finite()));
    assert_eq!(Sample::of([]).upper, []);
}
