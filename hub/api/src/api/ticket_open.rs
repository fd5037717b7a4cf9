//! POST /api/v1/tickets: a person opens a ticket.

use super::model::Ticket;
use crate::api::schema;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::JsonBody;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_core::ticket::{ServiceTicket, TicketKind};
use serde::Deserialize;
use utoipa::ToSchema;

/// What the ticket is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OpenTicket)]
pub struct Wanted {
    /// Id of the appliance.
    pub appliance: i64,
    /// Kind; every one but `predicted_fault`, which the hub opens by itself.
    #[schema(schema_with = schema::words::<TicketKind>)]
    pub kind: TicketKind,
    /// What is wanted; 1 to 2,000 characters, not all of them blank.
    #[schema(min_length = 1, max_length = 2000)]
    pub note: String,
}

/// Opens a ticket.
///
/// # Errors
///
/// No such appliance of theirs, the hub's own kind, a note that is empty or too long, or too much is open on the appliance.
pub async fn act(app: &Inner, session: &Session, body: Wanted) -> Result<ServiceTicket> {
    let (store, now) = (app.store(), app.now());
    let opened = store.open_ticket(session.actor(), ApplianceId(body.appliance), body.kind, &body.note, now);
    Ok(opened.await?)
}

/// Opens a ticket for what no finding speaks of. The hub rings nobody about it.
#[utoipa::path(post, path = "/api/v1/tickets", tag = "tickets", operation_id = "openTicket",
    params(("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters")),
    request_body = Wanted,
    responses(
        (status = 200, description = "Opened", body = Ticket),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The hub opens this kind itself, the note is empty or too long, or too much is open on the appliance", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    JsonBody(body): JsonBody<Wanted>,
) -> Result<Json<Ticket>> {
    Ok(Json(act(&app, &session, body).await?.into()))
}
