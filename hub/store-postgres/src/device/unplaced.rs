//! What devices say that their profiles do not know.

use crate::row::Columns;
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_store::device::{UNPLACED_SAMPLES, Unplaced};
use hub_store::error::Result;

/// Most names told of each kind.
const NAMES_MAX: i64 = 64;

pub(super) async fn newest(store: &PostgresStore, appliance: ApplianceId) -> Result<Unplaced> {
    let query = || {
        sqlx::query(
            "with newest as (select extra from telemetry where appliance = $1 order by at desc limit $2) \
             select distinct kind, name from newest, (values ('unknown'), ('out_of_range')) as k (kind), \
             jsonb_object_keys(case jsonb_typeof(extra -> kind) when 'object' then extra -> kind end) as name \
             order by kind, name limit $3",
        )
        .bind(appliance.0)
        .bind(UNPLACED_SAMPLES)
        .bind(2 * NAMES_MAX)
    };
    let rows = store.fetch(query).await?;
    let mut unplaced = Unplaced::default();
    for row in &rows {
        match row.col::<&str>("kind")? {
            "unknown" => unplaced.unknown.push(row.col("name")?),
            _ => unplaced.out_of_range.push(row.col("name")?),
        }
    }
    Ok(unplaced)
}
