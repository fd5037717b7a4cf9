//! The console: pages rendered here, forms that call the functions of the API, and nothing that needs a script.

mod acts;
mod appliance;
mod assets;
mod call_record;
mod claim;
mod device_agent;
mod language;
mod layout;
mod log_in;
mod problem;
mod quarantine;
mod story;
mod ticket;
mod ticket_acts;
mod ticket_list;
mod visitor;
mod who;
mod why;

pub(crate) use problem::in_words;

use crate::state::App;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Router, middleware};

/// Routes of the console.
pub(crate) fn router() -> Router<App> {
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/tickets") }))
        .route("/log-in", get(log_in::form).post(log_in::submit))
        .route("/log-out", post(log_in::log_out))
        .route("/language", post(language::choose))
        .route("/tickets", get(ticket_list::page))
        .route("/tickets/{id}", get(ticket::page))
        .route("/tickets/{id}/take", post(acts::take))
        .route("/tickets/{id}/call", post(acts::call))
        .route("/tickets/{id}/book", post(acts::book))
        .route("/tickets/{id}/false-alarm", post(acts::false_alarm))
        .route("/tickets/{id}/close", post(acts::close))
        .route("/claim", get(claim::form).post(claim::submit))
        .route("/quarantine", get(quarantine::page))
        .route("/quarantine/replay", post(quarantine::replay))
        .route("/appliances", get(appliance::list))
        .route("/appliances/{id}", get(appliance::page))
        .route_layer(middleware::from_fn(problem::as_page));
    pages.merge(assets::router())
}

#[cfg(test)]
mod contrast_tests;
#[cfg(test)]
mod tests;
