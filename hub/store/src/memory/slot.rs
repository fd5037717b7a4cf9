//! Slots of service points: each place is promised once, by call or by a person.

use super::not_found;
use super::state::State;
use crate::error::{Result, StoreError};
use hub_core::appointment::{Slot, capacity, next_free};
use hub_core::contact::AttemptState;
use hub_core::id::{TenantId, TicketId};
use hub_core::site::ServicePoint;
use hub_core::ticket::ServiceTicket;
use jiff::Timestamp;
use jiff::tz::TimeZone;

impl State {
    /// The next slot with a free place.
    pub(super) fn next_slot(&self, tenant: &TenantId, point: &ServicePoint, now: Timestamp) -> Option<Slot> {
        let zone = TimeZone::get(&point.zone).ok()?;
        next_free(&point.slots, &zone, now, |start| {
            self.taken(tenant, &point.id, start, None)
        })
    }

    /// Whether the slot that a person books for this ticket has a place left.
    pub(super) fn check_room(&self, ticket: &ServiceTicket, slot: Slot, point: &str) -> Result<()> {
        let known = self.service_point(&ticket.tenant, point);
        let known = known.ok_or_else(|| not_found("service point", point))?;
        let zone = TimeZone::get(&known.zone).unwrap_or(TimeZone::UTC);
        let taken = self.taken(&ticket.tenant, point, slot.start, Some(ticket.id));
        if taken < capacity(&known.slots, &zone, slot) {
            return Ok(());
        }
        Err(StoreError::Conflict(format!(
            "the slot from {} to {} of service point {point} is taken; look at the ticket again",
            slot.start, slot.end
        )))
    }

    /// How many places of a slot are taken: agreed visits and calls that are up and offer it, but for those of the ticket
    /// `except`.
    fn taken(&self, tenant: &TenantId, point: &str, start: Timestamp, except: Option<TicketId>) -> u16 {
        let visit = |ticket: &ServiceTicket| {
            let visit = ticket.appointment.as_ref();
            visit.is_some_and(|visit| visit.slot.start == start && visit.service_point == point)
        };
        let open =
            |ticket: &&ServiceTicket| ticket.tenant == *tenant && !ticket.is_closed() && Some(ticket.id) != except;
        let agreed = self
            .tickets
            .values()
            .filter(open)
            .filter(|ticket| visit(ticket))
            .count();
        let offered = self.attempts.values().filter(|running| {
            let (attempt, at) = (&running.attempt, &running.service_point);
            let ticket = self.tickets.get(&attempt.ticket);
            let booked = ticket
                .and_then(|ticket| ticket.appointment.as_ref())
                .map(|visit| visit.slot.start);
            attempt.tenant == *tenant
                && attempt.state != AttemptState::Ended
                && at.as_deref() == Some(point)
                && attempt.offered.is_some_and(|slot| slot.start == start)
                && booked != Some(start)
                && Some(attempt.ticket) != except
        });
        u16::try_from(agreed + offered.count()).unwrap_or(u16::MAX)
    }
}
