//! POST /api/v1/tickets/{id}/correction: a person takes a wrong label back.

use super::model::Ticket;
use crate::api::schema;
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

/// The right end of a ticket that was closed with a wrong one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CorrectTicket)]
pub struct Correction {
    /// What was done.
    #[schema(schema_with = schema::words::<Resolution>)]
    pub resolution: Resolution,
    /// Whether the prediction was right; left out where the resolution says it.
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
    /// What was wrong with the outcome before.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// Corrects the outcome of a closed ticket.
///
/// # Errors
///
/// No such ticket of theirs, it is not closed, it has this outcome already, it was corrected too often, the reason is
/// missing, a text is too long, or verdict and resolution contradict each other.
pub async fn act(app: &Inner, session: &Session, id: TicketId, body: Correction) -> Result<ServiceTicket> {
    let outcome = Outcome {
        resolution: body.resolution,
        verdict: super::ticket_close::verdict(body.resolution, body.verdict)?,
        note: body.note,
        part: super::ticket_close::named(body.part),
    };
    let reason = body.reason;
    let event = TicketEvent::Corrected { outcome, reason };
    let ticket = app.store().apply_ticket(session.actor(), id, &event, app.now()).await?;
    Ok(ticket)
}

/// Corrects outcome and verdict of a closed ticket, with a reason. What was learned from the old ones is corrected too: the
/// finding is open again or cleared, the quiet time of a false alarm ends or begins, a repair starts the baseline over. A baseline
/// that was started over stays so.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/correction", tag = "tickets", operation_id = "correctTicket",
    params(
        ("id" = Uuid, Path, description = "Id of the ticket"),
        ("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters"),
    ),
    request_body = Correction,
    responses(
        (status = 200, description = "Corrected", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such ticket", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not closed, nothing corrected, corrected too often, no reason, or verdict and resolution contradict each other", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<Correction>,
) -> Result<Json<Ticket>> {
    let ticket = act(&app, &session, TicketId(id), body).await?;
    Ok(Json(ticket.into()))
}
