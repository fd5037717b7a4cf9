//! GET /api/v1/models: what holds for the models that watch a tenant's appliances.

use super::model::{Model, Whole};
use crate::auth::session::Session;
use crate::error::{ApiError, Problem, Result};
use crate::extract::Query;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::budget::judged::Bin;
use hub_core::budget::ledger::Ledger;
use hub_core::families::{Families, ModelWords};
use hub_core::id::TenantId;
use hub_core::release::{Predicted, Release, Tally};
use hub_store::budget::FamilyBudget;
use hub_store::error::not_found;
use hub_store::floors::FleetFloors;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Stated probabilities against what people found, as its ledger was reviewed last.
    pub reliability: Vec<Bin>,
    /// Where its predictions stand on their way to calls that nobody approves, by version and fault class, as far as people have judged any.
    pub releases: Vec<Release>,
    /// A version that is served judges by floors.
    pub by_floors: bool,
    /// Floors that the tenant's fleets have shown; others are judged by those of the model's own table.
    pub floors: Vec<FleetFloors>,
}

/// A tenant by the name that somebody gives.
///
/// # Errors
///
/// It cannot be a tenant's name.
pub fn tenant(name: &str) -> Result<TenantId> {
    TenantId::new(name).map_err(|error| ApiError::BadRequest(format!("tenant: {error}")))
}

/// The model families of a tenant, by name: those that watch its appliances, and those of which it has a ledger or verdicts. Of what is
/// served for others nothing is said.
///
/// # Errors
///
/// No such tenant of theirs.
pub async fn list(app: &Inner, session: &Session, tenant: &TenantId) -> Result<Vec<ShownModel>> {
    let (actor, store, families) = (session.actor(), app.store(), app.families());
    let budgets = store.budgets(actor, tenant).await?;
    let mut all: BTreeMap<String, FamilyBudget> = budgets
        .into_iter()
        .map(|budget| (budget.family.clone(), budget))
        .collect();
    let served: BTreeSet<String> = families.served().map(|served| served.family.clone()).collect();
    let served: Vec<String> = served.into_iter().collect();
    let used = store.families_used(actor, tenant, &served).await?;
    let mut tallies = by_family(store.release_tallies(actor, tenant).await?);
    let mut floors = of_fleets(store.floors(actor, tenant).await?);
    let others = tallies.keys().chain(floors.keys()).cloned();
    for family in used.into_iter().chain(others) {
        all.entry(family).or_insert_with_key(|family| nothing_yet(family));
    }
    let shown = all.into_values().map(|budget| {
        let tallies = tallies.remove(&budget.family).unwrap_or_default();
        let floors = floors.remove(&budget.family).unwrap_or_default();
        shown(&families, budget, tallies, floors)
    });
    Ok(shown.collect())
}

/// One model family of a tenant.
///
/// # Errors
///
/// No such tenant of theirs, or nothing is kept of the family.
pub async fn one(app: &Inner, session: &Session, tenant: &TenantId, family: &str) -> Result<ShownModel> {
    let (actor, store, families) = (session.actor(), app.store(), app.families());
    let budget = store.budget(actor, tenant, family).await?;
    let budget = budget.ok_or_else(|| not_found("model family", family))?;
    let mut tallies = by_family(store.release_tallies(actor, tenant).await?);
    let mut floors = of_fleets(store.floors(actor, tenant).await?);
    let tallies = tallies.remove(family).unwrap_or_default();
    Ok(shown(
        &families,
        budget,
        tallies,
        floors.remove(family).unwrap_or_default(),
    ))
}

type Tallies = Vec<(Predicted, Tally)>;

/// Family of a model and version.
fn family_of(model: &str) -> String {
    model.split('/').next().unwrap_or_default().to_owned()
}

fn of_fleets(floors: Vec<FleetFloors>) -> BTreeMap<String, Vec<FleetFloors>> {
    let mut families: BTreeMap<String, Vec<FleetFloors>> = BTreeMap::new();
    for own in floors {
        families.entry(family_of(&own.fleet.model)).or_default().push(own);
    }
    families
}

fn by_family(tallies: Tallies) -> BTreeMap<String, Tallies> {
    let mut families: BTreeMap<String, Tallies> = BTreeMap::new();
    for (predicted, tally) in tallies {
        let family = family_of(&predicted.model);
        families.entry(family).or_default().push((predicted, tally));
    }
    families
}

fn nothing_yet(family: &str) -> FamilyBudget {
    FamilyBudget {
        family: family.to_owned(),
        ledger: Ledger::default(),
        lines: Vec::new(),
    }
}

fn shown(families: &Families, budget: FamilyBudget, tallies: Tallies, floors: Vec<FleetFloors>) -> ShownModel {
    let served: Vec<&ModelWords> = families
        .served()
        .filter(|served| served.family == budget.family)
        .collect();
    let mut versions: Vec<u32> = served.iter().map(|served| served.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let release = |(predicted, tally): (Predicted, Tally)| {
        let id = |served: &&&ModelWords| format!("{}/{}", served.family, served.version) == predicted.model;
        // What a version states that is not served any more is not known: then it counts as simulated.
        let basis = served
            .iter()
            .find(id)
            .map(|served| served.basis(&predicted.fault_class));
        Release {
            basis: basis.unwrap_or_default(),
            predicted,
            tally,
        }
    };
    ShownModel {
        reliability: budget.ledger.reliability().to_vec(),
        releases: tallies.into_iter().map(release).collect(),
        by_floors: served.iter().any(|served| served.by_floors),
        floors,
        versions,
        budget,
    }
}

/// Shows the model families of a tenant: budgets of false tickets and calls, the scores that follow from the fleet's past for each
/// appliance model, what has stopped, how often predictions were right, which fault classes are released, and what happened last.
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
