//! The forms of the page. Each calls the function of the API's endpoint and goes back to the maker's models.

use crate::pages::parts::address::in_query;
use crate::visitor::Visitor;
use axum::response::Redirect;
use hub_api::error::{ApiError, Result};
use hub_api::extract::FormBody;
use hub_api::{model_budget, model_release};
use hub_core::budget::Budget;
use serde::Deserialize;

fn back(tenant: &str) -> Redirect {
    Redirect::to(&format!("/models?tenant={}", in_query(tenant)))
}

/// A number as it is typed.
fn number(text: &str) -> Result<f64> {
    let read = text.trim().parse();
    read.map_err(|_| ApiError::BadRequest(format!("{text} is not a number")))
}

fn budget(text: &str) -> Result<Budget> {
    Budget::new(number(text)?).map_err(|error| ApiError::BadRequest(error.to_string()))
}

/// Budgets as the form has them.
#[derive(Deserialize)]
pub(crate) struct Typed {
    tenant: String,
    family: String,
    tickets: String,
    calls: String,
    faults_percent: String,
}

/// States budgets.
pub(crate) async fn state(visitor: Visitor, FormBody(form): FormBody<Typed>) -> Result<Redirect> {
    let stated = model_budget::Stated {
        tickets: budget(&form.tickets)?,
        calls: budget(&form.calls)?,
        faults_a_year: Some(number(&form.faults_percent)? / 100.0),
        tenant: form.tenant,
        family: form.family,
    };
    model_budget::act(&visitor.app, &visitor.session, &stated).await?;
    Ok(back(&stated.tenant))
}

/// A release as the form has it: until a time of the reader's zone.
#[derive(Deserialize)]
pub(crate) struct Release {
    tenant: String,
    family: String,
    model: String,
    reason: String,
    until: jiff::civil::DateTime,
}

/// Lets calls go on.
pub(crate) async fn release(visitor: Visitor, FormBody(form): FormBody<Release>) -> Result<Redirect> {
    let until = form.until.to_zoned(visitor.reader.zone.clone());
    let released = model_release::Released {
        until: until
            .map_err(|error| ApiError::BadRequest(error.to_string()))?
            .timestamp(),
        tenant: form.tenant,
        family: form.family,
        model: form.model,
        reason: form.reason,
    };
    model_release::act(&visitor.app, &visitor.session, &released).await?;
    Ok(back(&released.tenant))
}
