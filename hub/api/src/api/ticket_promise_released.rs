//! POST /api/v1/tickets/{id}/promise-released: a promise need not be kept any more.

use super::model::Ticket;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::ticket::{ServiceTicket, TicketEvent};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a promise need not be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReleasePromise)]
pub struct Release {
    /// Reason; 1 to 500 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Time of the promise that is meant; unless given, the one that is due first.
    pub by: Option<Timestamp>,
    /// Whether the promise of a call is meant, or that of a person; unless given, either.
    pub of_call: Option<bool>,
}

/// Takes a promise off the ticket though it was not kept.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, has no such promise, or the reason is empty or too long.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Release) -> Result<ServiceTicket> {
    let event = TicketEvent::PromiseReleased {
        reason: body.reason,
        by: body.by,
        of_call: body.of_call,
    };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Takes a promise off the ticket: it need not be kept, for this reason.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/promise-released", tag = "tickets", operation_id = "promiseReleased",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Release,
    responses(
        (status = 200, description = "Released", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, there is no such promise, or the reason is empty or too long", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Release>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
