//! POST /api/v1/tickets/{id}/call/refuse: a person has looked, and does not want the owner rung by the hub.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why nobody is to be rung.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefuseCall)]
pub struct Refusal {
    /// The reason; 1 to 500 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// Refuses the call.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, no call of it waits for anything, one is under way, or the reason is missing or too long.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Refusal) -> Result<ServiceTicket> {
    let event = TicketEvent::CallRefused { reason: body.reason };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Refuses the call of a ticket that is ready to ring, or one that is planned, with a reason. The ticket stays open: close it with its outcome
/// if there is no fault.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/call/refuse", tag = "tickets", operation_id = "refuseCall",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Refusal,
    responses(
        (status = 200, description = "Nobody is rung, unless a person approves it after all or asks for a call", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed, no call to refuse, a call is under way, or no reason", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Refusal>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
