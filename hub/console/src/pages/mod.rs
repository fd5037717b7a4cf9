//! The pages by noun, and their routes. No page imports another: what they share is in [`parts`].

mod account;
mod appliance;
mod claim;
mod language;
mod log_in;
mod model;
mod parts;
mod problem;
mod quarantine;
mod ticket;

use crate::assets;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Router, middleware};
use hub_api::{App, Pages};

/// All pages, for the listener.
pub const PAGES: Pages = Pages {
    routes,
    around: |routes| routes.layer(middleware::from_fn(problem::in_front)),
};

fn routes() -> Router<App> {
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/tickets") }))
        .route("/log-in", get(log_in::form).post(log_in::submit))
        .route("/log-out", post(log_in::log_out))
        .route("/language", post(language::choose))
        .route("/tickets", get(ticket::list::page))
        .route("/tickets/{id}", get(ticket::page::page))
        .route("/ready-to-ring", get(ticket::ready::page))
        .route("/tickets/{id}/take", post(ticket::forms::take))
        .route("/tickets/{id}/status", post(ticket::forms::status))
        .route("/tickets/{id}/note", post(ticket::forms::note))
        .route("/tickets/{id}/promise", post(ticket::forms::promise))
        .route("/tickets/{id}/promise-kept", post(ticket::forms::promise_kept))
        .route("/tickets/{id}/promise-released", post(ticket::forms::promise_released))
        .route("/tickets/{id}/call", post(ticket::forms::call))
        .route("/tickets/{id}/call/approve", post(ticket::forms::approve_call))
        .route("/tickets/{id}/call/refuse", post(ticket::forms::refuse_call))
        .route("/tickets/{id}/book", post(ticket::forms::book))
        .route("/tickets/{id}/appointment", post(ticket::forms::appointment))
        .route("/tickets/{id}/false-alarm", post(ticket::forms::false_alarm))
        .route("/tickets/{id}/close", post(ticket::forms::close))
        .route("/tickets/{id}/correction", post(ticket::forms::correction))
        .route("/account", get(account::page))
        .route("/account/password", post(account::password))
        .route("/claim", get(claim::form).post(claim::submit))
        .route("/quarantine", get(quarantine::page))
        .route("/quarantine/replay", post(quarantine::replay))
        .route("/models", get(model::page::page))
        .route("/models/budget", post(model::forms::state))
        .route("/models/release", post(model::forms::release))
        .route("/appliances", get(appliance::list::page))
        .route("/appliances/{id}", get(appliance::page::page))
        .route("/appliances/{id}/tickets", post(ticket::forms::open))
        .route_layer(middleware::from_fn(problem::as_page));
    pages.merge(assets::router())
}

#[cfg(test)]
mod contrast_tests;
#[cfg(test)]
mod tests;
