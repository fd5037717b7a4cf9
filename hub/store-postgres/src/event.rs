//! Events: written with what they tell of, read in an order in which nothing can appear behind the reader.

use crate::row::{Columns, db, sql};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId, TicketId};
use hub_store::Scope;
use hub_store::error::Result;
use hub_store::event::{Event, EventCursor, EventStore};
use hub_store::scope::PAGE_MAX;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::time::Duration;

/// Writes an event in the caller's transaction.
pub(crate) async fn write(
    conn: &mut PgConnection,
    tenant: &TenantId,
    kind: &str,
    ticket: Option<TicketId>,
    appliance: Option<ApplianceId>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "insert into event (transaction, tenant, at, kind, ticket, appliance) \
         values (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(sql(now))
    .bind(kind)
    .bind(ticket.map(|id| id.0))
    .bind(appliance.map(|id| id.0))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn event_head(&self) -> Result<EventCursor> {
        let oldest_open: i64 = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            .fetch_one(&self.pool)
            .await
            .map_err(db)?;
        Ok(EventCursor {
            transaction: oldest_open - 1,
            number: i64::MAX,
        })
    }

    async fn events_after(&self, scope: &Scope, cursor: EventCursor, limit: usize) -> Result<Vec<Event>> {
        let rows = sqlx::query(
            "with head as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest_open) \
             select e.*, e.transaction >= head.oldest_open as hidden from event e, head \
             where (e.transaction, e.number) > ($1, $2) and ($3::text is null or e.tenant = $3) \
             order by e.transaction, e.number limit $4",
        )
        .bind(cursor.transaction)
        .bind(cursor.number)
        .bind(scope.tenant())
        .bind(i64::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1))
        .fetch_all(&self.pool)
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
        self.signals.events_hidden(hidden);
        Ok(events)
    }

    async fn event_arrived(&self, patience: Duration) {
        self.signals.wait_event(patience).await;
    }

    async fn healthy(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.pool).await.map_err(db)?;
        Ok(())
    }
}
