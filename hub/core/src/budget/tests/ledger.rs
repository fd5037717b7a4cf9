use super::super::ledger::{Ledger, STATEMENTS_MAX, Statement, StatementError};
use super::super::precision::{Faults, ScoreBand};
use super::super::{Budget, BudgetError, Budgets, Draws};
use super::{Random, fleet, month};
use crate::outcome::Verdict;
use jiff::Timestamp;
use std::collections::BTreeMap;

pub(super) fn statement(tickets: f64, calls: f64, faults_a_year: f64) -> Statement {
    Statement {
        budgets: Budgets {
            tickets: Budget::new(tickets).unwrap(),
            calls: Budget::new(calls).unwrap(),
        },
        faults_a_year,
        by: "li".into(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn renewed(ledger: &mut Ledger, appliances: i64) {
    let histories = BTreeMap::from([("WM-7".to_owned(), fleet(appliances, 4, &mut Random(1)))]);
    let mut random = Random(2);
    let mut draw = || random.bits();
    ledger.renew(month(4), None, &histories, &mut Draws(&mut draw));
}

#[test]
fn what_cannot_be_true_is_refused() {
    for per_1000 in [0.0, -1.0, 101.0, f64::NAN] {
        assert!(Budget::new(per_1000).is_err(), "{per_1000}");
        assert!(serde_json::from_str::<Budget>(&per_1000.to_string()).is_err());
    }
    let mut ledger = Ledger::default();
    let more_calls = BudgetError::MoreCallsThanTickets {
        tickets: 1.0,
        calls: 2.0,
    };
    assert_eq!(
        ledger.state(statement(1.0, 2.0, 0.01)),
        Err(StatementError::Budget(more_calls))
    );
    assert_eq!(
        ledger.state(statement(1.0, 0.5, 0.6)),
        Err(StatementError::FaultsAYear(0.6))
    );
    assert!(ledger.statements().is_empty());
    assert_eq!((ledger.budgets(), ledger.faults_a_year()), (Budgets::default(), 0.01));
}

#[test]
fn the_newest_statement_holds_and_the_others_are_kept() {
    let mut ledger = Ledger::default();
    for number in 0..STATEMENTS_MAX + 3 {
        ledger.state(statement(1.0 + number as f64 / 10.0, 0.5, 0.02)).unwrap();
    }
    assert_eq!(ledger.statements().len(), STATEMENTS_MAX);
    let tickets = ledger.budgets().tickets.per_1000();
    assert!((tickets - 21.2).abs() < 1e-9 && ledger.faults_a_year() == 0.02);
    assert_eq!(ledger.statement().map(|statement| statement.by.as_str()), Some("li"));
}

#[test]
fn a_threshold_is_kept_with_its_counts_and_comes_back_as_it_was() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.model("WM-7"), None);
    renewed(&mut ledger, 2_000);
    let entry = ledger.model("WM-7").unwrap();
    let thresholds = entry.thresholds.as_ref().unwrap();
    assert_eq!(
        (thresholds.device_months, thresholds.appliances, thresholds.month),
        (8_000, 2_000, month(4))
    );
    // Eight in 8,000, of which the bound on the safe side leaves some.
    assert!((1..=9).contains(&entry.tickets.unconfirmed), "{:?}", entry.tickets);
    assert!(
        entry.calls.unconfirmed <= 2 && entry.calls.confirmed == 0,
        "{:?}",
        entry.calls
    );
    let kept = serde_json::to_string(&ledger).unwrap();
    assert!(kept.len() < 20_000, "{} bytes of one appliance model", kept.len());
    let again: Ledger = serde_json::from_str(&kept).unwrap();
    let entry_again = again.model("WM-7").unwrap();
    assert_eq!((entry_again.tickets, entry_again.calls), (entry.tickets, entry.calls));
    let score = 1.5 * thresholds.tickets.in_force;
    let rates = [&again, &ledger].map(|ledger| {
        let thresholds = ledger.model("WM-7").unwrap().thresholds.as_ref().unwrap();
        (thresholds.tickets.in_force, thresholds.tails.rate_at_most(score))
    });
    // As close as numbers in JSON come back.
    assert!((rates[0].0 / rates[1].0 - 1.0).abs() < 1e-12 && (rates[0].1 / rates[1].1 - 1.0).abs() < 1e-9);
    assert_eq!(serde_json::from_str::<Ledger>("{}").unwrap(), Ledger::default());
}

#[test]
fn a_probability_follows_from_tail_faults_and_verdicts() {
    let mut ledger = Ledger::default();
    let faults = Faults {
        confirmed: 8,
        reached: 8,
    };
    let precision = |ledger: &Ledger, score| ledger.precision("WM-7", score, faults, Faults::default(), month(4));
    assert_eq!(precision(&ledger, 9.0), None, "no thresholds");
    renewed(&mut ledger, 2_000);
    let thresholds = ledger.model("WM-7").unwrap().thresholds.clone().unwrap();
    let (ticket, call) = (thresholds.tickets.in_force, thresholds.calls.unwrap().in_force);
    let at = |ledger: &Ledger, score| precision(ledger, score).unwrap().probability;
    // Nine in ten of 1 % a year, against the budgets as bounds of what is harmless.
    assert!((at(&ledger, ticket) - 0.43).abs() < 0.01 && (at(&ledger, call) - 0.94).abs() < 0.01);
    assert!(at(&ledger, call * 1.5) > at(&ledger, call));
    let before = at(&ledger, call);
    for _ in 0..5 {
        ledger.observe(ScoreBand::Call, Verdict::Wrong, month(4));
    }
    assert!(
        at(&ledger, call) < 0.7 && (at(&ledger, ticket) - 0.43).abs() < 0.01,
        "each band has its own"
    );
    for _ in 0..5 {
        ledger.take_back(ScoreBand::Call, Verdict::Wrong, month(4), month(4));
    }
    assert!((at(&ledger, call) - before).abs() < 1e-12);
    ledger.state(statement(1.0, 0.05, 0.05)).unwrap();
    assert!(at(&ledger, ticket) > 0.75, "where faults are more frequent");
}

#[test]
fn the_breaker_of_an_appliance_model_is_its_own() {
    let mut ledger = Ledger::default();
    assert!(ledger.breaker("WM-7").count(20, 0.1, Timestamp::UNIX_EPOCH));
    assert!(!ledger.breaker("WM-7").lets_calls_out(Timestamp::UNIX_EPOCH));
    assert!(ledger.breaker("WM-8").lets_calls_out(Timestamp::UNIX_EPOCH));
}
