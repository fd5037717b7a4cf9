//! POST /api/v1/models/budget: an administrator states how many false tickets and calls are accepted.

use super::model::Model;
use super::models_list::{one, tenant};
use crate::auth::session::Session;
use crate::error::{Problem, Result};
use crate::extract::JsonBody;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use hub_core::budget::precision::FAULTS_A_YEAR;
use hub_core::budget::{Budget, Budgets};
use serde::Deserialize;
use utoipa::ToSchema;

/// Budgets of a model family.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StateBudget)]
pub struct Stated {
    /// Tenant that owns the appliances.
    #[schema(max_length = 32)]
    pub tenant: String,
    /// Model family.
    #[schema(min_length = 1, max_length = 64)]
    pub family: String,
    /// False tickets that are accepted, per 1,000 appliances and month.
    #[schema(value_type = f64, minimum = 0.001, maximum = 100)]
    pub tickets: Budget,
    /// False calls, likewise; at most as many as false tickets.
    #[schema(value_type = f64, minimum = 0.001, maximum = 100)]
    pub calls: Budget,
    /// Share of appliances that get a fault in a year, by service statistics; 0.01 unless given.
    #[schema(minimum = 0.0001, maximum = 0.5)]
    pub faults_a_year: Option<f64>,
}

/// States budgets. Scores from which tickets are opened and calls placed follow within minutes: they rise at once, and come down by a
/// tenth a month.
///
/// # Errors
///
/// No such tenant of theirs, or the budgets cannot be true.
pub async fn act(app: &Inner, session: &Session, body: &Stated) -> Result<()> {
    let tenant = tenant(&body.tenant)?;
    let budgets = Budgets {
        tickets: body.tickets,
        calls: body.calls,
    };
    let faults_a_year = body.faults_a_year.unwrap_or(FAULTS_A_YEAR);
    let store = app.store();
    store
        .state_budget(
            session.actor(),
            &tenant,
            &body.family,
            budgets,
            faults_a_year,
            app.now(),
        )
        .await?;
    Ok(())
}

/// States how many false tickets and false calls are accepted of a model family, per 1,000 appliances and month. The scores that follow
/// rise at once, and come down by a tenth a month.
#[utoipa::path(post, path = "/api/v1/models/budget", tag = "models", operation_id = "stateBudget",
    params(("Idempotency-Key" = String, Header, description = "New for each act, 1 to 64 characters")),
    request_body = Stated,
    responses(
        (status = 200, description = "Stated", body = Model),
        (status = 400, description = "Cannot be read, a budget out of bounds, or no Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such tenant", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "More calls than tickets, a share out of bounds, no family's name, more than 100 families, or Idempotency-Key of another request", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn handle(
    State(app): State<App>,
    session: Session,
    JsonBody(body): JsonBody<Stated>,
) -> Result<Json<Model>> {
    act(&app, &session, &body).await?;
    shown(&app, &session, &body.tenant, &body.family).await
}

/// The family as it is now.
pub(super) async fn shown(app: &Inner, session: &Session, of: &str, family: &str) -> Result<Json<Model>> {
    Ok(Json(one(app, session, &tenant(of)?, family).await?.into()))
}
