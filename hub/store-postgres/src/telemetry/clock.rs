//! Where the uptime of a boot stands, as devices have told it.

use crate::row::Columns;
use crate::store::PostgresStore;
use hub_core::id::ApplianceId;
use hub_store::error::Result;

/// One question for all.
pub(super) async fn offsets(store: &PostgresStore, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
    let mut offsets = vec![None; boots.len()];
    if boots.is_empty() {
        return Ok(offsets);
    }
    let appliances: Vec<i64> = boots.iter().map(|(appliance, _)| appliance.0).collect();
    let numbers: Vec<i64> = boots.iter().map(|(_, boot)| boot.cast_signed()).collect();
    let query = || {
        sqlx::query(
            "select k.place, c.offset_ms \
             from unnest($1::bigint[], $2::bigint[]) with ordinality as k (appliance, boot, place) cross join lateral ( \
               select offset_ms from clock_offset where appliance = k.appliance and boot = k.boot offset 0) c",
        )
        .bind(&appliances)
        .bind(&numbers)
    };
    for row in &store.door.fetch(query).await? {
        // Counted from 1.
        let place = usize::try_from(row.col::<i64>("place")?).ok();
        let place = place.and_then(|place| place.checked_sub(1));
        if let Some(offset) = place.and_then(|place| offsets.get_mut(place)) {
            *offset = Some(row.col("offset_ms")?);
        }
    }
    Ok(offsets)
}
