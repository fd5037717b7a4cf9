//! Visits: what an owner and a service point have agreed, and what became of it.
//!
//! A ticket has one visit at most that stands; which slots there are to choose from stands in `slot`.

use crate::id::{AppointmentId, TenantId, TicketId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::VariantArray;

mod refusal;
mod slot;

pub use refusal::AppointmentError;
pub use slot::{DAYS_AHEAD_MAX, Day, NOTICE_MIN, Slot, WeeklySlot, capacity, next_free};

/// A visit of a technician.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Id of the visit; those of a ticket count up.
    pub id: AppointmentId,
    /// Tenant that owns the ticket.
    pub tenant: TenantId,
    /// Ticket that it is for.
    pub ticket: TicketId,
    /// Where it stands.
    pub state: AppointmentState,
    /// Time of the visit.
    pub slot: Slot,
    /// Service point that sends the technician.
    pub service_point: String,
    /// Who agreed the slot: `owner_by_phone` or a log-in name.
    pub agreed_by: String,
    /// When it was first agreed (civil time).
    pub made_at: Timestamp,
    /// When something last happened to it (civil time).
    pub changed_at: Timestamp,
}

/// Where a visit stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AppointmentState {
    /// A slot is kept for it, and the owner has not agreed yet.
    Proposed,
    /// Agreed. It stays so when its slot has passed, until a person says what happened.
    Confirmed,
    /// Agreed, for another slot than at first.
    Moved,
    /// Called off.
    Cancelled,
    /// The technician is on the way.
    EnRoute,
    /// The technician was there.
    Done,
    /// Nobody was at home, or nobody came.
    NoShow,
}

impl AppointmentState {
    /// Its word, as it is stored and told.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether the visit is still to take place. Then, and only then, it takes a place in its slot.
    pub fn stands(self) -> bool {
        match self {
            Self::Proposed | Self::Confirmed | Self::Moved | Self::EnRoute => true,
            Self::Cancelled | Self::Done | Self::NoShow => false,
        }
    }

    /// The states of visits that stand.
    pub fn standing() -> impl Iterator<Item = Self> {
        Self::VARIANTS.iter().copied().filter(|state| state.stands())
    }
}

/// Who called a visit off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    /// The owner.
    Owner,
    /// The service point or the service desk.
    ServiceDesk,
    /// Nobody: its ticket was closed.
    Closing,
}

/// What happens to a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "visit", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AppointmentEvent {
    /// The owner agrees to what was proposed.
    Confirmed,
    /// Another slot of the same service point is agreed.
    Moved {
        /// The slot.
        slot: Slot,
    },
    /// It is called off.
    Cancelled {
        /// Who called it off.
        by: CancelledBy,
        /// Reason in a person's words, or empty; at most [`REASON_LEN_MAX`] characters.
        reason: String,
    },
    /// The technician sets out.
    EnRoute,
    /// The technician was there.
    Done,
    /// Nobody was at home, or nobody came.
    NoShow,
}

/// Longest reason of a cancellation, in characters.
pub const REASON_LEN_MAX: usize = 500;

impl AppointmentEvent {
    /// Its word, as it is stored.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// What an owner and the service desk agree on.
#[derive(Debug, Clone, Copy)]
pub struct Agreement<'a> {
    /// Time of the visit.
    pub slot: Slot,
    /// Service point that sends the technician.
    pub service_point: &'a str,
    /// Who agreed it: `owner_by_phone` or a log-in name.
    pub by: &'a str,
}

impl Appointment {
    /// The visit of a ticket that is agreed now: `last`, which the ticket knows of, moved if it stands, or else another one. The
    /// same agreement again changes nothing.
    #[must_use]
    pub fn agree(
        last: Option<Self>,
        tenant: &TenantId,
        ticket: TicketId,
        agreement: Agreement<'_>,
        now: Timestamp,
    ) -> Self {
        match last {
            Some(visit) if visit.state.stands() => visit.agree_again(agreement, now),
            over => Self {
                id: AppointmentId::after(ticket, over.map(|visit| visit.id)),
                tenant: tenant.clone(),
                ticket,
                state: AppointmentState::Proposed,
                slot: agreement.slot,
                service_point: agreement.service_point.to_owned(),
                agreed_by: agreement.by.to_owned(),
                made_at: now,
                changed_at: now,
            }
            .confirm(agreement.by, now),
        }
    }

    fn agree_again(self, agreement: Agreement<'_>, now: Timestamp) -> Self {
        let is_same = self.slot == agreement.slot && self.service_point == agreement.service_point;
        match self.state {
            AppointmentState::Proposed if is_same => self.confirm(agreement.by, now),
            _ if is_same => self,
            _ => self.move_to(agreement, now),
        }
    }

    fn confirm(self, by: &str, now: Timestamp) -> Self {
        Self {
            agreed_by: by.to_owned(),
            ..self.become_at(AppointmentState::Confirmed, now)
        }
    }

    fn move_to(self, agreement: Agreement<'_>, now: Timestamp) -> Self {
        Self {
            slot: agreement.slot,
            service_point: agreement.service_point.to_owned(),
            agreed_by: agreement.by.to_owned(),
            ..self.become_at(AppointmentState::Moved, now)
        }
    }

    fn become_at(self, state: AppointmentState, now: Timestamp) -> Self {
        Self {
            state,
            changed_at: now,
            ..self
        }
    }

    /// Applies an event that `actor` caused (a log-in name, or the hub).
    ///
    /// # Errors
    ///
    /// It cannot happen to this visit, or not yet. What is over stays as it is.
    pub fn apply(self, event: &AppointmentEvent, actor: &str, now: Timestamp) -> Result<Self, AppointmentError> {
        use {AppointmentError as Error, AppointmentEvent as Event, AppointmentState as State};
        let (event_name, state) = (event.name(), self.state);
        if !state.stands() {
            return Err(Error::Over {
                event: event_name,
                state: state.name(),
            });
        }
        match event {
            Event::Confirmed if state == State::Proposed => Ok(self.confirm(actor, now)),
            Event::Moved { slot } if slot.end <= now => Err(Error::Passed(slot.end)),
            Event::Moved { slot } => {
                let service_point = self.service_point.clone();
                let agreement = Agreement {
                    slot: *slot,
                    service_point: &service_point,
                    by: actor,
                };
                Ok(self.move_to(agreement, now))
            }
            Event::Cancelled { reason, .. } => match reason.chars().count() {
                length if length > REASON_LEN_MAX => Err(Error::ReasonTooLong(length)),
                _ => Ok(self.become_at(State::Cancelled, now)),
            },
            Event::EnRoute | Event::Done | Event::NoShow if state == State::Proposed => {
                Err(Error::NotConfirmed { event: event_name })
            }
            Event::Confirmed => Err(Error::Already { state: state.name() }),
            Event::EnRoute if state == State::EnRoute => Err(Error::Already { state: state.name() }),
            Event::EnRoute => Ok(self.become_at(State::EnRoute, now)),
            // A technician may be there before the slot begins; that somebody was missing is not known before.
            Event::Done => Ok(self.become_at(State::Done, now)),
            Event::NoShow if now < self.slot.start => Err(Error::NotBegun(self.slot.start)),
            Event::NoShow => Ok(self.become_at(State::NoShow, now)),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
