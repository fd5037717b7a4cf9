//! The store on a real server: one for this program, a database for each test. `tests/server` says which.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../server/mod.rs"]
mod server;

mod access_authority;
mod access_certificate;
mod access_change;
mod access_group;
mod access_provision;
mod aggregate;
mod asked;
mod cluster;
mod cluster_beside;
mod cluster_damage;
mod door;
mod event_epoch;
mod given;
mod given_database;
mod joining;
mod lease;
mod reading;
mod reading_connections;
mod relay;
mod retention;
mod said;
mod session;
mod shared_number;
mod site;
mod site_apply;
mod support;
mod tally;
mod telemetry;
mod telemetry_cut;
mod telemetry_layout;
mod telemetry_rollup;
mod telemetry_sequence;
mod telemetry_time;
mod telemetry_trips;
