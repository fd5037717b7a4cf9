//! The hub's store in PostgreSQL, and the database cluster that the hub runs when it is given none.
//!
//! Everything here goes by three rules. One transaction holds a change and all that follows from it. Locks are taken in
//! one order: appliance, ticket, attempt, owner, service point, tally. Civil time and nothing else is what rows hold, and it
//! always comes as a parameter.

pub mod cluster;
pub mod keyring;
#[doc(hidden)]
pub mod statement;

mod access;
mod account;
mod aggregate;
mod appointment;
mod attempt;
mod baseline;
mod budget;
mod caller;
mod certificate;
mod claim;
mod connect_error;
mod contact;
mod credential;
mod device;
mod event;
mod facts;
mod finding;
mod floors;
mod household;
mod layout;
mod lease;
mod life;
mod migration;
mod pace;
mod page;
mod prediction;
mod profile_version;
mod progress;
mod quarantine;
mod read_pool;
mod reading;
mod release;
mod retention;
mod row;
mod schema;
mod scoped;
mod scoring;
mod session;
mod session_writer;
mod shadow;
mod site;
mod site_apply;
mod site_row;
mod situation;
mod slot;
mod store;
mod tally;
mod telemetry;
mod ticket;
mod ticket_row;
mod transaction;
mod upgrade;

pub use cluster::{Cluster, ClusterError, ClusterOptions, make_state_dir};
pub use connect_error::ConnectError;
pub use facts::DatabaseFacts;
#[doc(hidden)]
pub use household::joining::Joined;
pub use keyring::{Keyring, KeyringError};
pub use layout::Layout;
#[doc(hidden)]
pub use migration::Migrations;
pub use progress::Progress;
#[doc(hidden)]
pub use schema::schema_version;
#[doc(hidden)]
pub use site_apply::BATCH as SITE_BATCH;
pub use site_apply::{CommitUnanswered, LeftOut};
pub use sqlx::postgres::PgConnectOptions;
#[doc(hidden)]
pub use store::CLOSE_LIMIT;
pub use store::PostgresStore;
pub use telemetry::{TelemetryRow, TelemetryTuples};
pub use upgrade::Upgrade;
