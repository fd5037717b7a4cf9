//! POST /api/v1/tickets/{id}/call/approve: a person has looked at a ticket that is ready to ring, and approves the call.

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

/// Approves the call.
///
/// # Errors
///
/// No such ticket of theirs, it is closed or not ready to ring, or a call is under way.
pub async fn act(app: &Inner, session: &Session, id: TicketId) -> Result<ServiceTicket> {
    let event = TicketEvent::CallApproved;
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Approves the call of a ticket that is ready to ring, also of one that was refused before. It waives that a prediction is not certain enough
/// or not released yet. Consent, the do-not-call list, the hour and the caps still decide whether and when it is placed.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/call/approve", tag = "tickets", operation_id = "approveCall",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    responses(
        (status = 200, description = "The contact worker looks at it at once", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed, not ready to ring, or a call is under way", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session, Path(id): Path<Uuid>) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id)).await?;
    Ok(Json(ticket.into()))
}
