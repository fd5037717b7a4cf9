//! POST /api/v1/tickets/{id}/call: a person wants the owner rung now.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use uuid::Uuid;

/// Asks for a call now.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, or a call is under way.
pub async fn act(app: &Inner, session: &Session, id: TicketId) -> Result<ServiceTicket> {
    let event = TicketEvent::CallRequested;
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Asks for a call now. Consent, the do-not-call list and the hour still decide whether it is placed.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/call", tag = "tickets", operation_id = "callOwner",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    responses(
        (status = 200, description = "The contact worker looks at it at once", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed, or a call is under way", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session, Path(id): Path<Uuid>) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id)).await?;
    Ok(Json(ticket.into()))
}
