//! GET /api/v1/appliances: appliances, by tenant and device.

use super::model::{Page, PageQuery, WatchedAppliance};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;

/// Lists appliances with whether each is watched, by tenant and device.
#[utoipa::path(get, path = "/api/v1/appliances", tag = "appliances", operation_id = "listAppliances", params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Page<WatchedAppliance>),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<WatchedAppliance>>> {
    let page = app
        .store()
        .appliances(session.actor(), query.after.as_deref(), query.limit()?)
        .await?;
    let families = app.families();
    Ok(Json(Page::with(page, |view| WatchedAppliance::of(view, &families))))
}
