use super::super::Draws;
use super::super::gate::Gate;
use super::super::history::{History, MonthOfScores};
use super::super::ledger::{Ledger, OTHER_MODELS};
use super::super::precision::ScoreBand;
use super::{Random, fleet, month, score};
use crate::call_rules::HoldReason;
use crate::finding::tests::prediction;
use crate::outcome::Verdict;
use crate::prediction::FaultPrediction;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

fn now() -> Timestamp {
    date(2026, 5, 1).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

/// Thresholds of a large model, and of all that have few months of their own.
fn learned() -> Ledger {
    let histories = BTreeMap::from([
        ("WM-7".to_owned(), fleet(2_000, 4, &mut Random(1))),
        (OTHER_MODELS.to_owned(), History::default()),
    ]);
    let mut random = Random(2);
    let mut draw = || random.bits();
    let mut ledger = Ledger::default();
    ledger.renew(month(4), None, &histories, &mut Draws(&mut draw));
    ledger
}

fn at(score: f64) -> FaultPrediction {
    FaultPrediction {
        score: score as f32,
        ..prediction("drain_pump_wear", 0.95)
    }
}

#[test]
fn without_a_history_there_are_tickets_and_no_calls() {
    let gate = Gate::new(Ledger::default(), "WM-7");
    assert_eq!(gate.ticket_level(), None);
    assert_eq!(gate.precision(3.0, month(4)), None);
    assert_eq!(gate.withheld(&at(3.0), now()), Some(HoldReason::NoCallLevel));
    // An entry that a breaker has made is no history either.
    let mut counted = Ledger::default();
    counted.breaker("WM-7").count(1, 0.1, now());
    let gate = Gate::new(counted, "WM-7");
    assert_eq!(gate.withheld(&at(3.0), now()), Some(HoldReason::NoCallLevel));
    assert!(!gate.surges(now()));
}

#[test]
fn a_call_needs_its_level_a_past_of_its_own_and_verdicts_that_bear_it_out() {
    let ledger = learned();
    let thresholds = ledger.model("WM-7").unwrap().thresholds.clone().unwrap();
    let (ticket, call) = (thresholds.tickets.in_force, thresholds.calls.unwrap().in_force);
    let gate = Gate::new(ledger.clone(), "WM-7");
    assert_eq!(gate.ticket_level(), Some(ticket));
    assert_eq!(
        gate.withheld(&at((ticket + call) / 2.0), now()),
        Some(HoldReason::BelowCallLevel)
    );
    assert_eq!(gate.withheld(&at(2.0 * call), now()), None);
    let other = Gate::new(ledger.clone(), OTHER_MODELS);
    assert!(other.ticket_level() > gate.ticket_level(), "15 % above the family's");
    assert_eq!(other.withheld(&at(2.0 * call), now()), Some(HoldReason::NoCallLevel));
    let mut wrong = ledger;
    for _ in 0..5 {
        wrong.observe(ScoreBand::Call, Verdict::Wrong, month(4));
    }
    let gate = Gate::new(wrong, "WM-7");
    assert_eq!(gate.withheld(&at(2.0 * call), now()), Some(HoldReason::BelowGate));
}

#[test]
fn a_models_own_level_for_calls_has_to_be_held_as_well() {
    let ledger = learned();
    let call = ledger
        .model("WM-7")
        .unwrap()
        .thresholds
        .clone()
        .unwrap()
        .calls
        .unwrap()
        .in_force;
    let gate = Gate::new(ledger, "WM-7");
    let below = FaultPrediction {
        below_call_level: true,
        ..at(2.0 * call)
    };
    assert_eq!(gate.withheld(&below, now()), Some(HoldReason::BelowCallLevel));
    assert_eq!(gate.withheld(&at(2.0 * call), now()), None);
    let unknown = Gate::new(Ledger::default(), "WM-7");
    assert_eq!(unknown.withheld(&below, now()), Some(HoldReason::NoCallLevel));
}

#[test]
fn a_surge_is_told_apart_from_scores() {
    let mut ledger = learned();
    assert!(ledger.breaker("WM-7").count(20, 0.1, now()));
    let gate = Gate::new(ledger.clone(), "WM-7");
    assert!(gate.surges(now()));
    assert_eq!(gate.withheld(&at(9.0), now()), None);
    assert_eq!(
        gate.withheld(&at(1.0), now()),
        Some(HoldReason::BelowCallLevel),
        "also while it surges"
    );
    let until = now() + jiff::SignedDuration::from_hours(24);
    ledger.release("WM-7", "li", "new firmware", now(), until).unwrap();
    assert!(!Gate::new(ledger.clone(), "WM-7").surges(now()));
    assert!(ledger.release("WM-8", "li", "x", now(), until).is_err());
}

/// A quiet fleet does not make a detector's own alarm less than one.
#[test]
fn no_level_lies_below_the_alarm() {
    let mut quiet = History::default();
    for number in 0..4 {
        let scores = (0..300).map(|id| score(id, 0.2 + 0.0001 * id as f32));
        quiet.record(MonthOfScores::new(month(number), scores));
    }
    let mut random = Random(3);
    let mut draw = || random.bits();
    let mut ledger = Ledger::default();
    ledger.renew(
        month(4),
        None,
        &BTreeMap::from([("WM-7".to_owned(), quiet)]),
        &mut Draws(&mut draw),
    );
    assert!(
        ledger
            .model("WM-7")
            .unwrap()
            .thresholds
            .as_ref()
            .unwrap()
            .tickets
            .in_force
            < 0.5
    );
    assert_eq!(Gate::new(ledger, "WM-7").ticket_level(), Some(1.0));
}
