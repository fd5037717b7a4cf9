//! What a family's ledger says of one prediction about an appliance of one model: whether it opens a ticket, how probable it is, why the hub
//! does not ring by itself, and whether the tickets of the model surge.

use super::Month;
use super::ledger::{Ledger, ModelEntry};
use super::level::Thresholds;
use super::precision::{CallFacts, Faults, Precision, Withheld};
use crate::call_rules::HoldReason;
use crate::prediction::FaultPrediction;
use crate::release::GENERIC;
use jiff::Timestamp;

/// Score at which a detector raises an alarm: no threshold is lower.
pub const ALARM: f64 = 1.0;
/// Score from which family `generic` opens a ticket about appliances whose fleet has no past: its floors are guesses by unit then, and each
/// alarm would be a ticket. What fleets turn out to need is in ADR 53.
pub const FIRST_LEVEL: f64 = 3.0;

/// Score from which a model family opens a ticket about appliances whose fleet has no past; none where each of its alarms does.
pub fn first_level(family: &str) -> Option<f64> {
    (family == GENERIC).then_some(FIRST_LEVEL)
}

/// The ledger as far as it concerns appliances of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    ledger: Ledger,
    model: String,
}

impl Gate {
    /// Of this appliance model; entries of others are of no use to it.
    pub fn new(ledger: Ledger, model: &str) -> Self {
        let model = model.to_owned();
        Self { ledger, model }
    }

    fn entry(&self) -> Option<&ModelEntry> {
        self.ledger.model(&self.model)
    }

    fn thresholds(&self) -> Option<&Thresholds> {
        self.entry()?.thresholds.as_ref()
    }

    /// Score from which a ticket is opened; none while the family has no history: then [`first_level`] holds.
    pub fn ticket_level(&self) -> Option<f64> {
        let thresholds = self.thresholds()?;
        Some(thresholds.tickets.in_force.max(ALARM))
    }

    /// How sure a prediction with this score is; none while the family has no history.
    pub fn precision(&self, score: f64, now: Month) -> Option<Precision> {
        let faults = self.ledger.faults_at(score);
        self.ledger
            .precision(&self.model, score, faults, Faults::default(), now)
    }

    /// Whether the breaker of this appliance model has stopped its calls.
    pub fn surges(&self, now: Timestamp) -> bool {
        self.entry().is_some_and(|entry| !entry.breaker.lets_calls_out(now))
    }

    /// Why nobody is rung about it unless a person asks for that or approves it, as far as the fleet's history tells. Without a history
    /// there is no score from which a call is right often enough, and so no call. Where the model has a level of its own for calls, that has
    /// to be held as well. A surge is asked about apart.
    pub fn withheld(&self, prediction: &FaultPrediction, now: Timestamp) -> Option<HoldReason> {
        let score = f64::from(prediction.score);
        let Some(precision) = self.precision(score, Month::at(now)) else {
            return Some(HoldReason::NoCallLevel);
        };
        let calls = self.thresholds().and_then(|thresholds| thresholds.calls);
        let facts = CallFacts {
            fault_class: &prediction.fault_class,
            score,
            call_level: calls.map(|calls| calls.in_force.max(ALARM)),
            breaker_lets_out: true,
            precision,
            watched: self.ledger.watched(),
        };
        let of_fleet = facts.withheld().into_iter().find_map(held);
        let of_model = prediction.below_call_level.then_some(HoldReason::BelowCallLevel);
        of_fleet.or(of_model)
    }
}

/// The reason as it stands on a ticket.
fn held(withheld: Withheld) -> Option<HoldReason> {
    match withheld {
        Withheld::NoCallLevel => Some(HoldReason::NoCallLevel),
        Withheld::BelowCallLevel => Some(HoldReason::BelowCallLevel),
        Withheld::Surge => Some(HoldReason::Surge),
        Withheld::Improbable | Withheld::Unsure => Some(HoldReason::BelowGate),
        // Which classes and families have earned calls is asked apart from scores.
        Withheld::NoNamedClass | Withheld::NotEarned => None,
    }
}
