//! PUT /api/v1/appliances/{id}/attributes: what a device is told.

use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::{JsonBody, Path};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_core::reporting;
use serde_json::{Map, Value};

/// Longest name, in bytes.
const NAME_MAX: usize = 128;
/// Longest value, in bytes of compact JSON.
const VALUE_MAX: usize = 4096;

/// Tells a device attributes: each replaces the one of the same name, `null` takes it away, others stay. A device that
/// listens hears of it at once. Sent twice it changes nothing, so it takes no idempotency key.
#[utoipa::path(put, path = "/api/v1/appliances/{id}/attributes", tag = "devices", operation_id = "putAttributes",
    params(("id" = i64, Path, description = "Id of the appliance")),
    request_body(content = Object, description = "Values by name: names of at most 128 bytes, values of at most 4,096, 256 in all. `reporting` is what the device agent takes as its settings, and is checked as such; other settings need another version"),
    responses(
        (status = 200, description = "All that the device is told now, by name", body = Object),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too many attributes, or control characters in a name or a text", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    JsonBody(values): JsonBody<Map<String, Value>>,
) -> Result<Json<Map<String, Value>>> {
    for (name, value) in &values {
        check(name, value)?;
    }
    let (actor, id) = (session.actor(), ApplianceId(id));
    if let Some(settings) = values.get(reporting::NAME).filter(|value| !value.is_null()) {
        let told = app.store().device_attributes(actor, id).await?.shared;
        let kept = app.store().birth(actor, id).await?;
        let in_force = kept.map_or(0, |kept| kept.birth.settings);
        reporting::check(settings, &told, in_force).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    }
    let shared = app.store().share_attributes(actor, id, &values, app.now()).await?;
    Ok(Json(shared))
}

fn check(name: &str, value: &Value) -> Result<()> {
    if name.chars().any(char::is_control) {
        return Err(ApiError::ControlCharacters);
    }
    if !(1..=NAME_MAX).contains(&name.len()) {
        return Err(ApiError::BadRequest(format!("a name has 1 to {NAME_MAX} bytes")));
    }
    if value.to_string().len() > VALUE_MAX {
        let why = format!("the value of {name} has more than {VALUE_MAX} bytes of compact JSON");
        return Err(ApiError::BadRequest(why));
    }
    Ok(())
}
