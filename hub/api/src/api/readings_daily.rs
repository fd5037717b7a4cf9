//! GET /api/v1/appliances/{id}/readings/daily: days of an appliance, also when its readings have gone.

use super::model::{Bucket, Whole, span};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::{Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// Hours that are shown unless it is said from when.
const HOURS: i64 = 31 * 24;

/// Which channel, and from when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DailyQuery {
    /// Name of the channel.
    channel: String,
    /// Days that start at this time or later; 31 days before `to` unless given.
    from: Option<Timestamp>,
    /// And before this one; now unless given.
    to: Option<Timestamp>,
}

/// Reads what an appliance measured day by day (UTC), at most 10,000 days. Readings are in it some minutes after they were
/// stored, late ones too.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/readings/daily", tag = "readings", operation_id = "getDailyReadings",
    params(("id" = i64, Path, description = "Id of the appliance"), DailyQuery),
    responses(
        (status = 200, description = "Days that have readings, in order", body = Whole<Bucket>),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance or channel, or not this account's", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More than is answered at a time", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    Query(query): Query<DailyQuery>,
) -> Result<Json<Whole<Bucket>>> {
    let (from, to) = span(query.from, query.to, HOURS, app.now())?;
    let days = app
        .store()
        .device_daily(session.actor(), ApplianceId(id), &query.channel, from, to)
        .await?;
    Ok(Json(Whole::of(days)))
}
