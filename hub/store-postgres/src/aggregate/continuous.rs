//! Continuous aggregates: their policies look back for [`POLICY_DAYS`]. Days that late readings have changed before that
//! are refreshed here, and so is everything after rows came in another way than by ingest.

use super::limit::{STEP_LIMIT, within};
use super::span::{self, Round, Span};
use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use hub_core::retention::DAY_S;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::{Executor, PgConnection};
use std::collections::BTreeSet;
use std::time::Duration;

/// The policies of the migration refresh what is newer; less a day in which they may not have run.
const POLICY_DAYS: i64 = 7;
/// One day may take this long.
const REFRESH_LIMIT: &str = "set statement_timeout = '600s'";
/// And its answer is here by then.
const REFRESHED_WITHIN: Duration = Duration::from_secs(620);
const VIEWS: [&str; 2] = ["fleet_hourly_wide", "device_daily_wide"];

/// Everything of the round; answers with which rows it were.
pub(super) async fn step(store: &PostgresStore, round: &Round, now: Timestamp) -> Result<Vec<Span>> {
    // Refreshing cannot be part of a transaction, and does no harm when it is done twice.
    let (spans, days) = within(STEP_LIMIT, due(store, round, now)).await?;
    if spans.is_empty() {
        return Ok(spans);
    }
    if !days.is_empty() {
        refresh(store, &days).await?;
    }
    within(STEP_LIMIT, async {
        let mut conn = store.pool.acquire().await.map_err(db)?;
        span::pass(&mut conn, &spans).await
    })
    .await?;
    Ok(spans)
}

/// Rows that are not seen to yet, and the days that they have changed and no policy looks back for.
async fn due(store: &PostgresStore, round: &Round, now: Timestamp) -> Result<(Vec<Span>, BTreeSet<Day>)> {
    let mut tx = store.begin().await?;
    let spans = span::due(&mut tx, round, usize::MAX).await?;
    tx.rollback().await.map_err(db)?;
    if spans.is_empty() {
        return Ok((spans, BTreeSet::new()));
    }
    let until = Day::of(now).before(POLICY_DAYS);
    let mut conn = store.pool.acquire().await.map_err(db)?;
    let mut days = days(&mut conn, &spans, until).await?;
    if let Some(floor) = floor(&mut conn, now).await? {
        days = days.split_off(&floor);
    }
    Ok((spans, days))
}

/// A day (UTC), counted from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day(i64);

impl Day {
    fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(DAY_S))
    }

    fn before(self, days: i64) -> Self {
        Self(self.0 - days)
    }

    fn start(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(DAY_S)).unwrap_or(Timestamp::MIN)
    }
}

/// Days before `until` that these rows have changed.
async fn days(conn: &mut PgConnection, spans: &[Span], until: Day) -> Result<BTreeSet<Day>> {
    if spans.iter().any(|span| span.seen_at == Timestamp::UNIX_EPOCH) {
        // Where its oldest chunk begins: no index finds the oldest row of all appliances.
        let oldest = sqlx::query(
            "select min(range_start) as at from timescaledb_information.chunks \
             where hypertable_schema = current_schema() and hypertable_name = 'telemetry'",
        )
        .fetch_one(conn)
        .await
        .map_err(db)?
        .maybe_at("at")?;
        return Ok(oldest.map_or_else(BTreeSet::new, |at| (Day::of(at).0..until.0).map(Day).collect()));
    }
    let rows = sqlx::query(
        "select distinct date_bin('1 day', l.at, '1970-01-01Z') as day \
         from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (partition, low, high) cross join lateral ( \
           select at from late where partition = k.partition and ingest_no > k.low and ingest_no <= k.high and at < $4 \
           offset 0) l",
    )
    .bind(span::partitions(spans))
    .bind(span::lows(spans))
    .bind(span::highs(spans))
    .bind(sql(until.start()))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter().map(|row| Ok(Day::of(row.at("day")?))).collect()
}

/// The first day of which nobody's readings may have been deleted: refreshing an earlier one would forget those that were.
/// There is none where nothing was aggregated yet, as after an import: nothing is deleted before it is.
async fn floor(conn: &mut PgConnection, now: Timestamp) -> Result<Option<Day>> {
    let shortest: Option<i32> =
        sqlx::query_scalar("select min(days) from retention where exists (select from aggregated where ingest_no > 0)")
            .fetch_one(conn)
            .await
            .map_err(db)?;
    Ok(shortest.map(|days| Day::of(now).before(i64::from(days))))
}

/// On a connection of its own, which goes with its limit when it is done or cut off.
async fn refresh(store: &PostgresStore, days: &BTreeSet<Day>) -> Result<()> {
    let mut conn = store.pool.acquire().await.map_err(db)?.detach();
    let schema: String = sqlx::query_scalar(
        "select quote_ident(nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace \
         where e.extname = 'timescaledb'",
    )
    .fetch_one(&mut conn)
    .await
    .map_err(db)?;
    conn.execute(REFRESH_LIMIT).await.map_err(db)?;
    for day in days {
        let (from, to) = (day.start(), Day(day.0 + 1).start());
        for view in VIEWS {
            // The bounds are civil times of our own making.
            let call = format!(
                "call {schema}.refresh_continuous_aggregate('{view}', '{from}'::timestamptz, '{to}'::timestamptz)"
            );
            within(REFRESHED_WITHIN, async {
                conn.execute(call.as_str()).await.map_err(db)
            })
            .await?;
        }
        tracing::debug!(%from, "aggregates of a day were refreshed for readings that came late");
    }
    if let (Some(first), Some(last)) = (days.first(), days.last()) {
        let (from, to) = (first.start(), Day(last.0 + 1).start());
        tracing::info!(days = days.len(), %from, %to, "aggregates were refreshed for readings that came late");
    }
    Ok(())
}
