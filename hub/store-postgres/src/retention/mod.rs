//! What is kept long enough goes: weeks that nobody keeps any more are dropped whole, the rest is deleted by appliance.
//! Limits lie at midnight (UTC), so that what is kept starts with a whole day; aggregates of days that are gone stay.

pub(crate) mod declare;
mod due;
mod rule;
mod usual;
mod week;

use crate::layout::Layout;
use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use hub_core::witness::DatabaseClock;
use hub_store::error::Result;
use hub_store::retention::{Confirmation, Due as DueRows, DueFrom, Swept, UpkeepStore};
use jiff::{SignedDuration, Timestamp};
use rule::Due;
use sqlx::{Executor, PgConnection};
use std::collections::BTreeMap;

/// Late rows of a partition that are not in the aggregates: with so many, they are not looked through for one that is old
/// enough to go, but waited for. A sweep comes right behind a round of the aggregates.
const LATE_MAX: i64 = 1_000;
/// Appliances looked at in one step.
const APPLIANCES: i64 = 500;
/// TimescaleDB decompresses the rows of an appliance to delete them, and refuses more than 100,000 in a transaction
/// unless it is told otherwise; two readings a second make more in a day.
const DECOMPRESSED: &str = "set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0";
/// Rows deleted in one statement span at most this time; where they may have to be decompressed, a day.
const STRETCH: SignedDuration = SignedDuration::from_hours(7 * 24);
const STRETCH_COMPRESSED: SignedDuration = SignedDuration::from_hours(24);

#[async_trait]
impl UpkeepStore for PostgresStore {
    async fn aggregate(&self, turn: Option<u16>, limit: usize, now: Timestamp) -> Result<usize> {
        crate::aggregate::aggregate(self, turn, limit, now).await
    }

    async fn database_clock(&self) -> Result<Option<DatabaseClock>> {
        Ok(Some(self.facts().await?.database_clock()))
    }

    async fn vouch(&self, vouched: Option<Timestamp>, until: Option<Timestamp>) -> Result<()> {
        if let Some(at) = vouched {
            self.note_vouched(at).await?;
        }
        self.gate.set(until);
        Ok(())
    }

    async fn shortest_rule(&self) -> Result<Option<u32>> {
        let days = rule::shortest(&mut *self.pool.acquire().await.map_err(db)?).await?;
        Ok(days.and_then(|days| u32::try_from(days).ok()))
    }

    async fn sweeps(&self, before: Timestamp) -> Result<Vec<u64>> {
        usual::last(self, before).await
    }

    async fn note_sweep(&self, rows: u64, until: Timestamp) -> Result<()> {
        usual::note(self, rows, until).await
    }

    async fn confirm_sweep(&self, by: &str, now: Timestamp) -> Result<Confirmation> {
        usual::confirm(self, by, now).await
    }

    async fn sweep_confirmed(&self, now: Timestamp) -> Result<Option<Confirmation>> {
        usual::confirmed(self, now).await
    }

    async fn due(&self, now: Timestamp, after: Option<DueFrom>, limit: usize) -> Result<DueRows> {
        match self.gate.as_of(now) {
            Some(now) => due::step(self, now, after, limit).await,
            None => Ok(DueRows::default()),
        }
    }

    async fn sweep(&self, now: Timestamp, after: Option<ApplianceId>, limit: usize) -> Result<Swept> {
        let Some(now) = self.gate.as_of(now) else {
            return Ok(Swept::default());
        };
        let mut conn = self.pool.acquire().await.map_err(db)?;
        let Some(newest) = rule::newest_limit(&mut conn, now).await? else {
            return Ok(Swept::default());
        };
        // Asked once a sweep, and again only where the limit has moved on meanwhile. So a row as old that comes during the
        // sweep may go before the roll-up has noted its number: the same message, sent again, is stored again, and goes again.
        if after.is_none() || !self.writer.is_counted(newest) {
            let counted = is_counted(&mut conn, newest).await?;
            self.writer.counted(counted.then_some(newest));
            if !counted {
                tracing::debug!("old readings wait to be counted before they can go");
                return Ok(Swept::default());
            }
        }
        let mut swept = Swept::default();
        if after.is_none() {
            swept.dropped = week::drop_old(self, &mut conn, now).await?;
        }
        drop(conn);
        appliances(self, now, after, limit, &mut swept).await?;
        Ok(swept)
    }
}

/// Whether every row from before `limit` is rolled up, in the aggregates, and scored. What a restart would read again may go:
/// it is older than anybody keeps it, and one device whose clock is behind must not keep what everybody else has sent.
async fn is_counted(conn: &mut PgConnection, limit: Timestamp) -> Result<bool> {
    sqlx::query_scalar(
        "with reached as materialized ( \
           select r.partition, r.ingest_no as last, a.ingest_no, a.seen_at from rolled r join aggregated a using (partition) \
           union all select r.partition, r.ingest_no, s.ingest_no, s.seen_at from rolled r join scored s using (partition)) \
         select not exists (select from reached where last > ingest_no and seen_at < $1 + interval '1 day') \
           and not exists (select from reached a cross join lateral ( \
             select at, row_number() over (order by ingest_no) as place from ( \
               select at, ingest_no from late where partition = a.partition and ingest_no > a.ingest_no \
               order by ingest_no limit $2) l) l where l.at < $1 or l.place = $2)",
    )
    .bind(sql(limit))
    .bind(LATE_MAX)
    .fetch_one(conn)
    .await
    .map_err(db)
}

async fn appliances(
    store: &PostgresStore,
    now: Timestamp,
    after: Option<ApplianceId>,
    limit: usize,
    swept: &mut Swept,
) -> Result<()> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let page = rule::page(&mut *store.pool.acquire().await.map_err(db)?, now, after, APPLIANCES).await?;
    sequences(store, &page.due).await?;
    for (due, oldest) in old(store, &page.due).await? {
        let mut oldest = Some(oldest);
        while let Some(from) = oldest {
            if swept.rows >= limit {
                // Looked at again from this one on.
                swept.next = Some(ApplianceId(due.appliance.0 - 1));
                return Ok(());
            }
            let stretch = match store.layout {
                Layout::Hypertable => STRETCH_COMPRESSED,
                Layout::Partitions => STRETCH,
            };
            let to = from.checked_add(stretch).unwrap_or(due.limit).min(due.limit);
            swept.rows += delete(store, due.appliance, from, to).await?;
            oldest = match to < due.limit {
                true => old(store, &[due]).await?.first().map(|(_, oldest)| *oldest),
                false => None,
            };
        }
    }
    swept.next = page.next;
    Ok(())
}

/// Those of which there are rows that go, with the oldest of them.
async fn old(store: &PostgresStore, due: &[Due]) -> Result<Vec<(Due, Timestamp)>> {
    let rows = sqlx::query(
        "select d.appliance, d.cut, o.at from unnest($1::bigint[], $2::timestamptz[]) as d (appliance, cut) \
         cross join lateral (select t.at from telemetry t where t.appliance = d.appliance and t.at < d.cut \
           order by t.at limit 1) o order by d.appliance",
    )
    .bind(due.iter().map(|due| due.appliance.0).collect::<Vec<i64>>())
    .bind(due.iter().map(|due| sql(due.limit)).collect::<Vec<_>>())
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            let due = Due {
                appliance: ApplianceId(row.col("appliance")?),
                limit: row.at("cut")?,
            };
            Ok((due, row.at("at")?))
        })
        .collect()
}

async fn delete(store: &PostgresStore, appliance: ApplianceId, from: Timestamp, to: Timestamp) -> Result<u64> {
    let mut tx = store.begin().await?;
    if store.layout == Layout::Hypertable {
        tx.execute(DECOMPRESSED).await.map_err(db)?;
    }
    let deleted = sqlx::query("delete from telemetry where appliance = $1 and at >= $2 and at < $3")
        .bind(appliance.0)
        .bind(sql(from))
        .bind(sql(to))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    tx.commit().await.map_err(db)?;
    Ok(deleted.rows_affected())
}

/// A sequence that was last used before everything that is kept has no row to be a repeat of.
async fn sequences(store: &PostgresStore, due: &[Due]) -> Result<()> {
    let mut by_limit: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for due in due {
        by_limit.entry(due.limit).or_default().push(due.appliance.0);
    }
    for (limit, appliances) in by_limit {
        // Found one by one, so that the whole table is never read; and looked at again, should one be used meanwhile.
        sqlx::query(
            "delete from sequence where ctid = any(array( \
               select s.place from unnest($1::bigint[]) as d (appliance) cross join lateral ( \
                 select ctid as place from sequence where appliance = d.appliance and used_at < $2 offset 0) s)) \
             and used_at < $2",
        )
        .bind(appliances)
        .bind(sql(limit))
        .execute(&store.pool)
        .await
        .map_err(db)?;
    }
    Ok(())
}
