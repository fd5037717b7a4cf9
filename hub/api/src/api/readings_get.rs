//! GET /api/v1/appliances/{id}/readings: a stretch of time, as a chart shows it.

use super::model::{Series, Whole, span};
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::{Path, Query};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_store::reading::{POINTS_MAX, Window};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// Hours that are shown unless it is said from when.
const HOURS: i64 = 24;
/// Points of a channel unless it is said how many.
const POINTS: usize = 300;

/// Which channels, from when to when, and how closely.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadingsQuery {
    /// Names of channels, separated by commas; all that the appliance's profile has unless given.
    channels: Option<String>,
    /// From this event time; a day before `to` unless given.
    from: Option<Timestamp>,
    /// Up to but without this one; now unless given.
    to: Option<Timestamp>,
    /// At most so many points of each channel; 300 unless given.
    #[param(minimum = 2, maximum = 2000)]
    points: Option<usize>,
}

/// Reads what an appliance measured: at most so many points of each channel, which keep every extreme.
#[utoipa::path(get, path = "/api/v1/appliances/{id}/readings", tag = "readings", operation_id = "getReadings",
    params(("id" = i64, Path, description = "Id of the appliance"), ReadingsQuery),
    responses(
        (status = 200, description = "A series of each channel", body = Whole<Series>),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such appliance or channel, or not this account's", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More than is answered at a time", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Path(id): Path<i64>,
    Query(query): Query<ReadingsQuery>,
) -> Result<Json<Whole<Series>>> {
    let (from, to) = span(query.from, query.to, HOURS, app.now())?;
    let points = query.points.unwrap_or(POINTS);
    if !(2..=POINTS_MAX).contains(&points) {
        return Err(ApiError::BadRequest(format!("points must be 2 to {POINTS_MAX}")));
    }
    let names = query.channels.as_deref().unwrap_or_default().split(',').map(str::trim);
    let window = Window {
        channels: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        from,
        to,
        points,
    };
    let found = app.store().window(session.actor(), ApplianceId(id), &window).await?;
    Ok(Json(Whole::of(found)))
}
