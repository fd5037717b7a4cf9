//! What happens in a call, and what its ticket hears of it.

use super::{Changes, PastCall, Refusal, Situation, SituationError};
use crate::call_result::{CallResult, Disposition};
use crate::contact::{AttemptEvent, AttemptState, ContactAttempt, Direction};
use crate::id::AttemptId;
use crate::ticket::{HUB, TicketEvent};
use jiff::{SignedDuration, Timestamp};

/// After a call that reached nobody the contact worker looks again at once: the plan's pauses decide there.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// An attempt, with the service point whose slot it offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The attempt.
    pub attempt: ContactAttempt,
    /// Service point of the slot that key 1 books; none where no slot is offered.
    pub service_point: Option<String>,
}

impl Situation {
    /// Something happens to an attempt by [`ContactAttempt::apply`], and its ticket hears of it: the visit of key 1, the refusal
    /// of key 9, the end. The same end told again changes nothing: it was saved, and the caller did not hear so.
    ///
    /// # Errors
    ///
    /// What the attempt or its ticket refuses; [`SituationError::Missing`] if either is not of this situation.
    pub fn call_event(
        &mut self,
        id: AttemptId,
        event: AttemptEvent,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<ContactAttempt, SituationError> {
        let found = self.attempts.iter().find(|running| running.attempt.id == id);
        let before = found.cloned().ok_or_else(|| self.missing("attempt", id))?;
        let event = match event {
            // Key 1 in a call that had no slot to offer is a wish for one.
            AttemptEvent::Chose(Disposition::AppointmentBooked) if before.attempt.offered.is_none() => {
                AttemptEvent::Chose(Disposition::AnotherTime)
            }
            other => other,
        };
        let is_over = before.attempt.state == AttemptState::Ended;
        let after = Running {
            attempt: before.attempt.apply(event.clone(), now)?,
            service_point: before.service_point,
        };
        if is_over {
            return Ok(after.attempt);
        }
        self.put_attempt(after.clone(), changes);
        let kind = format!("contact.{}", event.name());
        changes.told.push(self.told(kind, Some(after.attempt.ticket), now));
        if event == AttemptEvent::Chose(Disposition::DoNotCall) {
            changes.refusals.push(Refusal {
                tenant: self.tenant.clone(),
                person: after.attempt.owner,
                at: now,
            });
        }
        let pause = SignedDuration::from_mins(i64::from(self.rules.busy_minutes));
        if let Some(heard) = heard(&after, &event, pause, now) {
            self.act(after.attempt.ticket, &heard, HUB, now, changes)?;
        }
        Ok(after.attempt)
    }

    pub(super) fn put_attempt(&mut self, running: Running, changes: &mut Changes) {
        changes.attempt(running.clone());
        let mut known = self.attempts.iter_mut();
        match known.find(|known| known.attempt.id == running.attempt.id) {
            Some(known) => *known = running,
            None => self.attempts.push(running),
        }
    }
}

/// What the ticket of this attempt hears. After a call that rang nobody it waits at least this `pause`, also if a person asked for the call:
/// what the way out cannot do now it cannot do at once either.
fn heard(running: &Running, event: &AttemptEvent, pause: SignedDuration, now: Timestamp) -> Option<TicketEvent> {
    let attempt = &running.attempt;
    let counts = PastCall::from(attempt).counts();
    match event {
        AttemptEvent::Ringing | AttemptEvent::Answered => None,
        // An earlier key 9 stands.
        AttemptEvent::Chose(chosen) if attempt.disposition != Some(*chosen) => None,
        AttemptEvent::Chose(chosen) => {
            let is_booked = *chosen == Disposition::AppointmentBooked;
            let is_promised = matches!(chosen, Disposition::AnotherTime | Disposition::PersonWanted);
            Some(TicketEvent::Chose {
                attempt: attempt.id,
                disposition: *chosen,
                slot: attempt.offered.filter(|_| is_booked),
                service_point: running.service_point.clone().filter(|_| is_booked),
                rings_by: attempt.rings_by.filter(|_| is_promised),
            })
        }
        AttemptEvent::Ended { .. } | AttemptEvent::FoundAfterRestart => Some(TicketEvent::AttemptEnded {
            attempt: attempt.id,
            inbound: attempt.direction == Direction::Inbound,
            result: attempt.result.unwrap_or(CallResult::Unknown),
            disposition: attempt.disposition,
            contact_due: now + if counts { LOOK_AGAIN } else { pause.max(LOOK_AGAIN) },
        }),
    }
}
