//! GET /api/v1/appliances/{id}/commands/{request}: one command.

use super::model::Command;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;

/// Reads one command: how far it has come, and the answer.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/commands/{request}", tag = "devices", operation_id = "getCommand",
    params(
        ("id" = i64, Path, description = "Id of the appliance"),
        ("request" = String, Path, description = "Request id"),
    ),
    responses(
        (status = 200, description = "Found", body = Command),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance or command", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path((id, request)): Path<(i64, String)>,
) -> Result<Json<Command>> {
    let found = app
        .store()
        .command(session.actor(), ApplianceId(id), &request, app.now())
        .await?;
    Ok(Json(found.into()))
}
