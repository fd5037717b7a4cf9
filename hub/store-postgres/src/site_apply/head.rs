//! What a tenant is besides its owners and devices: brand and rules, trunk, retention, service points. Few rows, so they
//! are compared and written one by one, in two transactions a tenant.

use super::{Run, commit, note};
use crate::budget;
use crate::retention;
use crate::row::{Columns, db, json};
use crate::site_row::{trunk, trunk_place};
use crate::store::{PostgresStore, sealed};
use crate::transaction::Transaction;
use hub_core::id::TenantId;
use hub_core::site::{ServicePoint, Tenant, Trunk};
use hub_store::error::Result;
use hub_store::site::SiteChange;
use sqlx::PgConnection;

/// Brings the tenant itself, its trunk and its rules of retention to what is declared.
pub(super) async fn put_tenant(run: &Run<'_>, declared: &Tenant, changes: &mut Vec<SiteChange>) -> Result<()> {
    let mut tx = run.store.begin().await?;
    let mut written = Vec::new();
    tenant(&mut tx, declared, &mut written).await?;
    if let Some(trunk) = &declared.trunk {
        put_trunk(run.store, &mut tx, &declared.id, trunk, &mut written).await?;
    }
    retention::declare::put(&mut tx, &declared.id, &declared.retentions, &mut written).await?;
    budget::declare(&mut tx, &declared.id, &declared.budgets, run.now, &mut written).await?;
    end(run, tx).await?;
    changes.append(&mut written);
    Ok(())
}

/// Brings the tenant's service points to what is declared.
pub(super) async fn put_service_points(run: &Run<'_>, declared: &Tenant, changes: &mut Vec<SiteChange>) -> Result<()> {
    if declared.service_points.is_empty() {
        return Ok(());
    }
    let mut tx = run.store.begin().await?;
    let mut written = Vec::new();
    for point in &declared.service_points {
        put_service_point(run, &mut tx, &declared.id, point, &mut written).await?;
    }
    end(run, tx).await?;
    changes.append(&mut written);
    Ok(())
}

async fn end(run: &Run<'_>, tx: Transaction) -> Result<()> {
    if run.dry_run {
        return tx.rollback().await.map_err(db);
    }
    commit(run, tx).await
}

async fn tenant(conn: &mut PgConnection, tenant: &Tenant, changes: &mut Vec<SiteChange>) -> Result<()> {
    let wanted = (
        json(&tenant.brand)?,
        json(&tenant.call_rules)?,
        json(&tenant.visit_price)?,
        json(&tenant.ticket_labels)?,
    );
    let known =
        sqlx::query("select brand, call_rules, visit_price, ticket_status from tenant where id = $1 for no key update")
            .bind(tenant.id.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(db)?;
    if let Some(row) = &known {
        // Compared as what they mean: JSON numbers come back in another form.
        let same = row.json::<hub_core::site::Localised>("brand")? == tenant.brand
            && row.json::<hub_core::call_rules::CallRules>("call_rules")? == tenant.call_rules
            && row.json::<hub_core::site::Price>("visit_price")? == tenant.visit_price
            && row.json::<hub_core::ticket::TicketLabels>("ticket_status")? == tenant.ticket_labels;
        if same {
            return Ok(());
        }
    }
    sqlx::query(
        "insert into tenant (id, brand, call_rules, visit_price, ticket_status) values ($1, $2, $3, $4, $5) \
         on conflict (id) do update set brand = $2, call_rules = $3, visit_price = $4, ticket_status = $5",
    )
    .bind(tenant.id.as_str())
    .bind(wanted.0)
    .bind(wanted.1)
    .bind(wanted.2)
    .bind(wanted.3)
    .execute(conn)
    .await
    .map_err(db)?;
    note(changes, known.is_some(), "tenant", tenant.id.to_string());
    Ok(())
}

async fn put_trunk(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Trunk,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let known = sqlx::query("select * from trunk where tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    if let Some(row) = &known
        && trunk(row, &store.keyring)?.1 == *wanted
    {
        return Ok(());
    }
    let seal = |column: &str, value: &str| {
        store
            .keyring
            .seal(&trunk_place(column, tenant), value.as_bytes())
            .map_err(sealed("trunk secret"))
    };
    let password = wanted.password.as_deref().map(|p| seal("password", p)).transpose()?;
    sqlx::query(
        "insert into trunk (tenant, proxy, domain, username, password, caller_number, caller_index, believe_from, \
         post_dial_limit_s, trying_limit_s, addresses, inbound_channels, number_plan) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict (tenant) do update \
         set proxy = $2, domain = $3, username = $4, password = $5, caller_number = $6, caller_index = $7, believe_from = $8, \
         post_dial_limit_s = $9, trying_limit_s = $10, addresses = $11, inbound_channels = $12, number_plan = $13",
    )
    .bind(tenant.as_str())
    .bind(wanted.proxy.to_string())
    .bind(&wanted.domain)
    .bind(&wanted.username)
    .bind(password)
    .bind(seal("caller_number", wanted.caller_number.reveal())?)
    .bind(&store.keyring.blind_index(&wanted.caller_number)[..])
    .bind(wanted.believe_from)
    .bind(i16::from(wanted.post_dial_limit_s))
    .bind(i16::from(wanted.trying_limit_s))
    .bind(json(&wanted.addresses)?)
    .bind(wanted.inbound_channels.map(|channels| i16::try_from(channels).unwrap_or(i16::MAX)))
    .bind(wanted.number_plan.as_ref().map(json).transpose()?)
    .execute(conn)
    .await
    .map_err(db)?;
    note(changes, known.is_some(), "trunk", tenant.to_string());
    Ok(())
}

async fn put_service_point(
    run: &Run<'_>,
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &ServicePoint,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let known = crate::site_row::service_point(conn, tenant, &wanted.id).await?;
    if known.as_ref() == Some(wanted) {
        return Ok(());
    }
    note(
        changes,
        known.is_some(),
        "service point",
        format!("{tenant}/{}", wanted.id),
    );
    // Its tenant may not be there: that was not kept either.
    if run.dry_run {
        return Ok(());
    }
    sqlx::query(
        "insert into service_point (tenant, id, name, zone, slots) values ($1, $2, $3, $4, $5) \
         on conflict (tenant, id) do update set name = $3, zone = $4, slots = $5",
    )
    .bind(tenant.as_str())
    .bind(&wanted.id)
    .bind(json(&wanted.name)?)
    .bind(&wanted.zone)
    .bind(json(&wanted.slots)?)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
