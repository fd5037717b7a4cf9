//! POST /api/v1/tickets/{id}/appointment: something happened to the ticket's visit.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::appointment::{AppointmentEvent, CancelledBy, Slot};
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What happened to a visit.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum VisitEvent {
    /// The owner agrees to what was proposed.
    Confirmed,
    /// Another slot of the same service point is agreed.
    Moved {
        /// Start of a slot that the service point offers.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// It is called off.
    Cancelled {
        /// Who called it off.
        by: CalledOffBy,
        /// Why, in a line of at most 500 characters.
        #[serde(default)]
        #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$")]
        reason: String,
    },
    /// The technician sets out.
    EnRoute,
    /// The technician was there.
    Done,
    /// Nobody was at home, or nobody came; not before the slot has begun.
    NoShow,
}

/// Who calls a visit off.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalledOffBy {
    /// The owner.
    Owner,
    /// The service point or the service desk.
    ServiceDesk,
}

impl From<VisitEvent> for AppointmentEvent {
    fn from(event: VisitEvent) -> Self {
        match event {
            VisitEvent::Confirmed => Self::Confirmed,
            VisitEvent::Moved { start, end } => Self::Moved {
                slot: Slot { start, end },
            },
            VisitEvent::Cancelled { by, reason } => Self::Cancelled {
                by: match by {
                    CalledOffBy::Owner => CancelledBy::Owner,
                    CalledOffBy::ServiceDesk => CancelledBy::ServiceDesk,
                },
                reason,
            },
            VisitEvent::EnRoute => Self::EnRoute,
            VisitEvent::Done => Self::Done,
            VisitEvent::NoShow => Self::NoShow,
        }
    }
}

/// Tells the ticket.
///
/// # Errors
///
/// No such ticket of theirs, it is closed or has no visit, the visit does not allow it now, a call is under way in which the owner
/// may be moving it, or the slot has no place.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: VisitEvent) -> Result<ServiceTicket> {
    let event = TicketEvent::Visit(body.into());
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Says what happened to the ticket's visit: it is confirmed, moved or called off, the technician is on the way or was there, or
/// nobody was.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/appointment", tag = "tickets", operation_id = "changeVisit",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = VisitEvent,
    responses(
        (status = 200, description = "Told", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed, without a visit, the visit does not allow it, a call is under way, or the slot is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<VisitEvent>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
