//! GET /api/v1/appliances/{id}/normal: what counts as normal for an appliance.

use super::model::LearnedNormal;
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_core::normal::{self, NoNormal};

/// What the detector of an appliance takes for normal, or why that is not known.
///
/// # Errors
///
/// No such appliance of theirs, or the store failed.
pub async fn of(
    app: &Inner,
    session: &Session,
    id: ApplianceId,
) -> Result<std::result::Result<normal::LearnedNormal, NoNormal>> {
    let saved = app.store().saved_detectors(session.actor(), id).await?;
    Ok((app.state.read_normal)(&saved))
}

/// Reads what counts as normal for an appliance, as its detector was saved last: the normal of each feature, what is harmless, and where
/// its newest values are; or why nothing is known.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/normal", tag = "appliances", operation_id = "getNormal",
    params(("id" = i64, Path, description = "Id of the appliance")),
    responses(
        (status = 200, description = "What is known, or why nothing is", body = LearnedNormal),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance, or not this account's", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Json<LearnedNormal>> {
    Ok(Json(of(&app, &session, ApplianceId(id)).await?.into()))
}
