//! Who is connected: a whole batch of changes is one statement.

use crate::row::{db, sql, text};
use crate::store::PostgresStore;
use hub_store::bounds::PRESENCE_REASON_MAX;
use hub_store::error::Result;
use hub_store::telemetry::PresenceChange;
use jiff::Timestamp;

/// Appliances that are noted as gone with one statement, when a hub starts.
const OFFLINE_AT_A_TIME: i64 = 10_000;

/// Locks in the order of appliances, as the roll-up does. An insert that always meets its row finds each by its key, where an
/// update that is joined to a list may read the whole table.
pub(super) async fn note(store: &PostgresStore, changes: &[PresenceChange]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    // A hub that was taken over tells of connections that it loses; the next one knows better.
    let mut tx = store.begin_fenced().await?;
    sqlx::query(
        "insert into appliance_status as s (appliance, online, presence_reason, presence_at) \
         select appliance, online, reason, at \
         from unnest($1::bigint[], $2::boolean[], $3::text[], $4::timestamptz[]) as k (appliance, online, reason, at) \
         where (select true from appliance_status where appliance = k.appliance) order by appliance \
         on conflict (appliance) do update set online = excluded.online, presence_reason = excluded.presence_reason, \
           presence_at = excluded.presence_at",
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

/// Nobody is there, some appliances at a time; locked in their order, as above.
pub(super) async fn all_offline(store: &PostgresStore, told: &str, at: Timestamp) -> Result<()> {
    loop {
        let mut tx = store.begin_fenced().await?;
        let gone = sqlx::query(
            "update appliance_status set online = false, presence_reason = $1, presence_at = $2 where appliance = any(array( \
               select appliance from appliance_status where online order by appliance limit $3 for no key update))",
        )
        .bind(reason(told))
        .bind(sql(at))
        .bind(OFFLINE_AT_A_TIME)
        .execute(&mut *tx)
        .await
        .map_err(db)?
        .rows_affected();
        tx.commit().await.map_err(db)?;
        if gone < OFFLINE_AT_A_TIME.unsigned_abs() {
            return Ok(());
        }
    }
}

/// As much of it as is kept.
fn reason(reason: &str) -> String {
    text(reason).chars().take(PRESENCE_REASON_MAX).collect()
}
