//! GET /api/v1/appliances/{id}/attributes: what a device told, and what it is told.

use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Path;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Attributes of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attributes {
    /// Told by the device.
    #[schema(value_type = Object)]
    client: Map<String, Value>,
    /// Told to the device.
    #[schema(value_type = Object)]
    shared: Map<String, Value>,
}

/// Reads the attributes of a device.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/attributes", tag = "devices", operation_id = "getAttributes",
    params(("id" = i64, Path, description = "Id of the appliance")),
    responses(
        (status = 200, description = "Both kinds", body = Attributes),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(State(app): State<App>, session: Session, Path(id): Path<i64>) -> Result<Json<Attributes>> {
    let found = app.store().device_attributes(session.actor(), ApplianceId(id)).await?;
    Ok(Json(Attributes {
        client: found.client,
        shared: found.shared,
    }))
}
