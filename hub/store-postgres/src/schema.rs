//! Bringing a database to this program's schema, but never under a hub of another version that runs on it; and whether
//! the database is all there.

use crate::connect_error::ConnectError;
use crate::lease;
use crate::migration::{MIGRATE_LIMIT, Migrations};
use sqlx::migrate::MigrateError;
use sqlx::{ConnectOptions, Connection, PgPool};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A hub that has just started has migrated within this time, unless it is of an older version.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
const WAIT_PAUSE: Duration = Duration::from_millis(100);

/// The newest schema version that this program knows.
pub fn schema_version() -> i64 {
    Migrations::all().newest()
}

/// Refuses a database into which an import was begun and not ended: what is missing of it nobody would know.
pub(crate) async fn check_is_whole(pool: &PgPool) -> Result<(), ConnectError> {
    let half: Option<uuid::Uuid> = sqlx::query_scalar("select export from import where finished_at is null")
        .fetch_optional(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    match half {
        Some(export) => Err(ConnectError::HalfImported(export)),
        None => Ok(()),
    }
}

/// Migrates if the schema is an older one. Only with the lease's lock: a hub that runs on an older schema would not know
/// the newer one, so it has to be stopped first.
pub(crate) async fn bring_up(pool: &PgPool) -> Result<(), ConnectError> {
    let until = Instant::now() + WAIT_LIMIT;
    loop {
        match check(pool).await {
            Err(ConnectError::OlderSchema(_)) => {}
            checked => return checked,
        }
        let options = pool.connect_options();
        let mut conn = options.connect().await.map_err(ConnectError::Unreachable)?;
        let locked = lease::lock(&mut conn).await.map_err(ConnectError::Start)?;
        if locked {
            tokio::time::timeout(MIGRATE_LIMIT, migrate(pool))
                .await
                .map_err(|_| ConnectError::MigrationTime)??;
        }
        conn.close().await.map_err(ConnectError::Unreachable)?;
        if locked {
            return Ok(());
        }
        let error = check(pool).await;
        if Instant::now() > until {
            return error;
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
}

/// Waits for a hub that is just migrating.
pub(crate) async fn wait_for(pool: &PgPool) -> Result<(), ConnectError> {
    let until = Instant::now() + WAIT_LIMIT;
    while let Err(error) = check(pool).await {
        if !matches!(error, ConnectError::OlderSchema(_)) || Instant::now() > until {
            return Err(error);
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
    Ok(())
}

/// Whether the schema is this program's.
async fn check(pool: &PgPool) -> Result<(), ConnectError> {
    let known = Migrations::all();
    let known: BTreeMap<i64, Vec<u8>> = known.iter().map(|one| (one.version, one.checksum.to_vec())).collect();
    let newest = known.keys().last().copied().unwrap_or(0);
    let is_there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    if !is_there {
        return Err(ConnectError::OlderSchema(newest));
    }
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as("select version, checksum from _sqlx_migrations where success")
        .fetch_all(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    let applied: BTreeMap<i64, Vec<u8>> = applied.into_iter().collect();
    if let Some(newer) = applied.keys().find(|version| !known.contains_key(version)) {
        return Err(ConnectError::NewerSchema(*newer));
    }
    let differs = |(version, checksum): &(&i64, &Vec<u8>)| applied.get(version).is_some_and(|other| other != *checksum);
    if let Some((other, _)) = known.iter().find(differs) {
        return Err(ConnectError::OtherSchema(*other));
    }
    match known.keys().find(|version| !applied.contains_key(version)) {
        Some(missing) => Err(ConnectError::OlderSchema(*missing)),
        None => Ok(()),
    }
}

async fn migrate(pool: &PgPool) -> Result<(), ConnectError> {
    let mut conn = pool.acquire().await.map_err(ConnectError::Unreachable)?;
    // A second hub that starts at the same time waits on the migrator's advisory lock, longer than any statement may.
    for setting in ["set statement_timeout = '600s'", "set lock_timeout = '600s'"] {
        sqlx::query(setting)
            .execute(&mut *conn)
            .await
            .map_err(ConnectError::Unreachable)?;
    }
    let migrated = Migrations::all().run(&mut conn).await;
    // This connection's limits are not those of the pool any more.
    conn.close().await.map_err(ConnectError::Unreachable)?;
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(version) => ConnectError::NewerSchema(version),
        other => ConnectError::Migration(other),
    })
}
