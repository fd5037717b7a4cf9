//! The store on a real cluster: one for this program, a database for each test.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod cluster_beside;
mod contact;
mod contact_later;
mod prediction;
mod site;
mod support;
mod telemetry;
