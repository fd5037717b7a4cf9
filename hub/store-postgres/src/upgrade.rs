//! Whether a database is of an earlier schema, asked before anything is done to it.

use crate::connect_error::ConnectError;
use crate::lease;
use crate::schema::schema_version;
use crate::store::PostgresStore;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::time::Duration;

/// Time limit for the questions.
const LIMIT: Duration = Duration::from_secs(30);

/// A database that the next [`PostgresStore::connect`] migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// Its schema version.
    pub from: i64,
    /// The program's schema version.
    pub to: i64,
    /// Size of the database in bytes.
    pub bytes: u64,
}

impl PostgresStore {
    /// What a start on this database would migrate: `None` where it is empty, of this program's schema or a newer one, or where a
    /// hub works on it. Changes nothing.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, or does not answer within 30 s.
    pub async fn upgrade_due(options: PgConnectOptions) -> Result<Option<Upgrade>, ConnectError> {
        let look = async {
            let mut conn = options.application_name("forecall").connect().await?;
            let due = look(&mut conn).await?;
            let is_free = due.is_none() || lease::lock(&mut conn).await.unwrap_or(false);
            // With its session the lock ends.
            conn.close().await?;
            Ok::<_, sqlx::Error>(due.filter(|_| is_free))
        };
        let looked = tokio::time::timeout(LIMIT, look).await;
        looked
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            .map_err(ConnectError::Unreachable)
    }
}

async fn look(conn: &mut PgConnection) -> sqlx::Result<Option<Upgrade>> {
    let is_there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !is_there {
        return Ok(None);
    }
    let (from, bytes): (Option<i64>, i64) = sqlx::query_as(
        "select (select max(version) from _sqlx_migrations where success), pg_database_size(current_database())",
    )
    .fetch_one(conn)
    .await?;
    let to = schema_version();
    let older = from.filter(|from| *from < to);
    Ok(older.map(|from| Upgrade {
        from,
        to,
        bytes: bytes.unsigned_abs(),
    }))
}
