//! `/api/v1`. One endpoint is one file: its types, its documentation, its handler.

mod appliance_get;
mod appliances_list;
mod appointments_list;
mod attributes_get;
mod attributes_put;
pub mod claim;
mod claim_code;
mod command_get;
mod command_send;
mod commands_list;
mod common;
mod contacts_list;
mod events;
mod finding_get;
mod findings_list;
mod model;
pub mod model_budget;
pub mod model_release;
pub mod models_list;
pub mod normal_get;
mod openapi;
mod parameters;
mod password_set;
pub mod quarantine_list;
pub mod quarantine_replay;
mod readings_daily;
mod readings_get;
mod readings_hourly;
mod readings_latest;
mod schema;
pub mod session_close;
mod session_open;
pub mod ticket_appointment;
pub mod ticket_book;
pub mod ticket_call;
pub mod ticket_call_approve;
pub mod ticket_call_refuse;
pub mod ticket_close;
pub mod ticket_correction;
pub mod ticket_false_alarm;
mod ticket_get;
pub mod ticket_note;
pub mod ticket_open;
pub mod ticket_promise;
pub mod ticket_promise_kept;
pub mod ticket_promise_released;
pub mod ticket_status;
pub mod ticket_take;
pub mod tickets_list;

pub use openapi::openapi_json;

use crate::idempotency;
use crate::state::App;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes and their documentation.
pub(crate) fn router(app: App) -> OpenApiRouter<App> {
    let acts = acts(OpenApiRouter::new()).route_layer(from_fn_with_state(app, idempotency::once));
    documented().merge(acts).route_layer(from_fn(parameters::only_known))
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(session_open::handle, session_close::handle))
        .routes(routes!(password_set::handle))
        .routes(routes!(appliances_list::handle))
        .routes(routes!(appliance_get::handle))
        .routes(routes!(normal_get::handle))
        .routes(routes!(readings_get::handle))
        .routes(routes!(readings_latest::handle))
        .routes(routes!(readings_daily::handle))
        .routes(routes!(readings_hourly::handle))
        .routes(routes!(commands_list::handle))
        .routes(routes!(command_get::handle))
        .routes(routes!(attributes_get::handle, attributes_put::handle))
        .routes(routes!(claim_code::handle))
        .routes(routes!(claim::handle))
        .routes(routes!(quarantine_list::handle))
        .routes(routes!(findings_list::handle))
        .routes(routes!(finding_get::handle))
        .routes(routes!(tickets_list::handle))
        .routes(routes!(ticket_get::handle))
        .routes(routes!(appointments_list::handle))
        .routes(routes!(contacts_list::handle))
        .routes(routes!(models_list::handle))
        .routes(routes!(events::handle))
        .routes(routes!(openapi::handle))
}

/// Documentation of the acts, for which no state is at hand.
fn document() -> utoipa::openapi::OpenApi {
    let mut document = acts(documented()).into_openapi();
    common::complete(&mut document);
    document
}

/// What is carried out once for each key.
fn acts(router: OpenApiRouter<App>) -> OpenApiRouter<App> {
    router
        .routes(routes!(ticket_open::handle))
        .routes(routes!(ticket_take::handle))
        .routes(routes!(ticket_status::handle))
        .routes(routes!(ticket_note::handle))
        .routes(routes!(ticket_promise::handle))
        .routes(routes!(ticket_promise_kept::handle))
        .routes(routes!(ticket_promise_released::handle))
        .routes(routes!(ticket_call::handle))
        .routes(routes!(ticket_call_approve::handle))
        .routes(routes!(ticket_call_refuse::handle))
        .routes(routes!(ticket_book::handle))
        .routes(routes!(ticket_appointment::handle))
        .routes(routes!(ticket_false_alarm::handle))
        .routes(routes!(ticket_close::handle))
        .routes(routes!(ticket_correction::handle))
        .routes(routes!(model_budget::handle))
        .routes(routes!(model_release::handle))
        .routes(routes!(command_send::handle))
        .routes(routes!(quarantine_replay::handle))
}
