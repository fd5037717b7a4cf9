//! Databases of every earlier schema become this program's, whatever cuts the migration off; the database's own wall
//! between tenants; and readings as TimescaleDB compresses and aggregates them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod chain;
mod compression;
mod contents;
mod deploy;
mod earlier;
mod refresh;
mod row_security;
#[path = "../server/mod.rs"]
mod server;
