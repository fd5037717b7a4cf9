//! Databases of every earlier schema become this program's, whatever cuts the migration off, and those in which much has
//! happened keep it all; the database's own wall between tenants; and readings as TimescaleDB compresses and aggregates
//! them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod chain;
mod compression;
mod contents;
mod deploy;
mod earlier;
mod fixture;
mod goes_on;
mod keeps;
mod life;
mod lived;
mod refresh;
mod row_security;
#[path = "../server/mod.rs"]
mod server;
