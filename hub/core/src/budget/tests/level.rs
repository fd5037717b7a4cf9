use super::super::history::{ConfirmedFault, History, MonthOfScores};
use super::super::level::{Basis, Thresholds, renew};
use super::super::{Budget, Budgets, Draws};
use super::{Random, fleet, month, score};
use crate::id::ApplianceId;

fn budgets(tickets: f64, calls: f64) -> Budgets {
    Budgets {
        tickets: Budget::new(tickets).unwrap(),
        calls: Budget::new(calls).unwrap(),
    }
}

fn renewed(histories: Vec<History>, budgets: Budgets, before: Option<&Thresholds>, at: i32) -> Vec<Thresholds> {
    let before = Vec::from_iter(before.cloned());
    renewed_from(None, &histories, budgets, &before, at)
}

fn renewed_from(
    first: Option<f64>,
    histories: &[History],
    budgets: Budgets,
    before: &[Thresholds],
    at: i32,
) -> Vec<Thresholds> {
    let name = |number| format!("model {number}");
    let histories = histories.iter().cloned().enumerate();
    let histories = histories.map(|(number, history)| (name(number), history)).collect();
    let before = before.iter().cloned().enumerate();
    let before = before.map(|(number, last)| (name(number), last)).collect();
    let mut random = Random(99);
    let mut draw = || random.bits();
    renew(month(at), budgets, first, &histories, &before, &mut Draws(&mut draw))
        .into_values()
        .collect()
}

fn one(history: History, budgets: Budgets, before: Option<&Thresholds>, at: i32) -> Thresholds {
    renewed(vec![history], budgets, before, at).remove(0)
}

#[test]
fn a_smaller_budget_has_a_higher_level() {
    let history = fleet(2_000, 4, &mut Random(1));
    let mut last = 0.0;
    for per_1000 in [50.0, 10.0, 1.0, 0.1, 0.05, 0.001] {
        let level = one(history.clone(), budgets(per_1000, 0.001), None, 4);
        assert_eq!(level.calls, None, "a millionth is beyond what 8,000 months show");
        assert!(level.tickets.wanted > last, "{per_1000}: {level:?}");
        last = level.tickets.wanted;
    }
    let level = one(history, Budgets::default(), None, 4);
    let calls = level.calls.unwrap();
    assert!(calls.in_force > level.tickets.in_force && level.basis == Basis::Own);
    for threshold in [level.tickets, calls] {
        let (low, high) = threshold.interval;
        assert!(low < threshold.fitted && threshold.fitted < high && low < threshold.wanted && threshold.wanted < high);
        assert_eq!(threshold.in_force, threshold.wanted);
    }
    assert!(level.tails.rate_at_most(calls.in_force) <= 5e-5 * 1.01);
    // Below the tail nothing is known.
    assert_eq!(level.tails.rate_at_most(0.0), 1.0);
    assert_eq!(level.tails.rate_at_most(f64::NAN), 1.0);
    assert!(
        level.tails.rate_at_most(calls.fitted) > 5e-5,
        "the bound is on the safe side of the fit"
    );
}

#[test]
fn the_level_of_a_large_fleet_is_the_true_one() {
    let level = one(fleet(20_000, 4, &mut Random(6)), Budgets::default(), None, 4);
    // One in 1,000 and one in 20,000 of an exponential tail of 0.13.
    for (threshold, rate) in [(level.tickets, 1e-3_f64), (level.calls.unwrap(), 5e-5)] {
        let truth = (-0.13 * rate.ln()).exp();
        assert!(
            (threshold.fitted / truth - 1.0).abs() < 0.15,
            "{threshold:?} for {truth}"
        );
    }
}

#[test]
fn fewer_appliances_have_a_higher_level() {
    let mean = |appliances| {
        let level = |seed| one(fleet(appliances, 4, &mut Random(seed)), Budgets::default(), None, 4);
        let levels: Vec<_> = (0..20).map(level).collect();
        let sum = |of: fn(&Thresholds) -> f64| levels.iter().map(of).sum::<f64>() / 20.0;
        (
            sum(|level| level.tickets.wanted),
            sum(|level| level.calls.unwrap().wanted),
        )
    };
    let (few, more, many) = (mean(260), mean(1_000), mean(6_000));
    assert!(few.0 > more.0 && more.0 > many.0, "{few:?} {more:?} {many:?}");
    assert!(few.1 > more.1 && more.1 > many.1, "{few:?} {more:?} {many:?}");
}

#[test]
fn thresholds_rise_at_once_and_come_down_by_a_tenth_a_month() {
    let high = |seed| fleet(1_000, 4, &mut Random(seed));
    let mut quiet = History::default();
    for number in 0..4 {
        quiet.record(MonthOfScores::new(month(number), (0..1_000).map(|id| score(id, 0.5))));
    }
    let start = one(high(1), Budgets::default(), None, 4);
    let within = one(quiet.clone(), Budgets::default(), Some(&start), 4);
    let after_one = one(quiet.clone(), Budgets::default(), Some(&within), 5);
    let after_three = one(quiet, Budgets::default(), Some(&after_one), 7);
    let calls = |level: &Thresholds| level.calls.unwrap().in_force;
    assert_eq!(
        (within.tickets.in_force, calls(&within)),
        (start.tickets.in_force, calls(&start)),
        "the same month"
    );
    assert!((after_one.tickets.in_force / start.tickets.in_force - 0.9).abs() < 1e-9);
    assert!((calls(&after_one) / calls(&start) - 0.9).abs() < 1e-9);
    assert!((after_three.tickets.in_force / start.tickets.in_force - 0.729).abs() < 1e-9);
    assert!(after_one.tickets.wanted < 0.51, "what is wanted is told");
    let risen = one(high(2), Budgets::default(), Some(&after_three), 7);
    assert_eq!(risen.tickets.in_force, risen.tickets.wanted);
    assert!(risen.tickets.in_force > 1.2 * after_three.tickets.in_force);
}

#[test]
fn a_call_level_lies_at_most_twenty_times_beyond_what_its_months_can_show() {
    let calls = |appliances, per_1000| {
        let history = fleet(appliances, 4, &mut Random(5));
        one(history, budgets(1.0, per_1000), None, 4).calls.is_some()
    };
    assert!(!calls(249, 0.05) && calls(250, 0.05));
    assert!(calls(125, 0.1), "a larger budget is sooner seen");
}

#[test]
fn a_model_of_few_months_has_the_familys_level_and_no_calls() {
    let large = fleet(1_000, 4, &mut Random(3));
    let small = fleet(49, 4, &mut Random(4));
    let levels = renewed(vec![large.clone(), small.clone()], Budgets::default(), None, 4);
    let (own, family) = (&levels[0], &levels[1]);
    assert_eq!(
        (own.basis, own.device_months, own.appliances),
        (Basis::Own, 4_000, 1_000)
    );
    assert_eq!(
        (family.basis, family.device_months, family.appliances),
        (Basis::Family, 4_196, 1_049)
    );
    assert!(own.calls.is_some() && family.calls.is_none());
    let ratio = family.tickets.in_force / own.tickets.in_force;
    assert!((1.05..1.25).contains(&ratio), "{ratio}");
    assert!(
        renewed(vec![small], Budgets::default(), None, 4).is_empty(),
        "the family has too few as well"
    );
    assert!(
        renewed(vec![History::default(), large], Budgets::default(), None, 4).len() == 2,
        "a new model"
    );
}

/// Two appliance models: the first has 300 appliances' months of its own, the second 50.
fn a_large_and_a_small(score_of: f32) -> [History; 2] {
    [(100, 3), (25, 2)].map(|(appliances, months)| {
        let mut history = History::default();
        for number in 0..months {
            let scores = (0..appliances).map(|id| score(id, score_of + 0.001 * id as f32));
            history.record(MonthOfScores::new(month(number), scores));
        }
        history
    })
}

#[test]
fn a_fleets_first_own_level_comes_down_from_the_familys_first_one_by_a_tenth_a_month() {
    let quiet = a_large_and_a_small(0.5);
    let renewed = |first, before: &[Thresholds], at| renewed_from(first, &quiet, Budgets::default(), before, at);
    let mut last = Vec::new();
    for (at, expected) in [(4, 2.7), (5, 2.43), (6, 2.187)] {
        last = renewed(Some(3.0), &last, at);
        let (own, few) = (&last[0], &last[1]);
        assert_eq!((own.basis, few.basis), (Basis::Own, Basis::Family));
        assert!((own.tickets.in_force - expected).abs() < 1e-9, "{at}: {own:?}");
        assert!(own.tickets.wanted < 1.0, "what is wanted is told");
        assert_eq!(
            (few.tickets.in_force, few.tickets.wanted),
            (3.0, 3.0),
            "it does not come down"
        );
        let again = renewed(Some(3.0), &last, at);
        assert_eq!(again[0].tickets.in_force, own.tickets.in_force, "the same month");
    }
    // Of no first level there is nothing to come down from.
    for level in renewed(None, &[], 4) {
        assert_eq!(level.tickets.in_force, level.tickets.wanted);
    }
    // The second model has months enough for the first time.
    let mut grown = quiet.clone();
    grown[1] = quiet[0].clone();
    let own = &renewed_from(Some(3.0), &grown, Budgets::default(), &last, 7)[1];
    assert_eq!(own.basis, Basis::Own);
    assert!((own.tickets.in_force - 2.7).abs() < 1e-9, "{own:?}");
}

#[test]
fn a_first_level_holds_down_none_that_is_higher() {
    let loud = a_large_and_a_small(5.0);
    let with_first = renewed_from(Some(3.0), &loud, Budgets::default(), &[], 4);
    assert_eq!(with_first, renewed_from(None, &loud, Budgets::default(), &[], 4));
    for level in &with_first {
        assert!(level.tickets.in_force > 5.0, "{level:?}");
        assert_eq!(level.tickets.in_force, level.tickets.wanted);
    }
    // Whose level was the family's comes down from that one, where it is higher than the first.
    let quiet = a_large_and_a_small(0.5)[0].clone();
    let own = &renewed_from(Some(3.0), &[quiet.clone(), quiet], Budgets::default(), &with_first, 5)[1];
    assert!((own.tickets.in_force / with_first[1].tickets.in_force - 0.9).abs() < 1e-9);
}

#[test]
fn faults_that_are_confirmed_lower_the_level_again() {
    let mut history = fleet(1_000, 3, &mut Random(5));
    let faulty = |id: i64| id % 50 == 0;
    let scores = (0..1_000).map(|id| score(id, if faulty(id) { 8.0 } else { 1.0 }));
    history.record(MonthOfScores::new(month(3), scores));
    let before = one(history.clone(), Budgets::default(), None, 4);
    for appliance in (0..1_000).filter(|id| faulty(*id)).map(ApplianceId) {
        history.confirm(ConfirmedFault {
            appliance,
            month: month(4),
            score: 8.0,
        });
    }
    let after = one(history, Budgets::default(), None, 4);
    assert!(
        after.tickets.wanted < 4.0 && before.tickets.wanted > 6.0,
        "{before:?} {after:?}"
    );
}
