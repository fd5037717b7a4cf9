//! What people made of predictions, as rows: one for each tenant, model and fault class.

use crate::row::{Columns, db, text};
use hub_core::id::TenantId;
use hub_core::release::{Predicted, Tally};
use hub_store::error::Result;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// What is counted for these predictions of a tenant; nothing where there is no row, or nothing is predicted.
pub(crate) async fn tally(conn: &mut PgConnection, tenant: &TenantId, predicted: Option<&Predicted>) -> Result<Tally> {
    let Some(predicted) = predicted else {
        return Ok(Tally::default());
    };
    let row = sqlx::query(
        "select was_right, was_wrong, approved, refused from release_tally \
         where tenant = $1 and model = $2 and fault_class = $3",
    )
    .bind(tenant.as_str())
    .bind(text(&predicted.model))
    .bind(text(&predicted.fault_class))
    .fetch_optional(conn)
    .await
    .map_err(db)?;
    let Some(row) = row else {
        return Ok(Tally::default());
    };
    Ok(Tally {
        right: row.col("was_right")?,
        wrong: row.col("was_wrong")?,
        approved: row.col("approved")?,
        refused: row.col("refused")?,
    })
}

/// Adds what steps of tickets have counted, in the order of the keys, so that two who add to the same wait for each other in a line.
pub(crate) async fn add(conn: &mut PgConnection, tallies: &BTreeMap<(TenantId, Predicted), Tally>) -> Result<()> {
    if tallies.is_empty() {
        return Ok(());
    }
    let count = |of: fn(&Tally) -> i64| tallies.values().map(of).collect::<Vec<_>>();
    sqlx::query(
        "insert into release_tally (tenant, model, fault_class, was_right, was_wrong, approved, refused) \
         select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) \
         on conflict (tenant, model, fault_class) do update set was_right = release_tally.was_right + excluded.was_right, \
           was_wrong = release_tally.was_wrong + excluded.was_wrong, approved = release_tally.approved + excluded.approved, \
           refused = release_tally.refused + excluded.refused",
    )
    .bind(tallies.keys().map(|(tenant, _)| tenant.as_str()).collect::<Vec<_>>())
    .bind(tallies.keys().map(|(_, of)| text(&of.model)).collect::<Vec<_>>())
    .bind(tallies.keys().map(|(_, of)| text(&of.fault_class)).collect::<Vec<_>>())
    .bind(count(|tally| tally.right))
    .bind(count(|tally| tally.wrong))
    .bind(count(|tally| tally.approved))
    .bind(count(|tally| tally.refused))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
