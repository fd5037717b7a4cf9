//! Ledgers as rows: what is stated and learned of a family, its appliance models, and the lines of its book.

use crate::row::{Columns, count, db, json, sql};
use crate::store::PostgresStore;
use hub_core::budget::change::{LINES_KEPT, LedgerChange};
use hub_core::budget::ledger::{Ledger, ModelEntry};
use hub_core::id::TenantId;
use hub_store::budget::{FAMILIES_MAX, FamilyBudget, KeptLedger, LINES_SHOWN, LedgerLine, too_many_families};
use hub_store::error::Result;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;

const READ: &str = "select ledger, revision from budget where tenant = $1 and family = $2";
const LOCK: &str = "select ledger, revision from budget where tenant = $1 and family = $2 for no key update";

/// The ledger of a family with all its models, if one is kept.
pub(super) async fn read(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<Option<KeptLedger>> {
    fetch(conn, READ, tenant, family).await
}

/// The same, locked until the transaction ends.
pub(super) async fn lock(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<Option<KeptLedger>> {
    fetch(conn, LOCK, tenant, family).await
}

/// The same; an empty one is made where none is kept.
pub(super) async fn lock_or_make(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<KeptLedger> {
    sqlx::query("insert into budget (tenant, family, ledger, revision) values ($1, $2, $3, 0) on conflict do nothing")
        .bind(tenant.as_str())
        .bind(family)
        .bind(json(&Ledger::default())?)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    Ok(lock(conn, tenant, family).await?.unwrap_or_default())
}

async fn fetch(
    conn: &mut PgConnection,
    query: &'static str,
    tenant: &TenantId,
    family: &str,
) -> Result<Option<KeptLedger>> {
    let row = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(family)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let Some(row) = row else { return Ok(None) };
    let ledger: Ledger = row.json("ledger")?;
    let models = models(conn, tenant, family).await?;
    Ok(Some(KeptLedger {
        ledger: ledger.with_models(models),
        revision: row.col("revision")?,
    }))
}

async fn models(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<BTreeMap<String, ModelEntry>> {
    let rows = sqlx::query("select model, entry from budget_model where tenant = $1 and family = $2")
        .bind(tenant.as_str())
        .bind(family)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter()
        .map(|row| Ok((row.col("model")?, row.json("entry")?)))
        .collect()
}

/// All ledgers of a tenant, with the newest lines of their books.
pub(super) async fn all(conn: &mut PgConnection, tenant: &TenantId) -> Result<Vec<FamilyBudget>> {
    let families: Vec<String> = sqlx::query_scalar("select family from budget where tenant = $1 order by family")
        .bind(tenant.as_str())
        .fetch_all(&mut *conn)
        .await
        .map_err(db)?;
    let mut shown = Vec::with_capacity(families.len());
    for family in families {
        shown.extend(self::shown(conn, tenant, &family).await?);
    }
    Ok(shown)
}

/// One ledger, with the newest lines of its book.
pub(super) async fn shown(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<Option<FamilyBudget>> {
    let Some(kept) = read(conn, tenant, family).await? else {
        return Ok(None);
    };
    Ok(Some(FamilyBudget {
        family: family.to_owned(),
        ledger: kept.ledger,
        lines: lines(conn, tenant, family).await?,
    }))
}

/// All families with a ledger.
pub(super) async fn families(store: &PostgresStore) -> Result<Vec<(TenantId, String)>> {
    let rows = store
        .fetch(|| sqlx::query("select tenant, family from budget order by 1, 2"))
        .await?;
    rows.iter()
        .map(|row| Ok((row.word("tenant")?, row.col("family")?)))
        .collect()
}

/// Whether a person may add this family to those of the tenant.
pub(super) async fn has_room(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<()> {
    let others: i64 = sqlx::query_scalar("select count(*) from budget where tenant = $1 and family <> $2")
        .bind(tenant.as_str())
        .bind(family)
        .fetch_one(&mut *conn)
        .await
        .map_err(db)?;
    let known = read(conn, tenant, family).await?.is_some();
    if !known && others >= count(FAMILIES_MAX) {
        return Err(too_many_families(tenant));
    }
    Ok(())
}

async fn lines(conn: &mut PgConnection, tenant: &TenantId, family: &str) -> Result<Vec<LedgerLine>> {
    let rows = sqlx::query(
        "select at, author, change from budget_line where tenant = $1 and family = $2 order by number desc limit $3",
    )
    .bind(tenant.as_str())
    .bind(family)
    .bind(count(LINES_SHOWN))
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            Ok(LedgerLine {
                at: row.at("at")?,
                by: row.col("author")?,
                change: row.json("change")?,
            })
        })
        .collect()
}

/// Keeps what is locked, without its models.
pub(super) async fn save(conn: &mut PgConnection, tenant: &TenantId, family: &str, kept: &KeptLedger) -> Result<()> {
    sqlx::query("update budget set ledger = $3, revision = revision + 1 where tenant = $1 and family = $2")
        .bind(tenant.as_str())
        .bind(family)
        .bind(json(&kept.ledger.clone().without_models())?)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Keeps one model of a ledger that is locked.
pub(super) async fn save_model(
    conn: &mut PgConnection,
    tenant: &TenantId,
    family: &str,
    model: &str,
    ledger: &Ledger,
) -> Result<()> {
    let Some(entry) = ledger.model(model) else {
        return Ok(());
    };
    sqlx::query("update budget_model set entry = $4 where tenant = $1 and family = $2 and model = $3")
        .bind(tenant.as_str())
        .bind(family)
        .bind(model)
        .bind(json(entry)?)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

/// Keeps the models of a ledger that is locked, in place of those before: each is some kB, and most are as they were.
pub(super) async fn save_models(
    conn: &mut PgConnection,
    tenant: &TenantId,
    family: &str,
    before: &Ledger,
    ledger: &Ledger,
) -> Result<()> {
    let gone = before.models().keys().filter(|model| ledger.model(model).is_none());
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    let changed = |(model, entry): &(&String, &ModelEntry)| before.model(model) != Some(*entry);
    let changed: Vec<_> = ledger.models().iter().filter(changed).collect();
    if !gone.is_empty() {
        sqlx::query("delete from budget_model where tenant = $1 and family = $2 and model = any($3)")
            .bind(tenant.as_str())
            .bind(family)
            .bind(gone)
            .execute(&mut *conn)
            .await
            .map_err(db)?;
    }
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = changed.iter().map(|(model, _)| model.as_str()).collect();
    let entries: Vec<Value> = changed.iter().map(|(_, entry)| json(*entry)).collect::<Result<_>>()?;
    sqlx::query(
        "insert into budget_model (tenant, family, model, entry) \
         select $1, $2, k.model, k.entry from unnest($3::text[], $4::jsonb[]) as k (model, entry) \
         on conflict (tenant, family, model) do update set entry = excluded.entry",
    )
    .bind(tenant.as_str())
    .bind(family)
    .bind(&names)
    .bind(entries)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// Writes lines into the book of a family; the oldest go.
pub(super) async fn write(
    conn: &mut PgConnection,
    (tenant, family): (&TenantId, &str),
    by: &str,
    changes: &[LedgerChange],
    now: Timestamp,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let changes: Vec<Value> = changes.iter().map(json).collect::<Result<_>>()?;
    sqlx::query(
        "insert into budget_line (tenant, family, at, author, change) \
         select $1, $2, $3, $4, k.change from unnest($5::jsonb[]) with ordinality as k (change, place) order by k.place",
    )
    .bind(tenant.as_str())
    .bind(family)
    .bind(sql(now))
    .bind(by)
    .bind(changes)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    sqlx::query(
        "delete from budget_line where tenant = $1 and family = $2 and number <= ( \
           select number from budget_line where tenant = $1 and family = $2 order by number desc offset $3 limit 1)",
    )
    .bind(tenant.as_str())
    .bind(family)
    .bind(count(LINES_KEPT))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
