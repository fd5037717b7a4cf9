//! One attempt to reach an owner. Its row is committed before the INVITE leaves, and it ends exactly once.

use crate::call_result::{CallResult, Disposition};
use crate::id::{AttemptId, PersonId, TenantId, TicketId, TraceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod breaker;
mod thread;
pub mod ways_out;

pub use thread::{ContactPhase, ContactThread};
pub(crate) use thread::{ThreadRefusal, Turn};

/// Who rang whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// We rang the owner.
    Outbound,
    /// The owner rang the main number.
    Inbound,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// The row is committed; the INVITE may or may not have left.
    Dialling,
    /// The network says it rings.
    Ringing,
    /// Somebody answered.
    Answered,
    /// It is over and its result stands.
    Ended,
}

/// Attempts of a ticket that are looked at and shown; the call rules stop far below this.
pub const ATTEMPTS_MAX: usize = 500;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContactAttempt {
    /// Id of the attempt.
    pub id: AttemptId,
    /// Tenant that owns the attempt.
    pub tenant: TenantId,
    /// For which ticket.
    pub ticket: TicketId,
    /// The person of the household at the other end.
    pub owner: PersonId,
    /// Who rang whom.
    pub direction: Direction,
    /// Where it stands.
    pub state: AttemptState,
    /// When its row was committed (civil time).
    pub started_at: Timestamp,
    /// When the first sign of ringing came, or the answer (civil time): from then on it counts. None where nothing rang, and of
    /// attempts that ended before this was kept.
    pub rang_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the network said; stands once ended.
    pub result: Option<CallResult>,
    /// What the conversation produced; committed before it is confirmed aloud.
    pub disposition: Option<Disposition>,
    /// The person who asked for it, if it was not placed by itself.
    pub requested_by: Option<String>,
    /// The slot that key 1 books: promised to this owner from the first prompt on.
    pub offered: Option<crate::appointment::Slot>,
    /// Time by which a person rings if the call says that one does: the hour that is said is the one that is kept.
    pub rings_by: Option<Timestamp>,
    /// The call-detail record as the voice part wrote it: timings, digits, packets, transcript. No number in it.
    pub detail: Option<serde_json::Value>,
    /// From the reading to the call.
    pub trace: TraceId,
}

/// What happens to an attempt.
#[derive(Debug, Clone, PartialEq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AttemptEvent {
    /// 18x.
    Ringing,
    /// 2xx.
    Answered,
    /// The owner pressed a key that means something.
    Chose(Disposition),
    /// It is over; with the call-detail record.
    Ended {
        /// What the network said.
        result: CallResult,
        /// The record.
        detail: serde_json::Value,
    },
    /// The program started and found it neither ended nor alive.
    FoundAfterRestart,
}

impl AttemptEvent {
    /// Its word, as it is told.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// An event that cannot happen in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("attempt {attempt}: {event} is impossible after it has ended")]
pub struct AttemptError {
    /// The attempt.
    pub attempt: AttemptId,
    /// What was tried.
    pub event: &'static str,
}

impl ContactAttempt {
    /// Applies an event. An attempt that has ended stays as it is. The same end told again is no error: a caller that did
    /// not hear that it was saved tells it once more.
    pub fn apply(mut self, event: AttemptEvent, now: Timestamp) -> Result<Self, AttemptError> {
        let name = match event {
            AttemptEvent::Ringing => "ringing",
            AttemptEvent::Answered => "answered",
            AttemptEvent::Chose(_) => "a choice",
            AttemptEvent::Ended { .. } => "another end",
            AttemptEvent::FoundAfterRestart => "being found after a restart",
        };
        if self.state == AttemptState::Ended {
            if matches!(event, AttemptEvent::Ended { result, .. } if self.result == Some(result)) {
                return Ok(self);
            }
            return Err(AttemptError {
                attempt: self.id,
                event: name,
            });
        }
        match event {
            AttemptEvent::Ringing if self.state == AttemptState::Dialling => {
                self.state = AttemptState::Ringing;
                self.rang_at = Some(now);
            }
            // 180 after 183, or a late 18x after 2xx: nothing new.
            AttemptEvent::Ringing => {}
            AttemptEvent::Answered => {
                self.state = AttemptState::Answered;
                self.rang_at.get_or_insert(now);
            }
            // The last key counts, but a refusal of all calls is never taken back by a later key.
            AttemptEvent::Chose(_) if self.disposition == Some(Disposition::DoNotCall) => {}
            AttemptEvent::Chose(disposition) => self.disposition = Some(disposition),
            AttemptEvent::Ended { result, detail } => {
                if result == CallResult::Answered && self.disposition.is_none() {
                    self.disposition = Some(Disposition::NothingChosen);
                }
                self.end(result, now);
                self.detail = Some(detail);
            }
            AttemptEvent::FoundAfterRestart => self.end(CallResult::Unknown, now),
        }
        Ok(self)
    }

    fn end(&mut self, result: CallResult, now: Timestamp) {
        self.state = AttemptState::Ended;
        self.result = Some(result);
        self.ended_at = Some(now);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use uuid::Uuid;

    pub(crate) fn attempt() -> ContactAttempt {
        ContactAttempt {
            id: AttemptId(Uuid::from_u128(1)),
            tenant: TenantId::new("acme").unwrap(),
            ticket: TicketId(Uuid::from_u128(2)),
            owner: PersonId(Uuid::from_u128(3)),
            direction: Direction::Outbound,
            state: AttemptState::Dialling,
            started_at: Timestamp::UNIX_EPOCH,
            rang_at: None,
            ended_at: None,
            result: None,
            disposition: None,
            requested_by: None,
            offered: None,
            rings_by: None,
            detail: None,
            trace: TraceId(Uuid::from_u128(4)),
        }
    }

    #[test]
    fn it_ends_exactly_once() {
        let now = Timestamp::from_second(5).unwrap();
        let end_as = |result| AttemptEvent::Ended {
            result,
            detail: serde_json::Value::Null,
        };
        let end = || end_as(CallResult::Answered);
        let ended = attempt()
            .apply(AttemptEvent::Answered, now)
            .unwrap()
            .apply(end(), now)
            .unwrap();
        assert_eq!(ended.disposition, Some(Disposition::NothingChosen));
        let later = Timestamp::from_second(9).unwrap();
        assert_eq!(
            ended.clone().apply(end(), later),
            Ok(ended.clone()),
            "the same end again"
        );
        for event in [
            end_as(CallResult::Busy),
            AttemptEvent::FoundAfterRestart,
            AttemptEvent::Chose(Disposition::DoNotCall),
        ] {
            assert!(ended.clone().apply(event, now).is_err());
        }
    }

    #[test]
    fn a_nine_outlives_every_later_key_and_the_crash() {
        let now = Timestamp::from_second(5).unwrap();
        let nine = attempt()
            .apply(AttemptEvent::Chose(Disposition::DoNotCall), now)
            .unwrap();
        let one = nine
            .apply(AttemptEvent::Chose(Disposition::AppointmentBooked), now)
            .unwrap();
        let lost = one.apply(AttemptEvent::FoundAfterRestart, now).unwrap();
        assert_eq!(
            (lost.result, lost.disposition),
            (Some(CallResult::Unknown), Some(Disposition::DoNotCall))
        );
    }

    #[test]
    fn it_rang_when_the_first_sign_came() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let rang = |events: &[AttemptEvent]| {
            let happens = |(attempt, second): (ContactAttempt, i64), event: &AttemptEvent| {
                (attempt.apply(event.clone(), at(second)).unwrap(), second + 1)
            };
            events.iter().fold((attempt(), 5), happens).0.rang_at
        };
        let end = AttemptEvent::Ended {
            result: CallResult::NetworkFailure,
            detail: serde_json::Value::Null,
        };
        assert_eq!(rang(std::slice::from_ref(&end)), None);
        assert_eq!(rang(&[AttemptEvent::Ringing, end]), Some(at(5)));
        assert_eq!(rang(&[AttemptEvent::Answered, AttemptEvent::Ringing]), Some(at(5)));
        assert_eq!(
            rang(&[AttemptEvent::Ringing, AttemptEvent::Ringing, AttemptEvent::Answered]),
            Some(at(5))
        );
    }
}
