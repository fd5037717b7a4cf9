//! Whether a tenant may have all the devices that a file names, before anything of the file is written.

use super::BATCH;
use crate::access::enrol::full;
use crate::row::{Columns, db};
use crate::store::PostgresStore;
use hub_core::site::{Site, Tenant};
use hub_store::error::Result;
use std::collections::{HashMap, HashSet};

/// Devices that a tenant may have unless somebody has said otherwise: the default of its column (migration 0004).
const DEVICE_MAX: i64 = 1_000_000;

/// Refuses a file with more new devices than there is room for, and names the first that has none.
pub(super) async fn check(store: &PostgresStore, site: &Site) -> Result<()> {
    let tenants: Vec<&str> = site.tenants.iter().map(|tenant| tenant.id.as_str()).collect();
    let rows = sqlx::query(
        "select t.id, t.device_max - coalesce(y.devices, 0) as room \
         from tenant t left join device_tally y on y.tenant = t.id where t.id = any($1)",
    )
    .bind(tenants)
    .fetch_all(&store.pool)
    .await
    .map_err(db)?;
    let mut rooms: HashMap<String, i64> = HashMap::new();
    for row in &rows {
        rooms.insert(row.col("id")?, row.col("room")?);
    }
    for tenant in &site.tenants {
        let room = rooms.get(tenant.id.as_str()).copied().unwrap_or(DEVICE_MAX);
        let room = usize::try_from(room).unwrap_or(0);
        // Mostly there is room for all, and nobody has to look which of them are new.
        if tenant.devices.len() > room {
            look(store, tenant, room).await?;
        }
    }
    Ok(())
}

async fn look(store: &PostgresStore, tenant: &Tenant, mut room: usize) -> Result<()> {
    for devices in tenant.devices.chunks(BATCH) {
        let names: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
        let known: Vec<String> =
            sqlx::query_scalar("select device from appliance where tenant = $1 and device = any($2)")
                .bind(tenant.id.as_str())
                .bind(names)
                .fetch_all(&store.pool)
                .await
                .map_err(db)?;
        let known: HashSet<String> = known.into_iter().collect();
        for device in devices.iter().filter(|device| !known.contains(device.id.as_str())) {
            room = room.checked_sub(1).ok_or_else(|| full(&tenant.id, &device.id))?;
        }
    }
    Ok(())
}
