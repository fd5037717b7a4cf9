//! What is shown of models besides their ledgers: which of them watch a tenant's appliances, and what people made of their predictions.

use crate::row::{Columns, count, db};
use hub_core::id::TenantId;
use hub_core::release::{Predicted, Tally};
use hub_store::budget::RELEASES_SHOWN;
use hub_store::error::Result;
use sqlx::PgConnection;

/// Those of these names that appliances of a tenant have as their profile or their model; one look into an index each.
pub(super) async fn families_used(conn: &mut PgConnection, tenant: &TenantId, names: &[String]) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select k.name from unnest($2::text[]) as k (name) \
         where exists (select from appliance where tenant = $1 and profile = k.name) \
           or exists (select from appliance where tenant = $1 and model = k.name) order by 1",
    )
    .bind(tenant.as_str())
    .bind(names)
    .fetch_all(conn)
    .await
    .map_err(db)
}

/// What people of a tenant made of predictions, by model and fault class.
pub(super) async fn release_tallies(conn: &mut PgConnection, tenant: &TenantId) -> Result<Vec<(Predicted, Tally)>> {
    let rows = sqlx::query(
        "select model, fault_class, was_right, was_wrong, approved, refused from release_tally \
         where tenant = $1 order by model, fault_class limit $2",
    )
    .bind(tenant.as_str())
    .bind(count(RELEASES_SHOWN))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    let read = rows.iter().map(|row| {
        let predicted = Predicted {
            model: row.col("model")?,
            fault_class: row.col("fault_class")?,
        };
        let tally = Tally {
            right: row.col("was_right")?,
            wrong: row.col("was_wrong")?,
            approved: row.col("approved")?,
            refused: row.col("refused")?,
        };
        Ok((predicted, tally))
    });
    read.collect()
}
