//! POST /api/v1/tickets/{id}/promise: a person promised something.

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

/// What is promised.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MakePromise)]
pub struct Promised {
    /// What; 1 to 500 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 500)]
    pub what: String,
    /// To whom; 1 to 100 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 100)]
    pub to: String,
    /// By when; later than now.
    pub by: Timestamp,
}

/// Notes a promise; an earlier one of a person is over with it.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, a text is empty or too long, or the time has passed.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Promised) -> Result<ServiceTicket> {
    let event = TicketEvent::Promised {
        what: body.what,
        to: body.to,
        by: body.by,
    };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Notes what somebody was promised, and by when. An earlier promise of a person is over with it; what a call has promised stands.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/promise", tag = "tickets", operation_id = "promise",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Promised,
    responses(
        (status = 200, description = "Noted", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, a text is empty or too long, or the time has passed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Promised>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
