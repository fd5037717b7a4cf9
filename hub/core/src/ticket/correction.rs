//! A wrong label is taken back: outcome and verdict of a closed ticket are corrected, with a reason. The ticket stays closed.

use super::promise::check_text;
use super::{ServiceTicket, TicketAction, TicketError};
use crate::outcome::Outcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest reason for a correction, in characters.
pub const CORRECTION_REASON_LEN_MAX: usize = 500;
/// Corrections of one ticket, at most.
pub const CORRECTIONS_MAX: u32 = 20;

/// The newest correction of a ticket's outcome. What the outcome was before stands in the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// How many there have been; at most 20.
    pub count: u32,
    /// What was wrong with the outcome before; 1 to 500 characters.
    pub reason: String,
    /// Log-in name of the person who corrected it.
    pub by: String,
    /// When they did.
    pub at: Timestamp,
}

impl ServiceTicket {
    /// Another outcome for a closed ticket. What the old one made of the finding, and of a visit that stood at the closing, is
    /// taken back where the new one means something else for it, and that is done.
    pub(super) fn correct(
        mut self,
        outcome: &Outcome,
        reason: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<(Self, Vec<TicketAction>), TicketError> {
        let number = self.number;
        let was = self.outcome.take().ok_or(TicketError::NotClosed(number))?;
        check_text(number, "a reason", reason, CORRECTION_REASON_LEN_MAX)?;
        if was == *outcome {
            return Err(TicketError::NothingCorrected(number));
        }
        let count = self.correction.as_ref().map_or(0, |last| last.count);
        if count >= CORRECTIONS_MAX {
            return Err(TicketError::CorrectedTooOften(number));
        }
        outcome
            .check(self.fault.is_some())
            .map_err(|source| TicketError::Outcome { number, source })?;
        let labelled_at = self.correction.as_ref().map_or(self.closed_at, |last| Some(last.at));
        let (old, new) = (self.settlement(&was), self.settlement(outcome));
        let mut actions: Vec<TicketAction> = self.correct_visit(&was, outcome).into_iter().collect();
        if old != new {
            let taken_back = old.zip(labelled_at);
            actions.extend(taken_back.map(|(settlement, at)| TicketAction::TakeBack { settlement, at }));
            actions.extend(new.map(TicketAction::SettleFinding));
        }
        self.outcome = Some(outcome.clone());
        self.correction = Some(Correction {
            count: count + 1,
            reason: reason.to_owned(),
            by: actor.to_owned(),
            at: now,
        });
        Ok((self, actions))
    }
}
