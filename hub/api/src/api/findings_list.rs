//! GET /api/v1/findings: findings, newest first.

use super::model::{Finding, Page, PageQuery};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;

/// Lists findings, newest first.
#[utoipa::path(get, path = "/api/v1/findings", tag = "findings", operation_id = "listFindings", params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Page<Finding>),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Finding>>> {
    let page = app
        .store()
        .findings(session.actor(), query.after.as_deref(), query.limit()?)
        .await?;
    Ok(Json(Page::of(page)))
}
