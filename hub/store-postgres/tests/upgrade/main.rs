//! Databases of every earlier schema become this program's, whatever cuts the migration off, and those in which much has
//! happened keep it all; the database's own wall between tenants; and readings as TimescaleDB compresses and aggregates
//! them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod chain;
mod compression;
mod contents;
mod deploy;
mod earlier;
#[expect(dead_code, reason = "a test of hub-moving writes fixtures")]
mod fixture;
mod goes_on;
mod keeps;
#[expect(
    dead_code,
    reason = "it is led by a test of hub-moving; here it is what fixtures are asked for"
)]
mod life;
mod lived;
mod refresh;
mod row_security;
#[path = "../server/mod.rs"]
mod server;
