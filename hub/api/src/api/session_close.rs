//! DELETE /api/v1/session: log-out.

use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::state::{App, Inner};
use axum::extract::State;
use axum::http::StatusCode;

/// Ends the session.
///
/// # Errors
///
/// The store failed.
pub async fn act(app: &Inner, session: &Session) -> Result<()> {
    Ok(app.store().close_session(session.token_hash).await?)
}

/// Ends the session that the request carries.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", operation_id = "closeSession",
    responses(
        (status = 204, description = "Session ended"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session) -> Result<StatusCode> {
    act(&app, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
