//! What a fleet's past makes of an alarm.

use super::*;
use crate::budget::gate::Gate;
use crate::budget::history::{HighestScore, History, MonthOfScores};
use crate::budget::ledger::Ledger;
use crate::budget::{Draws, Month};
use crate::finding::COOL_DOWN;
use std::collections::BTreeMap;
use std::sync::Arc;

const MODEL: &str = "WM-7";

/// From 300 sound machines with these scores, by number.
fn gate_from(scores: impl Fn(i64) -> f32) -> Gate {
    let month = Month::at(morning());
    let mut history = History::default();
    for back in 1..=4 {
        let score = |id: i64| HighestScore {
            appliance: ApplianceId(id),
            score: scores(id),
        };
        history.record(MonthOfScores::new(month.plus(-back), (0..300).map(score)));
    }
    let (mut ledger, mut state) = (Ledger::default(), 1_u64);
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state
    };
    ledger.renew(
        month,
        None,
        &BTreeMap::from([(MODEL.to_owned(), history)]),
        &mut Draws(&mut draw),
    );
    Gate::new(ledger, MODEL)
}

/// Among machines with scores from 2.0 to 2.6, and the score of tickets.
fn in_a_fleet() -> (Unit, f32) {
    let gate = gate_from(|id| 2.0 + 0.002 * id as f32);
    let level = gate.ticket_level().unwrap() as f32;
    let mut unit = Unit::new();
    unit.situation.gates = BTreeMap::from([("washing-machine".to_owned(), Arc::new(gate))]);
    (unit, level)
}

impl Unit {
    /// The fleet has a past now, in which no sound machine came near the score of an alarm: what has earned calls is rung about.
    pub(super) fn learns_of_a_quiet_past(&mut self) {
        let gate = Arc::new(gate_from(|id| 0.2 + 0.0001 * id as f32));
        self.situation.gates = BTreeMap::from([("washing-machine".to_owned(), gate)]);
    }

    /// The breaker of its appliance model has stopped calls.
    pub(super) fn surges(&mut self) {
        let mut ledger = Ledger::default();
        assert!(ledger.breaker(MODEL).count(20, 0.1, morning()));
        let gate = Arc::new(Gate::new(ledger, MODEL));
        self.situation.gates = BTreeMap::from([("washing-machine".to_owned(), gate)]);
    }
}

fn scored(score: f32) -> Observation {
    let mut seen = alarm("pump", 0.95, Severity::Major);
    if let Observation::Alarm { prediction, .. } = &mut seen {
        prediction.score = score;
    }
    seen
}

#[test]
fn a_finding_waits_for_its_score_and_says_so() {
    let (mut unit, level) = in_a_fleet();
    unit.sees(scored(1.5));
    let finding = unit.situation.findings[0].clone();
    assert!(finding.ticket.is_none() && unit.situation.tickets.is_empty());
    assert!((finding.ticket_from.unwrap() as f32 - level).abs() < 1e-4);
    assert!(finding.prediction.probability < 0.1 && finding.prediction.verdicts.is_some());
    // Seen again and no higher: nothing but the count changes.
    unit.sees(scored(1.5));
    assert_eq!((unit.situation.findings[0].count, unit.situation.tickets.len()), (2, 0));
    unit.sees(scored(1.1 * level));
    let finding = &unit.situation.findings[0];
    assert_eq!(
        (finding.ticket_from, finding.ticket),
        (None, Some(unit.situation.tickets[0].id))
    );
    // A lower score of the same deviation takes nothing back.
    unit.sees(scored(1.5));
    assert_eq!(unit.situation.findings[0].prediction.score, 1.1 * level);
}

#[test]
fn without_a_past_the_model_speaks_for_itself() {
    let mut unit = Unit::new();
    unit.sees(scored(1.0));
    let finding = &unit.situation.findings[0];
    assert!(finding.ticket.is_some() && finding.prediction.verdicts.is_none());
    assert_eq!(finding.prediction.probability, 0.95);
}

/// What nobody has trained has floors that are guesses, and each of its alarms would be a ticket.
#[test]
fn without_a_past_family_generic_opens_a_ticket_from_three_thresholds_on() {
    let mut unit = Unit::new();
    let of_generic = |score: f32| {
        let mut seen = scored(score);
        if let Observation::Alarm { prediction, .. } = &mut seen {
            prediction.model = "generic/1".to_owned();
        }
        seen
    };
    unit.sees(of_generic(2.9));
    let finding = &unit.situation.findings[0];
    assert_eq!((finding.ticket, finding.ticket_from), (None, Some(3.0)));
    unit.sees(of_generic(3.0));
    let finding = &unit.situation.findings[0];
    assert!(finding.ticket.is_some() && finding.ticket_from.is_none());
}

/// Otherwise each batch of the scorer would look at it again.
#[test]
fn a_cool_down_that_ends_below_the_level_is_over() {
    let (mut unit, _) = in_a_fleet();
    unit.situation.quiet = vec![("pump".to_owned(), unit.now + COOL_DOWN)];
    unit.sees(scored(1.5));
    let finding = &unit.situation.findings[0];
    assert!(finding.suppressed_until.is_some() && finding.ticket_from.is_some());
    unit.now += COOL_DOWN;
    let now = unit.now;
    let (told, changes) = unit.with_ids(|situation, ids, changes| situation.end_cool_downs(ids, now, changes));
    assert!(told.unwrap().is_empty() && !changes.is_empty());
    let finding = &unit.situation.findings[0];
    assert_eq!((finding.suppressed_until, finding.ticket), (None, None));
    // The level has gone: the next look gives it its ticket.
    unit.situation.gates.clear();
    let (told, _) = unit.with_ids(|situation, ids, changes| situation.end_cool_downs(ids, now, changes));
    assert!(told.unwrap()[0].opened.is_some());
}
