//! The place of the one writer: a lock that the writer's connection holds as long as it lives.
//!
//! Two things follow from it. Batches follow each other also where the one before was given up by this process and not yet
//! by the database: its last statement may be under way on a connection that is lost, and what is read after the lock is had
//! includes what that statement stored. And no other hub's statement can come behind: a hub takes the place with the lease,
//! so whatever the hub before it had under way has ended, and none of its connections can begin anything more. So a commit
//! of readings needs no fence of its own.

use crate::lease::{Keeper, holders};
use crate::row::db;
use hub_store::error::{Result, StoreError};
use sqlx::{ConnectOptions, Executor, PgConnection, PgPool};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The place is had within this time, or the operation fails.
const LIMIT: Duration = Duration::from_secs(10);
/// What the writer before has under way may take so long to end by itself. Behind a silent network its session would stay
/// until the server notices: it is ended then.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A transaction that this process has given up behind a silent network ends by itself.
const IDLE_LIMIT: (&str, &str) = ("idle_in_transaction_session_timeout", "10s");
/// Key of the lock: of this schema. Locks are apart by database already.
const KEY: &str = "hashtextextended('forecall ingest of ' || coalesce(current_schema(), ''), 0)";

/// A connection that has the place, until it ends.
///
/// # Errors
/// [`StoreError::Deposed`] without the lease; [`StoreError::Unavailable`] if the database does not answer, or the place
/// does not become free.
pub(super) async fn take(pool: &PgPool, lease: &Keeper) -> Result<PgConnection> {
    let taken = async {
        let options = (*pool.connect_options()).clone().options([IDLE_LIMIT]);
        let mut conn = options.connect().await.map_err(db)?;
        let begun = Instant::now();
        while !lock(&mut conn).await? {
            // Only the holder of the lease may end another's session.
            lease.fence(&mut conn).await?;
            if begun.elapsed() >= PATIENCE {
                end_holders(&mut conn).await;
            }
            sleep(LOOK_AGAIN).await;
        }
        // After the lock: a hub that has taken over since ends this session before it writes, and one that took over before
        // is seen here.
        lease.fence(&mut conn).await?;
        Ok(conn)
    };
    timeout(LIMIT, taken)
        .await
        .map_err(|late| StoreError::Unavailable(Box::new(late)))?
}

async fn lock(conn: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar(&format!("select pg_try_advisory_lock({KEY})"))
        .fetch_one(conn)
        .await
        .map_err(db)
}

/// Ends the sessions that hold the place. Where that is not allowed, the server ends them when it finds nobody there.
async fn end_holders(conn: &mut PgConnection) {
    let ends = format!(
        "select pg_terminate_backend(pid) from ({}) h where pid <> pg_backend_pid()",
        holders(KEY)
    );
    match conn.execute(ends.as_str()).await {
        Ok(_) => tracing::debug!("a connection of the writer was ended by its successor"),
        Err(error) => tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a former connection of the writer cannot be ended"
        ),
    }
}
