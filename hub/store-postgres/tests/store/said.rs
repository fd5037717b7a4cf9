//! What several tests say to a store, or wait for.

use crate::support::message;
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;
use hub_store::session::KeptSession;
use hub_store::telemetry::Ingest;
use sqlx::{Executor, PgConnection};
use std::time::{Duration, Instant};

/// Connections of a store's pool: a new one has to be told a statement first.
pub const POOL: u32 = 12;
/// What comes at all has come by then.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Ends every connection to the database but this one.
pub async fn end_others(sql: &mut PgConnection) {
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()";
    sql.execute(others).await.unwrap();
}

/// Waits until it holds, for [`PATIENCE`] at most.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session with one filter.
pub fn session(filter: &str, expiry_s: u32) -> KeptSession {
    KeptSession {
        expiry_s,
        subscriptions: vec![(filter.into(), 1)],
        unreleased: vec![],
    }
}

/// One reading of a second, in JSON.
pub fn json(id: ApplianceId, second: u64) -> Ingest {
    let mut message = message(id, 0, second, 1);
    message.identity = Identity::Content(vec![true]);
    Ingest::Telemetry(message)
}
