//! Contact attempts: what follows from their events, and what owners said in them.

use super::not_found;
use super::state::State;
use crate::error::Result;
use hub_core::call_result::{CallResult, Disposition};
use hub_core::contact::{AttemptEvent, AttemptState, ContactAttempt, Direction};
use hub_core::contact_plan::REMEMBERED;
use hub_core::id::{AttemptId, OwnerId, TicketId};
use hub_core::ticket::{HUB, ServiceTicket, TicketEvent};
use jiff::{SignedDuration, Timestamp};

/// After a call that reached nobody the contact worker looks again at once: the plan's pauses decide there.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// Calls to one person are counted over this time; a little more than the plan's 24 hours.
const CALLS_COUNTED: SignedDuration = SignedDuration::from_hours(48);
/// Attempts shown with a ticket; the contact plan stops far below this.
const OF_TICKET_MAX: usize = 500;
/// `source` of the ledger entry of key 9.
const KEY_9: &str = "phone_key_9";

/// What calls with one person have said lately.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// When they were rung.
    pub(super) rung: Vec<Timestamp>,
    /// A call with them is up.
    pub(super) in_call: bool,
    /// They declined one.
    pub(super) declined: bool,
    /// One was cut off, and they have not answered one since.
    pub(super) unknown: bool,
}

impl State {
    /// Oldest first.
    pub(super) fn attempts_of(&self, ticket: TicketId) -> Vec<ContactAttempt> {
        let attempts = self.attempts.values().map(|(attempt, _)| attempt);
        let own = attempts.filter(|attempt| attempt.ticket == ticket);
        own.take(OF_TICKET_MAX).cloned().collect()
    }

    pub(super) fn said_lately(&self, owner: OwnerId, now: Timestamp) -> Said {
        let calls: Vec<&ContactAttempt> = self
            .attempts
            .values()
            .map(|(a, _)| a)
            .filter(|a| a.owner == owner)
            .collect();
        let alive = |call: &ContactAttempt| call.state != AttemptState::Ended;
        let outbound = |call: &ContactAttempt| call.direction == Direction::Outbound;
        let counted = |call: &ContactAttempt| alive(call) || call.started_at > now - CALLS_COUNTED;
        let ended = |result| {
            let calls = calls
                .iter()
                .filter(move |call| !alive(call) && call.result == Some(result));
            calls.filter(|call| call.ended_at.is_some_and(|at| at > now - REMEMBERED))
        };
        let answered_after = |at| ended(CallResult::Answered).any(|call| call.ended_at > at);
        let mut cut_off = ended(CallResult::Unknown).filter(|call| outbound(call));
        let rung = calls.iter().filter(|call| outbound(call) && counted(call));
        Said {
            rung: rung.map(|call| call.started_at).collect(),
            in_call: calls.iter().any(|call| alive(call)),
            declined: ended(CallResult::Declined).any(|call| outbound(call)),
            unknown: cut_off.any(|call| !answered_after(call.ended_at)),
        }
    }

    pub(super) fn apply_attempt(
        &mut self,
        id: AttemptId,
        event: AttemptEvent,
        now: Timestamp,
    ) -> Result<ContactAttempt> {
        let found = self.attempts.get(&id).cloned();
        let (attempt, point) = found.ok_or_else(|| not_found("attempt", id))?;
        let ticket = self.ticket(attempt.ticket)?;
        let event = match event {
            // Key 1 in a call that had no slot to offer is a wish for one.
            AttemptEvent::Chose(Disposition::AppointmentBooked) if attempt.offered.is_none() => {
                AttemptEvent::Chose(Disposition::AnotherTime)
            }
            other => other,
        };
        let over = attempt.state == AttemptState::Ended;
        let attempt = attempt.apply(event.clone(), now)?;
        if over {
            // The same end again: it was saved, and whoever tells it did not hear so.
            return Ok(attempt);
        }
        self.attempts.insert(id, (attempt.clone(), point.clone()));
        let (of, appliance) = (Some(ticket.id), Some(ticket.appliance));
        self.tell(&attempt.tenant, kind(&event), of, appliance, now);
        self.tell_of_attempt(ticket, &attempt, point, &event, now)?;
        Ok(attempt)
    }

    fn tell_of_attempt(
        &mut self,
        ticket: ServiceTicket,
        attempt: &ContactAttempt,
        point: Option<String>,
        event: &AttemptEvent,
        now: Timestamp,
    ) -> Result<()> {
        match event {
            AttemptEvent::Ringing | AttemptEvent::Answered => {}
            AttemptEvent::Chose(chosen) => {
                // An earlier key 9 stands.
                if attempt.disposition != Some(*chosen) {
                    return Ok(());
                }
                if *chosen == Disposition::DoNotCall {
                    self.note_do_not_call(attempt.owner, now);
                }
                let booked = *chosen == Disposition::AppointmentBooked;
                let chose = TicketEvent::Chose {
                    attempt: attempt.id,
                    disposition: *chosen,
                    slot: attempt.offered.filter(|_| booked),
                    service_point: point.filter(|_| booked),
                };
                self.transition(ticket, &chose, HUB, now)?;
            }
            AttemptEvent::Ended { .. } | AttemptEvent::FoundAfterRestart => {
                let ended = TicketEvent::AttemptEnded {
                    attempt: attempt.id,
                    inbound: attempt.direction == Direction::Inbound,
                    result: attempt.result.unwrap_or(CallResult::Unknown),
                    disposition: attempt.disposition,
                    contact_due: now + LOOK_AGAIN,
                };
                self.transition(ticket, &ended, HUB, now)?;
            }
        }
        Ok(())
    }

    /// Key 9: the ledger and the list.
    fn note_do_not_call(&mut self, owner: OwnerId, now: Timestamp) {
        self.write_consent(owner, false, KEY_9, now);
        let Some(owner) = self.owners.get(&owner) else { return };
        if let Some(phone) = &owner.phone {
            self.do_not_call
                .insert((owner.tenant.clone(), phone.reveal().to_owned()));
        }
    }
}

fn kind(event: &AttemptEvent) -> &'static str {
    match event {
        AttemptEvent::Ringing => "contact.ringing",
        AttemptEvent::Answered => "contact.answered",
        AttemptEvent::Chose(_) => "contact.chose",
        AttemptEvent::Ended { .. } => "contact.ended",
        AttemptEvent::FoundAfterRestart => "contact.found_after_restart",
    }
}
