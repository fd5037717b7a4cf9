//! The HTTP API and the console: log-in, tickets, appliances, findings, contacts, devices and
//! what they were told, quarantine, owners who claim their appliance, live events, and what monitoring reads.
//!
//! Owns everything that speaks HTTP to people and integrators. Knows the store by its traits only; places no call and
//! reads no telemetry itself. The console calls the same functions as the API: it can do nothing that the API cannot.

mod admit;
mod api;
mod auth;
mod chart;
mod control;
mod error;
mod extract;
mod headers;
mod hosts;
mod idempotency;
mod limits;
mod monitor;
mod pages;
mod places;
mod plain_words;
mod proxies;
mod reader;
mod serve;
mod state;
mod streams;
mod texts;
mod told;
mod words;
mod write_deadline;

pub use api::openapi_json;
pub use auth::first_account::{FirstAccount, FirstAccountError, NewPassword, create_first_account, new_password};
pub use limits::Limits;
pub use monitor::Monitor;
pub use proxies::{NotAProxy, Proxies};
pub use serve::{router, serve, serve_monitoring};
pub use state::{ApiConfig, ApiState, DemoBanner, DemoPart, Redecode, Redecoded};
