//! Rows as they are stored, each with the profile version that says what it means.

use super::catalog::version;
use super::subject::subject;
use crate::row::{Columns, sql};
use crate::store::PostgresStore;
use crate::telemetry::columns::{trace, values};
use hub_core::id::ApplianceId;
use hub_core::telemetry::{Lane, kept};
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::reading::{ROWS_MAX, ReadingRow};
use jiff::Timestamp;
use sqlx::postgres::PgRow;

/// Parameters: appliance, from, to, number of the last row that counts or null, limit.
pub(super) const ROWS: &str = concat!(
    "select profile_no, at, received_at, ingest_no, lane, trace_high, trace_low, ",
    values!(),
    " as v from telemetry \
     where appliance = $1 and at >= $2 and at < $3 and ($4::bigint is null or ingest_no <= $4) order by at, ingest_no limit $5"
);

/// Parameters: appliance, from, number, limit.
pub(super) const ROWS_SINCE: &str = concat!(
    "select profile_no, at, received_at, ingest_no, lane, trace_high, trace_low, ",
    values!(),
    " as v from telemetry where appliance = $1 and at >= $2 and ingest_no > $3 order by ingest_no limit $4"
);

pub(super) async fn rows(
    store: &PostgresStore,
    scope: &Scope,
    appliance: ApplianceId,
    (from, to): (Timestamp, Timestamp),
    as_of: Option<i64>,
    limit: usize,
) -> Result<Vec<ReadingRow>> {
    subject(store, scope, appliance).await?;
    let query = || {
        let query = sqlx::query(ROWS).bind(appliance.0).bind(sql(from)).bind(sql(to));
        query.bind(as_of).bind(bounded(limit))
    };
    read(store, &store.readers.fetch(query).await?).await
}

pub(super) async fn rows_since(
    store: &PostgresStore,
    scope: &Scope,
    appliance: ApplianceId,
    from: Timestamp,
    after: i64,
    limit: usize,
) -> Result<Vec<ReadingRow>> {
    subject(store, scope, appliance).await?;
    let query = || {
        let query = sqlx::query(ROWS_SINCE).bind(appliance.0).bind(sql(from));
        query.bind(after).bind(bounded(limit))
    };
    read(store, &store.readers.fetch(query).await?).await
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit.min(ROWS_MAX)).unwrap_or(i64::MAX)
}

async fn read(store: &PostgresStore, rows: &[PgRow]) -> Result<Vec<ReadingRow>> {
    let numbers: Vec<i16> = rows.iter().map(|row| row.col("profile_no")).collect::<Result<_>>()?;
    let versions = store.catalog.with(store, numbers.iter().copied()).await?;
    rows.iter()
        .zip(numbers)
        .map(|(row, no)| {
            let events = row.col::<Option<i16>>("lane")? == Some(Lane::Events as i16);
            Ok(ReadingRow {
                at: row.at("at")?,
                received_at: row.at("received_at")?,
                ingest_no: row.col("ingest_no")?,
                lane: if events { Lane::Events } else { Lane::Telemetry },
                trace: trace(row)?,
                profile: version(&versions, no)?,
                stored: kept(row.col("v")?),
            })
        })
        .collect()
}
