//! Quarantine: looked through, and left by what can be read now.

use crate::page::{below, page, page_limit};
use crate::row::{Columns, db, text};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::ApplianceId;
use hub_store::bounds::QUARANTINE_REASON_MAX;
use hub_store::error::{Result, StoreError};
use hub_store::page::{PAGE_MAX, Page};
use hub_store::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineStore};
use hub_store::telemetry::{Ingest, Ingested, Quarantined, TelemetryStore};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::HashSet;

const HELD: &str = "select q.number, q.tenant, a.device, a.profile, q.appliance, q.topic, q.payload, q.reason, q.received_at \
     from quarantine q join appliance a on a.id = q.appliance where ($1::text is null or q.tenant = $1) \
       and ($2::text[] is null or a.service_point = any($2))";

/// Newest first. Parameters: tenant or null, service points or null, number, appliance or null, part of the reason or null, limit.
pub(crate) fn list_sql() -> String {
    format!(
        "{HELD} and q.number < $3 and ($4::bigint is null or q.appliance = $4) \
         and ($5::text is null or strpos(lower(q.reason), lower($5)) > 0) order by q.number desc limit $6"
    )
}

#[async_trait]
impl QuarantineStore for PostgresStore {
    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>> {
        actor.may(Act::ReadQuarantine)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(&list_sql())
            .bind(actor.tenant())
            .bind(actor.sites())
            .bind(below(after)?)
            .bind(filter.appliance.map(|id| id.0))
            .bind(filter.reason.as_deref().map(text))
            .bind(page_limit(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        let items = rows.iter().map(held).collect::<Result<_>>()?;
        Ok(page(items, limit, |held: &QuarantineEntry| held.number.to_string()))
    }

    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<QuarantineEntry>> {
        actor.may(Act::ReadQuarantine)?;
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(&format!("{HELD} and q.number = any($3) order by q.number"))
            .bind(actor.tenant())
            .bind(actor.sites())
            .bind(numbers)
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        rows.iter().map(held).collect()
    }

    async fn replay(&self, number: i64, content: Ingest) -> Result<Ingested> {
        let replayed = Ingest::Replayed {
            appliance: content.appliance(),
            number,
            content: Box::new(content),
        };
        let answers = self.ingest(&[replayed]).await?;
        let none = || StoreError::Refused("the store gave no answer for a replayed payload".to_owned());
        answers.first().copied().ok_or_else(none)
    }

    async fn still_held(&self, number: i64, reason: &str) -> Result<()> {
        let reason: String = text(reason).chars().take(QUARANTINE_REASON_MAX).collect();
        let update = || {
            sqlx::query("update quarantine set reason = $2 where number = $1")
                .bind(number)
                .bind(reason.as_str())
        };
        self.fetch(update).await.map(drop)
    }
}

/// Takes payloads out of quarantine in the caller's transaction; answers with the numbers of those that were there.
pub(crate) async fn release(conn: &mut PgConnection, numbers: &[i64]) -> Result<HashSet<i64>> {
    if numbers.is_empty() {
        return Ok(HashSet::new());
    }
    // In order, so that two replays of the same payloads never wait for each other in a circle.
    sqlx::query("select from quarantine where number = any($1) order by number for update")
        .bind(numbers)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    let rows = sqlx::query("delete from quarantine where number = any($1) returning number, tenant, appliance")
        .bind(numbers)
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    let released: HashSet<i64> = rows.iter().map(|row| row.col("number")).collect::<Result<_>>()?;
    let tenants: Vec<String> = rows.iter().map(|row| row.col("tenant")).collect::<Result<_>>()?;
    let appliances: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
    count_down(conn, &appliances, &tenants).await?;
    Ok(released)
}

/// One for each time that an appliance and a tenant are named.
async fn count_down(conn: &mut PgConnection, appliances: &[i64], tenants: &[String]) -> Result<()> {
    // In order, as the roll-up does.
    sqlx::query("select from appliance_status where appliance = any($1) order by appliance for no key update")
        .bind(appliances)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    sqlx::query(
        "update appliance_status s set quarantined = greatest(s.quarantined - k.count, 0) \
         from (select appliance, count(*) from unnest($1::bigint[]) as n (appliance) group by appliance) k \
         where s.appliance = k.appliance",
    )
    .bind(appliances)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "update quarantine_tally t set kept = greatest(t.kept - k.count, 0) \
         from (select tenant, count(*) from unnest($1::text[]) as n (tenant) group by tenant) k \
         where t.tenant = k.tenant",
    )
    .bind(tenants)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

fn held(row: &PgRow) -> Result<QuarantineEntry> {
    Ok(QuarantineEntry {
        number: row.col("number")?,
        tenant: row.word("tenant")?,
        device: row.word("device")?,
        profile: row.col("profile")?,
        kept: Quarantined {
            appliance: ApplianceId(row.col("appliance")?),
            topic: row.col("topic")?,
            payload: row.col("payload")?,
            reason: row.col("reason")?,
            received_at: row.at("received_at")?,
        },
    })
}
