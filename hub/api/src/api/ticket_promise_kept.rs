//! POST /api/v1/tickets/{id}/promise-kept: a promise was kept.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{Path, Query};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which promise is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Kept {
    /// Time of the promise that is meant; unless given, the one that is due first.
    pub by: Option<Timestamp>,
    /// Whether the promise of a call is meant, or that of a person; unless given, either.
    pub of_call: Option<bool>,
}

/// Takes a promise off the ticket.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, or has no such promise.
pub async fn act(app: &Inner, session: &Session, id: TicketId, kept: Kept) -> Result<ServiceTicket> {
    let event = TicketEvent::PromiseKept {
        by: kept.by,
        of_call: kept.of_call,
    };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Takes a promise off the ticket: it was kept.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/promise-kept", tag = "tickets", operation_id = "promiseKept",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
        Kept,
    ),
    responses(
        (status = 200, description = "Kept", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, or there is no such promise", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    Query(kept): Query<Kept>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), kept).await?;
    Ok(Json(ticket.into()))
}
