//! POST /api/v1/tickets/{id}/book: a person agreed a visit with the owner.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::ApiError;
use crate::error::{Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::actor::Act;
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Which slot was agreed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Booking {
    /// `next_slot.start` of the ticket as it was read: refused if another visit has taken that slot meanwhile.
    pub start: Timestamp,
}

/// Books the next free slot if it still is the one that was agreed.
///
/// # Errors
///
/// No such ticket of theirs, no slot is free or another one is next, or the ticket takes no visit now.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Booking) -> Result<ServiceTicket> {
    session.actor().may(Act::WorkTickets)?;
    let view = app.store().ticket(session.actor(), id, app.now()).await?;
    let (Some(slot), Some(point)) = (view.next_slot, view.service_point) else {
        return Err(ApiError::NoSlot);
    };
    if slot.start != body.start {
        return Err(ApiError::SlotTaken);
    }
    let event = TicketEvent::Booked {
        slot,
        service_point: point.id,
    };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Books the next free slot of the appliance's service point.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/book", tag = "tickets", operation_id = "bookVisit",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Booking,
    responses(
        (status = 200, description = "Booked", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed, a call is under way, or the slot is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Booking>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
