//! GET /readyz: whether the hub takes work, and if not, why.

use super::questions::Monitor;
use crate::state::{App, Inner};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// The database answers within this, or it counts as away.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    part: &'static str,
    reason: String,
}

/// 200 with `{"ready":true}`, or 503 with what is wrong; with either, what a person has to know.
pub(super) async fn handle(State(app): State<App>) -> Response {
    let problems = shown(problems(&app).await);
    let Monitor { notices, accepting, .. } = &app.state.monitor;
    let mut notices = notices();
    notices.extend(accepting.notice(Instant::now().into_std()));
    let notices = shown(notices);
    let status = match problems.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let ready = problems.is_empty();
    let readiness = Readiness {
        ready,
        problems,
        notices,
    };
    (status, Json(readiness)).into_response()
}

fn shown(found: Vec<(&'static str, String)>) -> Vec<Problem> {
    found
        .into_iter()
        .map(|(part, reason)| Problem { part, reason })
        .collect()
}

async fn problems(app: &Inner) -> Vec<(&'static str, String)> {
    if app.stop.is_cancelled() {
        return vec![("hub", "stopping".to_owned())];
    }
    let mut problems = (app.state.monitor.problems)();
    if !store_answers(app).await {
        problems.push(("database", "does not answer".to_owned()));
    }
    problems
}

/// The reason is in the log: it may name what strangers need not know.
pub(super) async fn store_answers(app: &Inner) -> bool {
    match tokio::time::timeout(STORE_PATIENCE, app.store().healthy()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            if app.tells("store_look") {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "database check failed: no answer");
            }
            false
        }
        Err(_) => false,
    }
}
