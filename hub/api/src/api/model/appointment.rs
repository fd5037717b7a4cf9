//! Visits: on their ticket, and in the list of a day.

use super::Appliance;
use crate::api::schema;
use hub_core::appointment as core;
use hub_store::appointment as store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A span of time in which a technician comes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Slot {
    /// Start.
    start: Timestamp,
    /// End.
    end: Timestamp,
}

impl From<core::Slot> for Slot {
    fn from(slot: core::Slot) -> Self {
        Self {
            start: slot.start,
            end: slot.end,
        }
    }
}

/// A visit of a technician.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Appointment {
    /// Id of the visit. A ticket whose visit was called off or is over may have another one.
    id: Uuid,
    /// Where it stands.
    #[schema(schema_with = schema::words::<core::AppointmentState>)]
    state: core::AppointmentState,
    /// Time of the visit.
    slot: Slot,
    /// Service point that sends the technician.
    service_point: String,
    /// Who agreed the slot: `owner_by_phone` or a log-in name.
    agreed_by: String,
    /// When it was first agreed.
    made_at: Timestamp,
    /// When something last happened to it.
    changed_at: Timestamp,
}

impl From<core::Appointment> for Appointment {
    fn from(visit: core::Appointment) -> Self {
        Self {
            id: visit.id.0,
            state: visit.state,
            slot: visit.slot.into(),
            service_point: visit.service_point,
            agreed_by: visit.agreed_by,
            made_at: visit.made_at,
            changed_at: visit.changed_at,
        }
    }
}

/// A visit in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppointmentSummary {
    /// The visit.
    appointment: Appointment,
    /// Id of its ticket.
    ticket: Uuid,
    /// Number of its ticket.
    number: i64,
    /// The appliance that the technician comes for.
    appliance: Appliance,
}

impl From<store::AppointmentSummary> for AppointmentSummary {
    fn from(summary: store::AppointmentSummary) -> Self {
        Self {
            ticket: summary.appointment.ticket.0,
            appointment: summary.appointment.into(),
            number: summary.number,
            appliance: summary.appliance.into(),
        }
    }
}
