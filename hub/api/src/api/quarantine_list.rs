//! GET /api/v1/quarantine: payloads that were not taken, newest first.

pub use super::model::{is_cut, readable};

use super::model::{self, Page, QuarantinedPayload};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_store::quarantine::{QuarantineEntry, QuarantineFilter};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which payloads, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QuarantineQuery {
    /// Only of this appliance.
    pub appliance: Option<i64>,
    /// Only those whose reason holds this text, whatever the case of its letters.
    pub reason: Option<String>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Items on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

impl QuarantineQuery {
    /// What is looked for.
    fn filter(&self) -> QuarantineFilter {
        let reason = self.reason.as_deref().map(str::trim);
        QuarantineFilter {
            appliance: self.appliance.map(ApplianceId),
            reason: reason.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }
}

/// A page of the list.
///
/// # Errors
///
/// The limit is out of range, or there is no such page.
pub async fn list(
    app: &Inner,
    session: &Session,
    query: &QuarantineQuery,
) -> Result<hub_store::page::Page<QuarantineEntry>> {
    let limit = model::limit(query.limit)?;
    let (filter, after) = (query.filter(), query.after.as_deref());
    Ok(app.store().quarantine(session.actor(), &filter, after, limit).await?)
}

/// Lists payloads that were not taken, with the reason, newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", tag = "quarantine", operation_id = "listQuarantine",
    params(QuarantineQuery),
    responses(
        (status = 200, description = "A page", body = Page<QuarantinedPayload>),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<QuarantineQuery>,
) -> Result<Json<Page<QuarantinedPayload>>> {
    Ok(Json(Page::of(list(&app, &session, &query).await?)))
}
