//! What a device that runs our agent said last of itself, as people see it.

use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_core::actor::Actor;
use hub_core::id::ApplianceId;
use hub_store::birth::{Birth, KeptBirth};
use hub_store::error::Result;
use sqlx::postgres::PgRow;

pub(super) async fn newest(store: &PostgresStore, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
    let mut tx = store.begin_scoped(actor).await?;
    let row = sqlx::query("select * from appliance_birth where appliance = $1")
        .bind(appliance.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?;
    row.as_ref().map(kept).transpose()
}

fn kept(row: &PgRow) -> Result<KeptBirth> {
    let number = |name: &'static str| -> Result<u64> { Ok(row.col::<i64>(name)?.cast_unsigned()) };
    Ok(KeptBirth {
        birth: Birth {
            boot: number("boot")?,
            model: row.col("model")?,
            firmware: row.col("firmware")?,
            sdk: row.col("sdk")?,
            reset: row.word("reset")?,
            takes_cbor: row.col("takes_cbor")?,
            settings: number("settings")?,
            dropped_events: number("dropped_events")?,
            dropped_telemetry: number("dropped_telemetry")?,
        },
        at: row.at("at")?,
        dropped_events_in_all: number("dropped_events_in_all")?,
        dropped_telemetry_in_all: number("dropped_telemetry_in_all")?,
    })
}
