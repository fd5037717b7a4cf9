//! GET /api/v1/contacts: attempts to reach owners, newest first.

use super::model::{Contact, Page, PageQuery};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;

/// Lists attempts to reach owners, newest first.
#[utoipa::path(get, path = "/api/v1/contacts", tag = "contacts", operation_id = "listContacts", params(PageQuery),
    responses(
        (status = 200, description = "A page", body = Page<Contact>),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Contact>>> {
    let page = app
        .store()
        .contacts(session.actor(), query.after.as_deref(), query.limit()?)
        .await?;
    Ok(Json(Page::of(page)))
}
