//! GET /api/v1/appliances/{id}: one appliance.

use super::model::{ApplianceDetail, Baseline, DeviceAgent};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;

/// Reads one appliance.
#[utoipa::path(get, path = "/api/v1/appliances/{id}", tag = "appliances", operation_id = "getAppliance",
    params(("id" = i64, Path, description = "Id")),
    responses(
        (status = 200, description = "Found", body = ApplianceDetail),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not there, or not this account's", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
) -> Result<Json<ApplianceDetail>> {
    let (actor, id) = (session.actor(), ApplianceId(id));
    let found = app.store().appliance(actor, id).await?;
    let unplaced = app.store().unplaced(actor, id).await?;
    let device_agent = match app.store().birth(actor, id).await? {
        Some(kept) => {
            let told = app.store().device_attributes(actor, id).await?.shared;
            Some(DeviceAgent::of(kept, &told))
        }
        None => None,
    };
    let baseline = Baseline::of(app.store().baseline(actor, id).await?, app.now());
    Ok(Json(ApplianceDetail::of(
        found,
        &app.families(),
        unplaced,
        device_agent,
        baseline,
    )))
}
