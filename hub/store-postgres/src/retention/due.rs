//! What a sweep would take, looked at in the order in which it goes and without taking it.

use super::{APPLIANCES, old, rule};
use crate::layout::Layout;
use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_store::error::Result;
use hub_store::retention::{Due, DueFrom};
use jiff::Timestamp;

/// Stretches counted in one step, whatever is in them: each is two questions, and a step has to end in time.
const STRETCHES_MAX: usize = 500;

/// One step behind `after`: about `limit` rows, or so many stretches.
pub(super) async fn step(store: &PostgresStore, now: Timestamp, after: Option<DueFrom>, limit: usize) -> Result<Due> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let behind = after.map(|after| match after.at {
        Some(_) => ApplianceId(after.appliance.0 - 1),
        None => after.appliance,
    });
    let page = rule::page(&mut *store.pool.acquire().await.map_err(db)?, now, behind, APPLIANCES).await?;
    let mut due = Due::default();
    let mut stretches = 0;
    for (of, oldest) in old(store, &page.due).await? {
        let begun = after.filter(|after| after.appliance == of.appliance);
        let mut from = begun.and_then(|after| after.at).unwrap_or(oldest);
        while from < of.limit {
            if due.rows >= limit || stretches >= STRETCHES_MAX {
                let at = Some(from);
                let appliance = of.appliance;
                due.next = Some(DueFrom { appliance, at });
                return Ok(due);
            }
            stretches += 1;
            let to = from.checked_add(stretch(store)).unwrap_or(of.limit).min(of.limit);
            count(store, of.appliance, from, to, &mut due).await?;
            match next(store, of.appliance, to, of.limit).await? {
                Some(at) => from = at,
                None => break,
            }
        }
    }
    due.next = page.next.map(|appliance| DueFrom { appliance, at: None });
    Ok(due)
}

fn stretch(store: &PostgresStore) -> jiff::SignedDuration {
    match store.layout {
        Layout::Hypertable => super::STRETCH_COMPRESSED,
        Layout::Partitions => super::STRETCH,
    }
}

/// Adds what there is of a stretch.
async fn count(
    store: &PostgresStore,
    appliance: ApplianceId,
    from: Timestamp,
    to: Timestamp,
    due: &mut Due,
) -> Result<()> {
    let row = sqlx::query(
        "select count(*) as rows, min(at) as oldest, max(at) as newest from telemetry \
         where appliance = $1 and at >= $2 and at < $3",
    )
    .bind(appliance.0)
    .bind(sql(from))
    .bind(sql(to))
    .fetch_one(&store.pool)
    .await
    .map_err(db)?;
    due.add(
        u64::try_from(row.col::<i64>("rows")?).unwrap_or(0),
        row.maybe_at("oldest")?,
        row.maybe_at("newest")?,
    );
    Ok(())
}

/// The time of the next row that goes.
async fn next(
    store: &PostgresStore,
    appliance: ApplianceId,
    from: Timestamp,
    limit: Timestamp,
) -> Result<Option<Timestamp>> {
    let row = sqlx::query("select at from telemetry where appliance = $1 and at >= $2 and at < $3 order by at limit 1")
        .bind(appliance.0)
        .bind(sql(from))
        .bind(sql(limit))
        .fetch_optional(&store.pool)
        .await
        .map_err(db)?;
    row.map(|row| row.at("at")).transpose()
}
