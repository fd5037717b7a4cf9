//! POST /api/v1/session: log-in of a program.

use crate::auth::log_in::log_in;
use crate::client::Client;
use crate::error::{Problem, Result};
use crate::extract::JsonBody;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    /// Log-in name.
    name: String,
    /// Password.
    password: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionOpened {
    /// Send it as `Authorization: Bearer …`. It is shown only here.
    token: String,
    /// When it ends.
    expires_at: Timestamp,
}

/// Opens a session. Sent twice it opens two, so it takes no idempotency key.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", operation_id = "openSession", security(),
    request_body = LogIn,
    responses(
        (status = 200, description = "Session opened", body = SessionOpened),
        (status = 401, description = "Name or password is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong passwords; see Retry-After", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    client: Client,
    JsonBody(body): JsonBody<LogIn>,
) -> Result<Json<SessionOpened>> {
    let opened = log_in(&app, client.address, &body.name, body.password).await?;
    Ok(Json(SessionOpened {
        token: opened.token.as_str().to_owned(),
        expires_at: opened.expires_at,
    }))
}
