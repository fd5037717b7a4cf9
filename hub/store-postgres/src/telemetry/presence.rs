//! Who is connected: a whole batch of changes is one statement.

use crate::row::{db, sql, text};
use crate::store::PostgresStore;
use hub_store::error::Result;
use hub_store::telemetry::PresenceChange;

/// Longest reason kept with a presence change, in characters.
const REASON_MAX: usize = 200;

/// Locks in the order of appliances, as the roll-up does.
pub(super) async fn note(store: &PostgresStore, changes: &[PresenceChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    // A hub that was taken over tells of connections that it loses; the next one knows better.
    let mut tx = store.begin_fenced().await?;
    sqlx::query(
        "with held as materialized ( \
           select appliance from appliance_status where appliance = any($1) order by appliance for no key update) \
         update appliance_status s set online = k.online, presence_reason = k.reason, presence_at = k.at \
         from unnest($1::bigint[], $2::boolean[], $3::text[], $4::timestamptz[]) as k (appliance, online, reason, at), held \
         where s.appliance = k.appliance and held.appliance = k.appliance",
    )
    .bind(changes.iter().map(|change| change.appliance.0).collect::<Vec<i64>>())
    .bind(changes.iter().map(|change| change.online).collect::<Vec<bool>>())
    .bind(changes.iter().map(|change| reason(&change.reason)).collect::<Vec<_>>())
    .bind(changes.iter().map(|change| sql(change.at)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)
}

/// As much of it as is kept.
pub(super) fn reason(reason: &str) -> String {
    text(reason).chars().take(REASON_MAX).collect()
}
