//! GET /api/v1/findings/{id}: one finding with its evidence.

use super::model::Finding;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::FindingId;
use uuid::Uuid;

/// Reads one finding with its evidence.
#[utoipa::path(get, path = "/api/v1/findings/{id}", tag = "findings", operation_id = "getFinding",
    params(("id" = Uuid, Path, description = "Id")),
    responses(
        (status = 200, description = "Found", body = Finding),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not this account's", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session, Path(id): Path<Uuid>) -> Result<Json<Finding>> {
    let found = app.store().finding(session.actor(), FindingId(id)).await?;
    Ok(Json(found.into()))
}
