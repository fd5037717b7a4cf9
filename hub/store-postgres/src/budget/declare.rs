//! Budgets from a site file.

use super::ledger;
use crate::row::stored;
use hub_core::id::TenantId;
use hub_core::site::DeclaredBudget;
use hub_store::budget::not_stated;
use hub_store::error::Result;
use hub_store::site::SiteChange;
use jiff::Timestamp;
use sqlx::PgConnection;

/// Brings what a tenant states to what is declared; families that are not named stay.
pub(crate) async fn put(
    conn: &mut PgConnection,
    tenant: &TenantId,
    declared: &[DeclaredBudget],
    now: Timestamp,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let now = stored(now);
    for budget in declared {
        let stated = budget.statement(now);
        let known = ledger::read(conn, tenant, &budget.family).await?;
        let known = known.as_ref().and_then(|kept| kept.ledger.statement());
        if known.is_some_and(|known| known.says_as(&stated)) {
            continue;
        }
        let action = if known.is_some() { "change" } else { "add" };
        let by = stated.by.clone();
        let mut kept = ledger::lock_or_make(conn, tenant, &budget.family).await?;
        let change = kept.ledger.state(stated).map_err(not_stated)?;
        ledger::save(conn, tenant, &budget.family, &kept).await?;
        ledger::write(conn, (tenant, budget.family.as_str()), &by, &[change], now).await?;
        changes.push(SiteChange {
            action,
            kind: "budget",
            id: format!("{tenant}/{}", budget.family),
        });
    }
    Ok(())
}
