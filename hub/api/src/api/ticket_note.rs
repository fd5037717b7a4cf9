//! POST /api/v1/tickets/{id}/note: a person writes something down.

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

/// What is written down.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoteTicket)]
pub struct Text {
    /// The note; 1 to 2,000 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 2000)]
    pub text: String,
}

/// Writes a note into the timeline.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, or the note is empty or too long.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Text) -> Result<ServiceTicket> {
    let event = TicketEvent::Noted { text: body.text };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Writes a note into the ticket's timeline.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/note", tag = "tickets", operation_id = "noteTicket",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Text,
    responses(
        (status = 200, description = "Noted", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, or the note is empty or too long", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Text>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
