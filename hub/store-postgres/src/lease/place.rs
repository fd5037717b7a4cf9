//! A place that one connection of one hub has at a time: that of the writer of readings, and that of the writer of sessions.
//! It is a lock that the connection holds as long as it lives.
//!
//! What follows from it: where a connection was given up, its last statement may still be under way. The next
//! connection has the place only when that statement has ended, so nothing of it comes after what is said then, and what is
//! read then includes it. The place of readings is taken with the lease: all that the hub before had under way has ended
//! then, and none of its connections can begin anything more. So a commit of readings needs no fence of its own.

use super::{Keeper, holders};
use crate::read_pool::connect;
use crate::row::db;
use hub_store::error::{Result, StoreError};
use sqlx::{Executor, PgConnection, PgPool};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The place is taken within this time, or the operation fails.
const LIMIT: Duration = Duration::from_secs(10);
/// What the connection before has under way may take so long to end by itself. Behind a silent network its session would stay
/// until the server notices: it is ended then.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A connection with these settings that has the place `name`, until it ends.
///
/// # Errors
/// [`StoreError::Deposed`] without the lease; [`StoreError::Unavailable`] if the database does not answer, or the place
/// does not become free.
pub(crate) async fn take(
    pool: &PgPool,
    settings: &[(&'static str, &'static str)],
    lease: &Keeper,
    name: &str,
) -> Result<PgConnection> {
    let mut conn = connect(pool, settings).await?;
    let key = key(name);
    let taken = async {
        let begun = Instant::now();
        while !lock(&mut conn, &key).await? {
            // Only the holder of the lease may end another's session.
            lease.fence(&mut conn).await?;
            if begun.elapsed() >= PATIENCE {
                end_holders(&mut conn, &key).await;
            }
            sleep(LOOK_AGAIN).await;
        }
        // After the lock: a hub that takes over later ends this session before it writes, and one that has taken over is seen
        // here.
        lease.fence(&mut conn).await
    };
    timeout(LIMIT, taken)
        .await
        .map_err(|late| StoreError::Unavailable(Box::new(late)))??;
    Ok(conn)
}

/// Key of the lock: of this schema. Locks are apart by database already.
fn key(name: &str) -> String {
    format!("hashtextextended('forecall {name} of ' || coalesce(current_schema(), ''), 0)")
}

async fn lock(conn: &mut PgConnection, key: &str) -> Result<bool> {
    sqlx::query_scalar(&format!("select pg_try_advisory_lock({key})"))
        .fetch_one(conn)
        .await
        .map_err(db)
}

/// Ends the sessions that hold the place. Where that is not allowed, the server ends them when it finds nobody there.
async fn end_holders(conn: &mut PgConnection, key: &str) {
    let ends = format!(
        "select pg_terminate_backend(pid) from ({}) h where pid <> pg_backend_pid()",
        holders(key)
    );
    match conn.execute(ends.as_str()).await {
        Ok(_) => tracing::debug!("a connection that had the place was ended"),
        Err(error) => tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection that has the place cannot be ended"
        ),
    }
}
