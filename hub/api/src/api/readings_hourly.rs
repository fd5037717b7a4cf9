//! GET /api/v1/readings/hourly: hours of a tenant's whole fleet of one profile.

use super::model::{Bucket, Whole, span};
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_core::id::TenantId;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// Hours that are shown unless it is said from when.
const HOURS: i64 = 7 * 24;

/// Which fleet and channel, and from when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HourlyQuery {
    /// Whose fleet.
    tenant: String,
    /// Profile that its appliances report by.
    profile: String,
    /// Name of the channel.
    channel: String,
    /// Hours that start at this time or later; seven days before `to` unless given.
    from: Option<Timestamp>,
    /// And before this one; now unless given.
    to: Option<Timestamp>,
}

/// Reads what a fleet measured hour by hour (UTC), at most 10,000 hours. Readings are in it some minutes after they were stored,
/// late ones too; the hour that runs, and the one before for half an hour, may be incomplete or missing.
#[utoipa::path(get, path = "/api/v1/readings/hourly", tag = "readings", operation_id = "getHourlyReadings",
    params(HourlyQuery),
    responses(
        (status = 200, description = "Hours that have readings, in order", body = Whole<Bucket>),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such tenant, profile or channel, or not this account's", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More than is answered at a time", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<HourlyQuery>,
) -> Result<Json<Whole<Bucket>>> {
    let (from, to) = span(query.from, query.to, HOURS, app.now())?;
    let tenant = TenantId::new(&query.tenant).map_err(|error| ApiError::BadRequest(format!("tenant: {error}")))?;
    let hours = app
        .store()
        .fleet_hourly(session.actor(), &tenant, &query.profile, &query.channel, from, to)
        .await?;
    Ok(Json(Whole::of(hours)))
}
