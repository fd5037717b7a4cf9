//! The HTTP API: log-in, tickets, appliances, findings, contacts, devices and what they were told, quarantine, owners who
//! claim their appliance, live events, and what monitoring reads; with the listener on which it and the pages are served.
//!
//! Owns what every request goes through, and all that people and programs may do: one endpoint is one file, whose `act` the
//! pages call too, so that they can do nothing that the API cannot. Knows the store by its traits only, and no page; places
//! no call and reads no telemetry itself.

mod admit;
mod api;
pub mod auth;
mod client;
mod control;
pub mod error;
pub mod extract;
mod headers;
mod hosts;
mod idempotency;
mod limits;
pub mod monitor;
mod news;
mod pages;
mod places;
mod plain_words;
mod proxies;
mod serve;
mod state;
mod streams;
mod told;
mod write_deadline;

pub use api::{
    claim, model_budget, model_release, models_list, normal_get, openapi_json, quarantine_list, quarantine_replay,
    session_close, ticket_appointment, ticket_book, ticket_call, ticket_call_approve, ticket_call_refuse, ticket_close,
    ticket_correction, ticket_false_alarm, ticket_note, ticket_open, ticket_promise, ticket_promise_kept,
    ticket_promise_released, ticket_status, ticket_take, tickets_list,
};
pub use auth::first_account::{FirstAccount, FirstAccountError, NewPassword, create_first_account, new_password};
pub use client::Client;
pub use limits::Limits;
pub use monitor::questions::Monitor;
pub use pages::Pages;
pub use proxies::{NotAProxy, Proxies};
pub use serve::{serve, serve_monitoring};
pub use state::{ApiConfig, ApiState, App, DemoBanner, DemoPart, Inner, ReadNormal, Redecode, Redecoded};
