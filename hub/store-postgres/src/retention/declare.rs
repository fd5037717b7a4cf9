//! Rules from a site file.

use crate::row::{Columns, db};
use hub_core::id::TenantId;
use hub_core::retention::Retention;
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use sqlx::PgConnection;

/// Brings a tenant's rules to what is declared; those that are not named stay.
pub(crate) async fn put(
    conn: &mut PgConnection,
    tenant: &TenantId,
    rules: &[Retention],
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    for rule in rules {
        let profile = rule.profile.as_deref().unwrap_or_default();
        let days = rule.days.map(i32::try_from).transpose();
        let days = days.map_err(|_| StoreError::Refused("days must be 36500 or less".to_owned()))?;
        let known = sqlx::query("select days from retention where tenant = $1 and profile = $2 for no key update")
            .bind(tenant.as_str())
            .bind(profile)
            .fetch_optional(&mut *conn)
            .await
            .map_err(db)?;
        if let Some(row) = &known
            && row.col::<Option<i32>>("days")? == days
        {
            continue;
        }
        sqlx::query(
            "insert into retention (tenant, profile, days) values ($1, $2, $3) \
             on conflict (tenant, profile) do update set days = excluded.days",
        )
        .bind(tenant.as_str())
        .bind(profile)
        .bind(days)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
        changes.push(SiteChange {
            action: if known.is_some() { "change" } else { "add" },
            kind: "retention",
            id: format!("{tenant}/{}", rule.family()),
        });
    }
    Ok(())
}
