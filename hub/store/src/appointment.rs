//! Visits of a span of time, so that a service point can see its day. What becomes of a visit is told its ticket
//! ([`crate::ticket::TicketStore::apply_ticket`]).

use crate::error::{Result, StoreError};
use crate::page::Page;
use crate::site::ApplianceView;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::appointment::Appointment;
use hub_core::id::AppointmentId;
use jiff::Timestamp;
use serde::Serialize;

/// Which visits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppointmentFilter {
    /// Those whose slot begins at this time or later …
    pub from: Timestamp,
    /// … and before this one.
    pub until: Timestamp,
    /// Only those of this service point.
    pub service_point: Option<String>,
}

/// A visit in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppointmentSummary {
    /// The visit.
    pub appointment: Appointment,
    /// Number of its ticket.
    pub number: i64,
    /// The appliance that the technician comes for.
    pub appliance: ApplianceView,
}

/// Visits.
#[async_trait]
pub trait AppointmentStore: Send + Sync {
    /// Visits of a span of time, whatever has become of them, the earliest slot first.
    async fn appointments(
        &self,
        actor: &Actor,
        filter: &AppointmentFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<AppointmentSummary>>;
}

/// The cursor of a page that ends with this visit.
pub fn cursor(visit: &Appointment) -> String {
    format!("{}.{}", visit.slot.start.as_microsecond(), visit.id)
}

/// Place in the list behind which a page begins: start of the slot and id of the visit before it.
///
/// # Errors
///
/// A cursor that nobody gave out.
pub fn place(after: Option<&str>) -> Result<Option<(Timestamp, AppointmentId)>> {
    let Some(text) = after else { return Ok(None) };
    let read = || {
        let (start, id) = text.split_once('.')?;
        let start = Timestamp::from_microsecond(start.parse().ok()?).ok()?;
        Some((start, id.parse().ok()?))
    };
    let place = read().ok_or_else(|| StoreError::NotFound {
        what: "page after",
        id: text.to_owned(),
    })?;
    Ok(Some(place))
}
