//! GET /api/v1/tickets/{id}: one ticket with its whole story.

use super::model::TicketDetail;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::TicketId;
use uuid::Uuid;

/// Reads one ticket with its whole story.
#[utoipa::path(get, path = "/api/v1/tickets/{id}", tag = "tickets", operation_id = "getTicket",
    params(("id" = Uuid, Path, description = "Id")),
    responses(
        (status = 200, description = "Found", body = TicketDetail),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not this account's", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<Uuid>,
) -> Result<Json<TicketDetail>> {
    let found = app.store().ticket(session.actor(), TicketId(id), app.now()).await?;
    Ok(Json(found.into()))
}
