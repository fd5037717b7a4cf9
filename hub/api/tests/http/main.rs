//! The API over a real listener, as programs use it. The pages are looked at where they are, in `hub-console`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod bounds;
mod claims;
mod devices;
mod events;
mod hosts;
mod lines;
mod log_in;
mod models;
mod monitor;
mod nginx;
mod openapi;
mod proxies;
mod quarantine;
mod readings;
mod refusals;

use axum::Router;
use hub_api::{ApiState, Pages};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use support::hub::{Hub, Program, asked, claim_code, problem, said};
use support::scene::{self, NUMBERS};

/// A hub for programs only.
const NO_PAGES: Pages = Pages {
    routes: Router::new,
    around: |routes| routes,
};

impl Hub {
    async fn start() -> Self {
        Self::start_with(|state| state).await
    }

    async fn start_with(change: impl FnOnce(ApiState) -> ApiState) -> Self {
        Self::serving(NO_PAGES, change).await
    }
}
