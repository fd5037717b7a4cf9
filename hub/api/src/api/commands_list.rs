//! GET /api/v1/appliances/{id}/commands: commands of a device, newest first.

use super::model::{Command, Page, PageQuery};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;

/// Lists commands of a device, newest first: at most the last 256 are kept.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/commands", tag = "devices", operation_id = "listCommands",
    params(("id" = i64, Path, description = "Id of the appliance"), PageQuery),
    responses(
        (status = 200, description = "A page", body = Page<Command>),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Command>>> {
    let (limit, after) = (query.limit()?, query.after.as_deref());
    let page = app
        .store()
        .commands(session.actor(), ApplianceId(id), after, limit, app.now())
        .await?;
    Ok(Json(Page::of(page)))
}
