//! GET /api/v1/models: what holds for the models that watch a tenant's appliances.

use super::model::{Model, Whole};
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::budget::judged::{Bin, reliability};
use hub_core::budget::ledger::Ledger;
use hub_core::id::TenantId;
use hub_store::budget::FamilyBudget;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Whose appliances.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelsQuery {
    /// Tenant that owns the appliances.
    pub tenant: String,
}

/// A model family, with what is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownModel {
    /// Versions that are served; several where profiles have several.
    pub versions: Vec<u32>,
    /// Ledger and book.
    pub budget: FamilyBudget,
    /// Stated probabilities against what people found.
    pub reliability: Vec<Bin>,
}

/// A tenant by the name that somebody gives.
///
/// # Errors
///
/// It cannot be a tenant's name.
pub fn tenant(name: &str) -> Result<TenantId> {
    TenantId::new(name).map_err(|error| ApiError::BadRequest(format!("tenant: {error}")))
}

/// The model families of a tenant, by name: those that are served, and those of which there is a ledger.
///
/// # Errors
///
/// No such tenant of theirs.
pub async fn list(app: &Inner, session: &Session, tenant: &TenantId) -> Result<Vec<ShownModel>> {
    let actor = session.actor();
    let budgets = app.store().budgets(actor, tenant).await?;
    let judged = app.store().judged_tickets(actor, tenant).await?;
    let mut all: BTreeMap<String, FamilyBudget> = budgets
        .into_iter()
        .map(|budget| (budget.family.clone(), budget))
        .collect();
    let mut versions: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for served in app.families().served() {
        let family = || served.family.clone();
        versions.entry(family()).or_default().push(served.version);
        all.entry(family()).or_insert_with(|| FamilyBudget {
            family: family(),
            ledger: Ledger::default(),
            lines: Vec::new(),
        });
    }
    let shown = all.into_values().map(|budget| {
        let mut versions = versions.remove(&budget.family).unwrap_or_default();
        versions.sort_unstable();
        versions.dedup();
        ShownModel {
            reliability: reliability(&judged, &budget.family),
            versions,
            budget,
        }
    });
    Ok(shown.collect())
}

/// Shows the model families of a tenant: budgets of false tickets and calls, the scores that follow from the fleet's past for each
/// appliance model, what has stopped, how often predictions were right, and what happened last.
#[utoipa::path(get, path = "/api/v1/models", tag = "models", operation_id = "listModels", params(ModelsQuery),
    responses(
        (status = 200, description = "All of them, by name", body = Whole<Model>),
        (status = 400, description = "Cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not this account's tenant", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    Query(query): Query<ModelsQuery>,
) -> Result<Json<Whole<Model>>> {
    let shown = list(&app, &session, &tenant(&query.tenant)?).await?;
    Ok(Json(Whole::of(shown)))
}
