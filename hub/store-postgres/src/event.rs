//! Events: written with what they tell of, read in an order in which nothing can appear behind the reader.

use crate::row::{Columns, db};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::{ApplianceId, TicketId};
use hub_store::error::Result;
use hub_store::event::{Event, EventCursor, EventStore};
use hub_store::page::PAGE_MAX;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How soon a reader looks again when events exist that another transaction still hides.
const HIDDEN_EVENTS_PAUSE: Duration = Duration::from_millis(20);

/// Begins a new epoch if this is another cluster than the one that the newest events were written in: by its own number,
/// or because its transactions have not come as far. The lease's holder does so before it works.
pub(crate) async fn renew_epoch(conn: &mut PgConnection, now: Timestamp) -> Result<()> {
    // Not everybody may ask; then the transactions alone tell.
    let system: Option<i64> = sqlx::query_scalar("select system_identifier from pg_control_system()")
        .fetch_one(&mut *conn)
        .await
        .ok();
    let renewed = sqlx::query(
        "with last as (select epoch, transaction from event order by epoch desc, transaction desc limit 1), \
         renewed as ( \
           update event_epoch e set epoch = greatest(e.epoch + 1, last.epoch + 1, $2) from last \
           where last.epoch > e.epoch or $1 is distinct from coalesce(e.system, 0) and $1 is not null \
             or last.epoch = e.epoch and last.transaction >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint \
           returning e.epoch) \
         select epoch from renewed",
    )
    .bind(system)
    .bind(now.as_second())
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    if let Some(row) = renewed {
        let epoch: i64 = row.col("epoch")?;
        tracing::info!(epoch, "new epoch of events: this is another cluster than before");
    }
    sqlx::query("update event_epoch set system = $1 where $1 is not null and system is distinct from $1")
        .bind(system)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn event_head(&self) -> Result<EventCursor> {
        let query = || {
            sqlx::query(
                "select epoch, pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest_open from event_epoch",
            )
        };
        let rows = self.fetch(query).await?;
        let row = rows.first().ok_or_else(|| db(sqlx::Error::RowNotFound))?;
        let oldest_open: i64 = row.col("oldest_open")?;
        Ok(EventCursor {
            epoch: row.col("epoch")?,
            transaction: oldest_open - 1,
            number: i64::MAX,
        })
    }

    async fn events_after(&self, actor: &Actor, cursor: EventCursor, limit: usize) -> Result<Vec<Event>> {
        actor.may(Act::ReadEvents)?;
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(
            "with head as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest_open) \
             select e.*, e.epoch >= now.epoch and e.transaction >= head.oldest_open as hidden \
             from event e, head, event_epoch now \
             where (e.epoch, e.transaction, e.number) > ($1, $2, $3) and ($4::text is null or e.tenant = $4) \
               and ($6::text[] is null or e.appliance in (select id from appliance where service_point = any($6))) \
             order by e.epoch, e.transaction, e.number limit $5",
        )
        .bind(cursor.epoch)
        .bind(cursor.transaction)
        .bind(cursor.number)
        .bind(actor.tenant())
        .bind(i64::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1))
        .bind(actor.sites())
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let mut events = Vec::with_capacity(rows.len());
        let mut hidden = false;
        for row in &rows {
            // An older transaction may yet write below this one.
            if row.col("hidden")? {
                hidden = true;
                break;
            }
            events.push(Event {
                cursor: EventCursor {
                    epoch: row.col("epoch")?,
                    transaction: row.col("transaction")?,
                    number: row.col("number")?,
                },
                tenant: row.word("tenant")?,
                at: row.at("at")?,
                kind: row.col("kind")?,
                ticket: row.col::<Option<uuid::Uuid>>("ticket")?.map(TicketId),
                appliance: row.col::<Option<i64>>("appliance")?.map(ApplianceId),
            });
        }
        self.events_hidden.store(hidden, Ordering::Relaxed);
        Ok(events)
    }

    async fn event_arrived(&self, patience: Duration) {
        let hidden = self.events_hidden.load(Ordering::Relaxed);
        let most = if hidden { HIDDEN_EVENTS_PAUSE } else { Duration::MAX };
        self.signals.wait_event(patience.min(most)).await;
    }

    async fn healthy(&self) -> Result<()> {
        self.fetch(|| sqlx::query("select 1")).await.map(drop)
    }
}
