//! POST /api/v1/models/release: a person lets calls go on that a surge of tickets has stopped.

use super::model::Model;
use super::model_budget::shown;
use super::models_list::tenant;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::JsonBody;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_store::budget::CallRelease;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

/// Which calls go on, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReleaseCalls)]
pub struct Released {
    /// Tenant that owns the appliances.
    #[schema(max_length = 32)]
    pub tenant: String,
    /// Model family.
    #[schema(min_length = 1, max_length = 64)]
    pub family: String,
    /// Appliance model; empty for all that have no scores of their own.
    pub model: String,
    /// What was found.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// When calls stop again, unless the surge is over by then; at most 30 days ahead.
    pub until: Timestamp,
}

/// Lets calls go on.
///
/// # Errors
///
/// No such tenant or family of theirs, nothing has stopped, or reason or time will not do.
pub async fn act(app: &Inner, session: &Session, body: &Released) -> Result<()> {
    let release = CallRelease {
        family: body.family.clone(),
        model: body.model.clone(),
        reason: body.reason.clone(),
        until: body.until,
    };
    let tenant = tenant(&body.tenant)?;
    app.store()
        .release_calls(session.actor(), &tenant, &release, app.now())
        .await?;
    Ok(())
}

/// Lets calls of an appliance model go on that stopped since its tickets surge, for at most 30 days and with a reason. Counting begins
/// again: if the surge lasts beyond that, calls stop again.
#[utoipa::path(post, path = "/api/v1/models/release", tag = "models", operation_id = "releaseCalls",
    params(("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters")),
    request_body = Released,
    responses(
        (status = 200, description = "Released", body = Model),
        (status = 400, description = "Cannot be read, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such tenant or family", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing has stopped", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No reason, a time that will not do, or Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    JsonBody(body): JsonBody<Released>,
) -> Result<Json<Model>> {
    act(&app, &session, &body).await?;
    shown(&app, &session, &body.tenant, &body.family).await
}
