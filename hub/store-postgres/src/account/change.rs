//! Accounts made, changed and removed. Each change locks the table against other changes, since the rules look at all accounts.

use super::{from_row, role_names};
use crate::row::{Columns, db, not_found, sql};
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use hub_core::account::{check_addition, check_change, check_password};
use hub_core::actor::{Act, Actor};
use hub_store::account::Account;
use hub_store::error::Result;
use jiff::Timestamp;
use sqlx::PgConnection;

/// The accounts that `actor` governs.
pub(super) async fn list(store: &PostgresStore, actor: &Actor) -> Result<Vec<Actor>> {
    actor.may(Act::ReadAccounts)?;
    let rows = store.fetch(|| sqlx::query(ALL)).await?;
    let actors: Vec<Actor> = rows.iter().map(actor_of).collect::<Result<_>>()?;
    Ok(actors.into_iter().filter(|other| actor.governs(other)).collect())
}

pub(super) async fn add(store: &PostgresStore, actor: &Actor, account: &Account, now: Timestamp) -> Result<()> {
    actor.may(Act::ChangeAccounts)?;
    let mut tx = begin(store).await?;
    check_addition(&all(&mut tx).await?, actor, &account.actor)?;
    check_sites(&mut tx, &account.actor).await?;
    sqlx::query(
        "insert into account (id, name, password_hash, tenant, sites, roles, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(account.id.0)
    .bind(&account.actor.name)
    .bind(&account.password_hash)
    .bind(account.actor.tenant())
    .bind(account.actor.sites())
    .bind(role_names(&account.actor))
    .bind(sql(now))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)
}

pub(super) async fn change(store: &PostgresStore, actor: &Actor, to: &Actor) -> Result<()> {
    actor.may(Act::ChangeAccounts)?;
    let mut tx = begin(store).await?;
    check_change(&all(&mut tx).await?, actor, &to.name, Some(to))?;
    check_sites(&mut tx, to).await?;
    sqlx::query("update account set tenant = $2, sites = $3, roles = $4 where name = $1")
        .bind(&to.name)
        .bind(to.tenant())
        .bind(to.sites())
        .bind(role_names(to))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    tx.commit().await.map_err(db)
}

pub(super) async fn set_password(
    store: &PostgresStore,
    actor: &Actor,
    name: &str,
    password_hash: &str,
    but: Option<[u8; 32]>,
) -> Result<()> {
    let mut tx = begin(store).await?;
    check_password(&all(&mut tx).await?, actor, name)?;
    sqlx::query("update account set password_hash = $2 where name = $1")
        .bind(name)
        .bind(password_hash)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    let kept = but.as_ref().map(<[u8; 32]>::as_slice);
    sqlx::query(
        "delete from session where account = (select id from account where name = $1) and token_hash is distinct from $2",
    )
    .bind(name)
    .bind(kept)
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)
}

pub(super) async fn remove(store: &PostgresStore, actor: &Actor, name: &str) -> Result<()> {
    actor.may(Act::ChangeAccounts)?;
    let mut tx = begin(store).await?;
    check_change(&all(&mut tx).await?, actor, name, None)?;
    for statement in [
        "delete from session where account = (select id from account where name = $1)",
        "delete from idempotency where account = (select id from account where name = $1)",
        "delete from account where name = $1",
    ] {
        sqlx::query(statement).bind(name).execute(&mut *tx).await.map_err(db)?;
    }
    tx.commit().await.map_err(db)
}

const ALL: &str = "select * from account order by name";

async fn begin(store: &PostgresStore) -> Result<Transaction> {
    let mut tx = store.begin().await?;
    sqlx::query("lock table account in share row exclusive mode")
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    Ok(tx)
}

async fn all(conn: &mut PgConnection) -> Result<Vec<Actor>> {
    let rows = sqlx::query(ALL).fetch_all(conn).await.map_err(db)?;
    rows.iter().map(actor_of).collect()
}

fn actor_of(row: &sqlx::postgres::PgRow) -> Result<Actor> {
    Ok(from_row(row)?.actor)
}

/// The tenant of an account and its sites exist.
async fn check_sites(conn: &mut PgConnection, actor: &Actor) -> Result<()> {
    let Some(tenant) = actor.tenant() else { return Ok(()) };
    let row = sqlx::query(
        "select (select array_agg(id) from service_point where tenant = t.id) as sites from tenant t where t.id = $1",
    )
    .bind(tenant)
    .fetch_optional(conn)
    .await
    .map_err(db)?
    .ok_or_else(|| not_found("tenant", tenant))?;
    let known: Vec<String> = row.col::<Option<Vec<String>>>("sites")?.unwrap_or_default();
    let missing = actor
        .sites()
        .unwrap_or_default()
        .iter()
        .find(|site| !known.contains(site));
    missing.map_or(Ok(()), |site| Err(not_found("service point", site)))
}
