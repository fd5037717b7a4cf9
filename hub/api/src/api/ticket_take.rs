//! POST /api/v1/tickets/{id}/take: a person takes it.

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

/// Puts the ticket into the hands of `session`'s person.
///
/// # Errors
///
/// No such ticket of theirs, or it is closed.
pub async fn act(app: &Inner, session: &Session, id: TicketId) -> Result<ServiceTicket> {
    let event = TicketEvent::Taken;
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Puts the ticket into the hands of the one who asks.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/take", tag = "tickets", operation_id = "takeTicket",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    responses(
        (status = 200, description = "Taken", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session, Path(id): Path<Uuid>) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id)).await?;
    Ok(Json(ticket.into()))
}
