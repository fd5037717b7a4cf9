//! GET /api/v1/quarantine: payloads that were not taken, newest first.

use super::model::{self, Page, QuarantinedPayload};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::id::ApplianceId;
use hub_store::desk::{Held, QuarantineFilter};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which payloads, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QuarantineQuery {
    /// Only of this appliance.
    pub(crate) appliance: Option<i64>,
    /// Only those whose reason holds this text, whatever the case of its letters.
    pub(crate) reason: Option<String>,
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// Items on the page, 1 to 200; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<usize>,
}

impl QuarantineQuery {
    /// What is looked for.
    pub(crate) fn filter(&self) -> QuarantineFilter {
        let reason = self.reason.as_deref().map(str::trim);
        QuarantineFilter {
            appliance: self.appliance.map(ApplianceId),
            reason: reason.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }
}

/// A page of the list.
pub(crate) async fn list(
    app: &Inner,
    session: &Session,
    query: &QuarantineQuery,
) -> Result<hub_store::page::Page<Held>> {
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
