//! Tenants in numbers.

use crate::row::Columns;
use crate::store::PostgresStore;
use hub_store::error::Result;
use hub_store::site::{TALLIES_MAX, TenantTally};
use sqlx::postgres::PgRow;
use std::time::Duration;
use tokio::time::Instant;

/// Counting looks at every appliance, and several may ask: they are told what was counted within this time.
const COUNTED_FOR: Duration = Duration::from_secs(30);

pub(crate) async fn largest(store: &PostgresStore) -> Result<Vec<TenantTally>> {
    // Held while it is counted: a caller that asks meanwhile gets the same answer.
    let mut counted = store.tallies.lock().await;
    if let Some((at, tallies)) = &*counted
        && at.elapsed() < COUNTED_FOR
    {
        return Ok(tallies.clone());
    }
    let tallies = count(store).await?;
    *counted = Some((Instant::now(), tallies.clone()));
    Ok(tallies)
}

async fn count(store: &PostgresStore) -> Result<Vec<TenantTally>> {
    let query = || {
        sqlx::query(
            "select t.tenant, t.appliances, t.online, t.samples, t.events, t.telemetry, coalesce(q.kept, 0) as kept, \
               coalesce(q.dropped, 0) as dropped \
             from (select a.tenant, count(*) as appliances, count(*) filter (where s.online) as online, \
                     sum(s.samples)::bigint as samples, \
                     least(coalesce(sum(b.dropped_events_in_all), 0), 9223372036854775807)::bigint as events, \
                     least(coalesce(sum(b.dropped_telemetry_in_all), 0), 9223372036854775807)::bigint as telemetry \
                   from appliance a join appliance_status s on s.appliance = a.id \
                     left join appliance_birth b on b.appliance = a.id \
                   group by a.tenant order by count(*) desc, a.tenant limit $1) t \
             left join quarantine_tally q on q.tenant = t.tenant order by t.tenant",
        )
        .bind(TALLIES_MAX)
    };
    let rows = store.fetch(query).await?;
    rows.iter().map(tally).collect()
}

fn tally(row: &PgRow) -> Result<TenantTally> {
    Ok(TenantTally {
        tenant: row.word("tenant")?,
        appliances: row.col("appliances")?,
        online: row.col("online")?,
        samples: row.col("samples")?,
        quarantined: row.col("kept")?,
        quarantine_dropped: row.col("dropped")?,
        device_dropped_events: row.col("events")?,
        device_dropped_telemetry: row.col("telemetry")?,
    })
}
