//! POST /api/v1/tickets/{id}/false-alarm: a person judges that there is no fault.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::outcome::{Outcome, Resolution, Verdict};
use hub_core::ticket::{ServiceTicket, TicketEvent};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why it is a false alarm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What speaks against a fault; at most 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
}

/// Closes the ticket as a false alarm.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, a call is under way, or the note is too long.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Note) -> Result<ServiceTicket> {
    let outcome = Outcome {
        resolution: Resolution::FalseAlarm,
        verdict: Verdict::Wrong,
        note: body.note,
        part: None,
    };
    let event = TicketEvent::Closed { outcome };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Closes the ticket as a false alarm. The same fault opens no ticket for three days.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/false-alarm", tag = "tickets", operation_id = "markFalseAlarm",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Note,
    responses(
        (status = 200, description = "Closed", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, a call is under way, or the note is too long", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Note>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
