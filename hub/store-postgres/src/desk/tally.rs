//! Tenants in numbers.

use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_store::desk::{TALLIES_MAX, TenantTally};
use hub_store::error::Result;
use sqlx::postgres::PgRow;

pub(super) async fn largest(store: &PostgresStore) -> Result<Vec<TenantTally>> {
    let rows = sqlx::query(
        "select t.tenant, t.appliances, t.online, t.samples, coalesce(q.kept, 0) as kept, \
           coalesce(q.dropped, 0) as dropped \
         from (select a.tenant, count(*) as appliances, count(*) filter (where s.online) as online, \
                 sum(s.samples)::bigint as samples \
               from appliance a join appliance_status s on s.appliance = a.id \
               group by a.tenant order by count(*) desc, a.tenant limit $1) t \
         left join quarantine_tally q on q.tenant = t.tenant order by t.tenant",
    )
    .bind(TALLIES_MAX)
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
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
    })
}
