//! GET /api/v1/appliances/{id}/readings/latest: the newest value of each channel.

use super::model::{Latest, Whole};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;

/// Reads the newest value of each channel, among the newest 300 samples of the 31 days before the newest one.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/readings/latest", tag = "readings", operation_id = "getLatestReadings",
    params(("id" = i64, Path, description = "Id of the appliance")),
    responses(
        (status = 200, description = "A value of each channel that has one", body = Whole<Latest>),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance, or not this account's", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Json<Whole<Latest>>> {
    let found = app.store().latest(session.actor(), ApplianceId(id)).await?;
    Ok(Json(Whole::of(found)))
}
