//! Aggregates in tables of our own: rows that are due are added to what is there.

use super::span::{self, Round, Span};
use crate::row::{db, sql};
use crate::store::PostgresStore;
use crate::telemetry::columns::values;
use hub_store::error::Result;
use sqlx::PgConnection;

/// Each row is read once and taken apart once: first by appliance and hour, of which both aggregates are made. Parameters:
/// partitions, numbers above which, numbers up to which, and the time before which rows are named in `late`.
const ADD: &str = concat!(
    "with k as materialized (select * from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as k (partition, low, high)), \
     r as materialized ( \
       select t.appliance, t.tenant_no, t.profile_no, t.at, ",
    values!(),
    " as v from k cross join lateral ( \
         select * from telemetry where partition = k.partition and ingest_no > k.low and ingest_no <= k.high \
           and at >= $4 offset 0) t \
       union all \
       select t.appliance, t.tenant_no, t.profile_no, t.at, ",
    values!(),
    " as v from k cross join lateral ( \
         select appliance, at, ingest_no from late where partition = k.partition and ingest_no > k.low \
           and ingest_no <= k.high and at < $4 offset 0) l \
       cross join lateral ( \
         select * from telemetry where appliance = l.appliance and at = l.at and partition = k.partition \
           and ingest_no = l.ingest_no offset 0) t), \
     h as materialized ( \
       select r.appliance, r.tenant_no, r.profile_no, date_bin('1 hour', r.at, '1970-01-01Z') as hour, \
         c.channel::smallint as channel, count(*) as count, sum(c.value) as sum, min(c.value) as min, max(c.value) as max \
       from r cross join lateral unnest(r.v) with ordinality as c (value, channel) where c.value is not null \
       group by 1, 2, 3, 4, 5), \
     fleet as ( \
       insert into fleet_hour as f (tenant_no, profile_no, hour, channel, count, sum, min, max) \
       select tenant_no, profile_no, hour, channel, sum(count)::bigint, sum(sum)::bigint, min(min), max(max) from h \
       group by 1, 2, 3, 4 order by 1, 2, 3, 4 \
       on conflict (tenant_no, profile_no, channel, hour) do update set count = f.count + excluded.count, \
         sum = f.sum + excluded.sum, min = least(f.min, excluded.min), max = greatest(f.max, excluded.max)), \
     g as (select appliance, profile_no, date_bin('1 day', hour, '1970-01-01Z') as day, channel, count, sum, min, max from h), \
     d as ( \
       select appliance, profile_no, day, channel, sum(count)::bigint as count, sum(sum)::bigint as sum, min(min) as low, \
         max(max) as high \
       from (select * from g union all \
             select o.appliance, o.profile_no, o.day, u.channel, u.count, u.sum, u.low, u.high \
             from (select distinct appliance, day, profile_no from g) n cross join lateral ( \
               select * from device_day where appliance = n.appliance and day = n.day and profile_no = n.profile_no \
               offset 0) o \
             cross join lateral unnest(o.channel, o.count, o.sum, o.low, o.high) as u (channel, count, sum, low, high)) both_ \
       group by 1, 2, 3, 4), \
     device as ( \
       insert into device_day (appliance, profile_no, day, channel, count, sum, low, high) \
       select appliance, profile_no, day, array_agg(channel order by channel), array_agg(count order by channel), \
         array_agg(sum order by channel), array_agg(low order by channel), array_agg(high order by channel) from d \
       group by 1, 2, 3 order by 1, 3, 2 \
       on conflict (appliance, day, profile_no) do update set channel = excluded.channel, count = excluded.count, \
         sum = excluded.sum, low = excluded.low, high = excluded.high) \
     select count(*) from r"
);

/// Adds `limit` rows of the round at most; answers with which they were.
pub(super) async fn step(store: &PostgresStore, round: &Round, limit: usize) -> Result<Vec<Span>> {
    let mut tx = store.begin().await?;
    let done = taken(&mut tx, round, limit).await;
    // Undone before it is answered: a step that is tried again at once would find its partitions locked, and leave them out.
    match &done {
        Ok(_) => tx.commit().await.map_err(db)?,
        Err(_) => tx.rollback().await.map_err(db)?,
    }
    done
}

async fn taken(conn: &mut PgConnection, round: &Round, limit: usize) -> Result<Vec<Span>> {
    let (reached, mut later): (Vec<Span>, Vec<Span>) = span::due(conn, round, limit)
        .await?
        .into_iter()
        .partition(Span::has_rows);
    if !reached.is_empty() {
        add(conn, &reached).await?;
        span::pass(conn, &reached).await?;
    }
    later.extend(reached);
    Ok(later)
}

async fn add(conn: &mut PgConnection, spans: &[Span]) -> Result<()> {
    let rows: i64 = sqlx::query_scalar(ADD)
        .bind(span::partitions(spans))
        .bind(span::lows(spans))
        .bind(span::highs(spans))
        .bind(sql(span::measured_from(spans)))
        .fetch_one(conn)
        .await
        .map_err(db)?;
    tracing::debug!(rows, "aggregated");
    Ok(())
}
