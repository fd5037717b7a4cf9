//! Which schema a database has, and whether it is all there.

use crate::connect_error::ConnectError;
use crate::migration::Migrations;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A hub that has just started has migrated within this time, unless it is of an older version.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(10);
pub(crate) const WAIT_PAUSE: Duration = Duration::from_millis(100);

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
pub(crate) async fn check(pool: &PgPool) -> Result<(), ConnectError> {
    judge(&applied(pool).await?)
}

/// Versions of the migrations that were applied, with their checksums; none where nobody has begun with the database.
pub(crate) async fn applied(pool: &PgPool) -> Result<BTreeMap<i64, Vec<u8>>, ConnectError> {
    let is_there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    if !is_there {
        return Ok(BTreeMap::new());
    }
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as("select version, checksum from _sqlx_migrations where success")
        .fetch_all(pool)
        .await
        .map_err(ConnectError::Unreachable)?;
    Ok(applied.into_iter().collect())
}

fn judge(applied: &BTreeMap<i64, Vec<u8>>) -> Result<(), ConnectError> {
    let known = Migrations::all();
    let known: BTreeMap<i64, Vec<u8>> = known.iter().map(|one| (one.version, one.checksum.to_vec())).collect();
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
