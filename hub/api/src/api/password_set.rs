//! PUT /api/v1/password: a person's own password.

use crate::auth::change_password::change_password;
use crate::auth::session::Session;
use crate::client::Client;
use crate::error::{Problem, Result};
use crate::extract::JsonBody;
use crate::state::App;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The password until now.
    old: String,
    /// The password from now on: 12 characters or more, at most 256 bytes.
    #[schema(min_length = 12, max_length = 256)]
    new: String,
}

/// Changes the password of this log-in's account. All other sessions of the account end.
#[utoipa::path(put, path = "/api/v1/password", tag = "session", operation_id = "changePassword",
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed"),
        (status = 401, description = "Not logged in, or the old password is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The new password is too short, too long, or the old one", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong passwords; see Retry-After", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    client: Client,
    JsonBody(body): JsonBody<ChangePassword>,
) -> Result<StatusCode> {
    change_password(&app, client.address, &session, body.old, body.new).await?;
    Ok(StatusCode::NO_CONTENT)
}
