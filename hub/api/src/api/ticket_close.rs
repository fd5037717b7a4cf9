//! POST /api/v1/tickets/{id}/close: a person closes it.

use super::model::Ticket;
use crate::api::schema;
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use hub_core::outcome::{Resolution, Verdict};
use hub_core::ticket::{ServiceTicket, TicketEvent};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The end of a ticket.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloseTicket)]
pub struct Outcome {
    /// What was done.
    #[schema(schema_with = schema::words::<Resolution>)]
    pub resolution: Resolution,
    /// Whether the prediction was right; must not contradict the resolution. Left out where the resolution says it, which is
    /// everywhere but after a fault was found; without a prediction it is `not_checked`.
    #[schema(schema_with = schema::words::<Verdict>)]
    pub verdict: Option<Verdict>,
    /// What was found and done; at most 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
    /// Part that was replaced, by its name or number, where something was repaired; at most 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub part: Option<String>,
}

/// The verdict as it is given, or as the resolution says it.
pub(super) fn verdict(resolution: Resolution, given: Option<Verdict>) -> Result<Verdict> {
    let verdict = given.or(resolution.implied_verdict());
    verdict.ok_or(ApiError::VerdictMissing)
}

/// A part that is named: an empty field of a form names none.
pub(super) fn named(part: Option<String>) -> Option<String> {
    part.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty())
}

/// Closes the ticket.
///
/// # Errors
///
/// No such ticket of theirs, it is closed, a call is under way, the verdict is missing, a text is too long, a part was replaced and nothing
/// repaired, or verdict and resolution contradict each other.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Outcome) -> Result<ServiceTicket> {
    let outcome = hub_core::outcome::Outcome {
        resolution: body.resolution,
        verdict: verdict(body.resolution, body.verdict)?,
        note: body.note,
        part: named(body.part),
    };
    let event = TicketEvent::Closed { outcome };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Closes the ticket with what was found and done, and whether the prediction was right.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/close", tag = "tickets", operation_id = "closeTicket",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Outcome,
    responses(
        (status = 200, description = "Closed", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Closed already, a call is under way, or verdict and resolution contradict each other", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Outcome>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
