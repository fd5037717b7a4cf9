//! Integrators and claim credentials: their tokens are stored hashed, and their names are never used again.

use super::{check_profile, check_room};
use crate::access::change;
use crate::keyring::sha256;
use crate::row::{Columns, db, not_found, sql};
use crate::store::PostgresStore;
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::id::TenantId;
use hub_store::check;
use hub_store::credential::{AuthorityView, ClaimGrant, ClaimView, IntegratorView, TOKENS_MAX, TenantCredentials};
use hub_store::error::Result;
use jiff::Timestamp;

#[async_trait]
impl TenantCredentials for PostgresStore {
    async fn add_integrator(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        filters: &[String],
        now: Timestamp,
    ) -> Result<()> {
        check::credential_name(name)?;
        check::token(token, "int_")?;
        check::filters(filters)?;
        let mut tx = self.begin().await?;
        check_room(&mut tx, "integrator", tenant, name, TOKENS_MAX).await?;
        let made = sqlx::query(
            "insert into integrator (tenant, name, token_hash, filters, created_at) values ($1, $2, $3, $4, $5) \
             on conflict (tenant, name) do nothing",
        )
        .bind(tenant.as_str())
        .bind(name)
        .bind(&sha256(token.as_bytes())[..])
        .bind(filters)
        .bind(sql(now))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        is_new(made.rows_affected(), "integrator", tenant, name)?;
        tx.commit().await.map_err(db)
    }

    async fn revoke_integrator(&self, tenant: &TenantId, name: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        revoke(&mut tx, "integrator", "integrator", tenant, name).await?;
        change::integrator(&mut tx, tenant, name).await?;
        change::commit(self, tx).await
    }

    async fn integrators(&self, actor: &Actor) -> Result<Vec<IntegratorView>> {
        actor.may(Act::ReadAccess)?;
        let mut tx = self.begin_scoped(actor).await?;
        let rows =
            sqlx::query("select * from integrator where ($1::text is null or tenant = $1) order by tenant, name")
                .bind(actor.tenant())
                .fetch_all(&mut *tx)
                .await
                .map_err(db)?;
        rows.iter()
            .map(|row| {
                Ok(IntegratorView {
                    tenant: row.word("tenant")?,
                    name: row.col("name")?,
                    filters: row.col("filters")?,
                    revoked: row.col("revoked")?,
                })
            })
            .collect()
    }

    async fn add_claim_credential(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        grant: &ClaimGrant,
        now: Timestamp,
    ) -> Result<()> {
        check::credential_name(name)?;
        check::token(token, "claim_")?;
        check_profile(self, &grant.profile)?;
        check::grant(grant, now)?;
        let mut tx = self.begin().await?;
        check_room(&mut tx, "claim_credential", tenant, name, TOKENS_MAX).await?;
        let made = sqlx::query(
            "insert into claim_credential (tenant, name, token_hash, profile, expires_at, uses_left, may_replace, \
               created_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (tenant, name) do nothing",
        )
        .bind(tenant.as_str())
        .bind(name)
        .bind(&sha256(token.as_bytes())[..])
        .bind(&grant.profile)
        .bind(sql(grant.expires_at))
        .bind(i64::from(grant.uses))
        .bind(grant.replace)
        .bind(sql(now))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        is_new(made.rows_affected(), "claim credential", tenant, name)?;
        tx.commit().await.map_err(db)
    }

    async fn revoke_claim_credential(&self, tenant: &TenantId, name: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        revoke(&mut tx, "claim_credential", "claim credential", tenant, name).await?;
        change::claimant(&mut tx, tenant, name).await?;
        change::commit(self, tx).await
    }

    async fn claim_credentials(&self, actor: &Actor) -> Result<Vec<ClaimView>> {
        actor.may(Act::ReadAccess)?;
        let mut tx = self.begin_scoped(actor).await?;
        let rows =
            sqlx::query("select * from claim_credential where ($1::text is null or tenant = $1) order by tenant, name")
                .bind(actor.tenant())
                .fetch_all(&mut *tx)
                .await
                .map_err(db)?;
        rows.iter()
            .map(|row| {
                Ok(ClaimView {
                    tenant: row.word("tenant")?,
                    name: row.col("name")?,
                    profile: row.col("profile")?,
                    expires_at: row.at("expires_at")?,
                    uses_left: row.col("uses_left")?,
                    replace: row.col("may_replace")?,
                    revoked: row.col("revoked")?,
                })
            })
            .collect()
    }

    async fn put_authority(&self, tenant: &TenantId, name: &str, certificate: &[u8], now: Timestamp) -> Result<()> {
        super::authority::put(self, tenant, name, certificate, now).await
    }

    async fn put_revocations(&self, tenant: &TenantId, name: &str, list: &[u8], now: Timestamp) -> Result<usize> {
        super::authority::put_revocations(self, tenant, name, list, now).await
    }

    async fn remove_authority(&self, tenant: &TenantId, name: &str) -> Result<()> {
        super::authority::remove(self, tenant, name).await
    }

    async fn authority_views(&self, actor: &Actor) -> Result<Vec<AuthorityView>> {
        actor.may(Act::ReadAccess)?;
        super::authority::list(self, actor).await
    }
}

fn is_new(made: u64, what: &str, tenant: &TenantId, name: &str) -> Result<()> {
    if made == 1 {
        return Ok(());
    }
    Err(check::name_is_taken(what, tenant, name))
}

async fn revoke(tx: &mut Transaction, table: &str, what: &'static str, tenant: &TenantId, name: &str) -> Result<()> {
    let revoked = sqlx::query(&format!(
        "update {table} set revoked = true where tenant = $1 and name = $2"
    ))
    .bind(tenant.as_str())
    .bind(name)
    .execute(&mut **tx)
    .await
    .map_err(db)?;
    match revoked.rows_affected() {
        1 => Ok(()),
        _ => Err(not_found(what, format!("{tenant}/{name}"))),
    }
}
