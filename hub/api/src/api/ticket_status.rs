//! POST /api/v1/tickets/{id}/status: a person chooses another label.

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

/// The label that is chosen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetStatus)]
pub struct Choice {
    /// Id of one of the tenant's labels, of the category open or paused.
    #[schema(min_length = 1, max_length = 32)]
    pub label: String,
}

/// Gives the ticket another label.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, or there is no such label to choose.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Choice) -> Result<ServiceTicket> {
    let event = TicketEvent::StatusSet { label: body.label };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Gives the ticket another label, and the category of that label. Resolved is reached only by closing it.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/status", tag = "tickets", operation_id = "setTicketStatus",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Choice,
    responses(
        (status = 200, description = "Set", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, no such label, or one of the category resolved", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Choice>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
