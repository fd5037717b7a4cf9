//! GET /api/v1/appointments: the visits of a span of time, so that a service point can see its day.

use super::model::{AppointmentSummary, Page, limit};
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::state::App;
use axum::Json;
use axum::extract::State;
use hub_store::appointment::AppointmentFilter;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which visits, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AppointmentsQuery {
    /// Visits whose slot begins at this time or later.
    from: Timestamp,
    /// And before this one.
    until: Timestamp,
    /// Only those of this service point.
    service_point: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// Lists visits by the start of their slot, whatever has become of them.
#[utoipa::path(get, path = "/api/v1/appointments", tag = "tickets", operation_id = "listAppointments", params(AppointmentsQuery),
    responses(
        (status = 200, description = "A page", body = Page<AppointmentSummary>),
        (status = 400, description = "`until` is not after `from`, or limit out of range", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<AppointmentsQuery>,
) -> Result<Json<Page<AppointmentSummary>>> {
    if query.until <= query.from {
        return Err(ApiError::BadRequest("until is not after from".into()));
    }
    let filter = AppointmentFilter {
        from: query.from,
        until: query.until,
        service_point: query.service_point,
    };
    let page = app
        .store()
        .appointments(session.actor(), &filter, query.after.as_deref(), limit(query.limit)?)
        .await?;
    Ok(Json(Page::of(page)))
}
