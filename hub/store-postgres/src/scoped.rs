//! The second wall between tenants: within a transaction on behalf of one tenant the database itself shows and takes no
//! row of another (migration 0008).
//!
//! Policies hold for the owner of the tables, but for no superuser. A hub that is one, as in its own cluster, therefore
//! acts in such a transaction as the role [`CONFINED`], which may read all tables and change those with a policy.

use crate::row::db;
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use hub_core::actor::Actor;
use hub_store::error::Result;
use sqlx::{PgConnection, PgPool};

/// What a superuser becomes in a transaction for one tenant. Nobody can log in as it.
const CONFINED: &str = "forecall_tenant";

/// Key of the lock within which rights are given.
const LOCK: i64 = 0x0066_6361_6c6c_7273;

/// Makes the role, and gives it the rights on tables that it does not have yet. Roles belong to a cluster, and a dump
/// that came from another one does not bring them: hence with each start, and not by a migration.
const PREPARE: &str = "do $$
declare
    walled oid;
begin
    begin
        if not exists (select from pg_roles where rolname = 'forecall_tenant') then
            create role forecall_tenant nologin;
        end if;
    exception when duplicate_object or unique_violation then null; -- another database's hub was quicker
    end;
    if not has_schema_privilege('forecall_tenant', current_schema(), 'usage') then
        execute format('grant usage on schema %I to forecall_tenant', current_schema());
    end if;
    if exists (select from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v')
        and not relispartition and not has_table_privilege('forecall_tenant', oid, 'select'))
    then
        execute format('grant select on all tables in schema %I to forecall_tenant', current_schema());
    end if;
    for walled in select oid from pg_class where relnamespace = current_schema()::regnamespace and relrowsecurity
        and not has_table_privilege('forecall_tenant', oid, 'insert')
    loop
        execute format('grant insert, update, delete on %s to forecall_tenant', walled::regclass);
    end loop;
end
$$";

impl PostgresStore {
    /// A transaction within which the database shows and takes only what is in `scope`.
    pub(crate) async fn begin_scoped(&self, actor: &Actor) -> Result<Transaction> {
        let mut tx = self.begin().await?;
        self.confine(&mut tx, actor).await?;
        Ok(tx)
    }

    /// The same for a transaction that has begun; it lasts to the transaction's end.
    pub(crate) async fn confine(&self, conn: &mut PgConnection, actor: &Actor) -> Result<()> {
        let Some(tenant) = actor.tenant() else { return Ok(()) };
        sqlx::query(
            "select set_config('forecall.tenant', $1, true), case when $2 then set_config('role', $3, true) end",
        )
        .bind(tenant)
        .bind(self.is_superuser)
        .bind(CONFINED)
        .execute(conn)
        .await
        .map_err(db)?;
        Ok(())
    }
}

/// Whether no policy holds for the hub.
pub(crate) async fn is_superuser(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user")
        .fetch_one(conn)
        .await
}

/// See [`PREPARE`]. The tables must be there.
pub(crate) async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    if !is_superuser(&mut tx).await? {
        return Ok(());
    }
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    sqlx::query(PREPARE).execute(&mut *tx).await?;
    tx.commit().await
}
