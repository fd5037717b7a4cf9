//! Somebody rings the main number: the ticket that the call is about.

use super::{Changes, Ids, Situation, SituationError};
use crate::contact::ContactPhase;
use crate::id::TicketId;
use crate::ticket::{HUB, ServiceTicket, TicketEvent, TicketKind};
use jiff::Timestamp;

/// Ticket numbers have fewer figures than a telephone number.
const TICKET_FIGURES_MAX: usize = 9;
/// A serial number with fewer figures could be anybody's.
const SERIAL_FIGURES_MIN: usize = 6;
/// Most figures that a caller may key in.
pub const FIGURES_MAX: usize = 24;

/// What the figures may name that a caller has keyed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed<'a> {
    /// Number of a ticket.
    pub ticket: Option<i64>,
    /// Figures of a serial number, without the letters between them. They name an appliance if no other of the tenant has the same.
    pub serial: Option<&'a str>,
}

impl<'a> Keyed<'a> {
    /// Reads them. What is no figure, or too long, names nothing.
    pub fn read(figures: &'a str) -> Self {
        let is_read = figures.len() <= FIGURES_MAX && figures.bytes().all(|figure| figure.is_ascii_digit());
        let figures = if is_read { figures } else { "" };
        Self {
            ticket: figures.parse().ok().filter(|_| figures.len() <= TICKET_FIGURES_MAX),
            serial: (figures.len() >= SERIAL_FIGURES_MIN).then_some(figures),
        }
    }
}

/// The ticket that a caller is spoken with about, of those of their appliances: one with a visit that is not over before one
/// without; one with a finding, which a call can speak of, before one without; one that the hub is not done with before one that it
/// is done with; the newest of them. None that is closed or in a call.
pub fn for_caller(tickets: &[ServiceTicket], now: Timestamp) -> Option<&ServiceTicket> {
    tickets
        .iter()
        .filter(|ticket| !ticket.is_closed() && ticket.contact.phase != ContactPhase::InCall)
        .max_by_key(|ticket| {
            (
                ticket.visit_ahead(now).is_some(),
                ticket.fault.is_some(),
                ticket.contact.phase != ContactPhase::Done,
                ticket.id,
            )
        })
}

/// Whether a call about one of a caller's tickets is up: another call opens nothing meanwhile.
pub fn is_in_call(tickets: &[ServiceTicket]) -> bool {
    tickets
        .iter()
        .any(|ticket| ticket.contact.phase == ContactPhase::InCall)
}

impl Situation {
    /// Opens a ticket for an owner who rings while nothing is open that the call could be about.
    ///
    /// # Errors
    ///
    /// [`SituationError::Full`] if enough is open.
    pub fn open_for_caller(
        &mut self,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<TicketId, SituationError> {
        let id = self.open_plain(TicketKind::Consult, ids, now, changes)?;
        self.act(id, &TicketEvent::RangIn, HUB, now, changes)?;
        Ok(id)
    }

    /// A caller whom nobody knows has named the appliance, by its serial number or by `ticket`, and was told that a person rings the
    /// owner by then. So much is noted, on the ticket or on another one that is open, and nothing else changes: anybody can key a
    /// number in. While a call's promise is due before, nothing is noted at all; a person's is about something else.
    ///
    /// # Errors
    ///
    /// [`SituationError::Full`] if enough is open.
    pub fn named(
        &mut self,
        ticket: Option<TicketId>,
        rings_by: Timestamp,
        ids: &mut Ids<'_>,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<TicketId, SituationError> {
        let is_open = |known: &&ServiceTicket| !known.is_closed();
        let named = self
            .tickets
            .iter()
            .filter(is_open)
            .find(|known| Some(known.id) == ticket);
        let open = named.or_else(|| self.tickets.iter().filter(is_open).max_by_key(|known| known.id));
        let due_before = |known: &ServiceTicket| {
            let mut promises = known.promises();
            promises.any(|promise| promise.is_of_call() && promise.by <= rings_by)
        };
        let id = match open {
            Some(known) if due_before(known) => return Ok(known.id),
            Some(known) => known.id,
            None => self.open_for_caller(ids, now, changes)?,
        };
        self.act(id, &TicketEvent::NamedByCaller { rings_by }, HUB, now, changes)?;
        Ok(id)
    }
}
