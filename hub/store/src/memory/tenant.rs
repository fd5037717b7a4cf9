//! Credentials of programs, makers' lines and authorities. Their tokens are kept hashed, and names are never used again.

use super::state::{Named, TokenCredential, sha256};
use super::{MemoryStore, not_found};
use crate::access::AccessChange;
use crate::check;
use crate::credential::{AuthorityView, ClaimGrant, ClaimView, IntegratorView, TOKENS_MAX, TenantCredentials};
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::access::SecretHash;
use hub_core::actor::{Act, Actor};
use hub_core::id::TenantId;
use jiff::Timestamp;
use std::collections::BTreeMap;

#[async_trait]
impl TenantCredentials for MemoryStore {
    async fn add_integrator(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        filters: &[String],
        _now: Timestamp,
    ) -> Result<()> {
        check::credential_name(name)?;
        check::token(token, "int_")?;
        check::filters(filters)?;
        let mut state = self.state();
        let token_hash = sha256(token.as_bytes());
        state.check_places(tenant, others(&state.integrators, tenant, name), TOKENS_MAX)?;
        check_new(&state.integrators, "integrator", tenant, name, &token_hash)?;
        let view = IntegratorView {
            tenant: tenant.clone(),
            name: name.to_owned(),
            filters: filters.to_vec(),
            revoked: false,
        };
        let program = TokenCredential { token_hash, view };
        state.integrators.insert((tenant.clone(), name.to_owned()), program);
        Ok(())
    }

    async fn revoke_integrator(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| {
            let program = state.integrators.get_mut(&(tenant.clone(), name.to_owned()));
            let no_program = || not_found("integrator", format!("{tenant}/{name}"));
            program.ok_or_else(no_program)?.view.revoked = true;
            let (tenant, name) = (tenant.clone(), name.to_owned());
            state.tell_access(AccessChange::Integrator { tenant, name });
            Ok(())
        })
    }

    async fn integrators(&self, actor: &Actor) -> Result<Vec<IntegratorView>> {
        actor.may(Act::ReadAccess)?;
        Ok(shown(&self.state().integrators, actor))
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
        self.check_profile(&grant.profile)?;
        check::grant(grant, now)?;
        let mut state = self.state();
        let token_hash = sha256(token.as_bytes());
        state.check_places(tenant, others(&state.claim_credentials, tenant, name), TOKENS_MAX)?;
        check_new(&state.claim_credentials, "claim credential", tenant, name, &token_hash)?;
        let view = ClaimView {
            tenant: tenant.clone(),
            name: name.to_owned(),
            profile: grant.profile.clone(),
            expires_at: grant.expires_at,
            uses_left: i64::from(grant.uses),
            replace: grant.replace,
            revoked: false,
        };
        let claim = TokenCredential { token_hash, view };
        state.claim_credentials.insert((tenant.clone(), name.to_owned()), claim);
        Ok(())
    }

    async fn revoke_claim_credential(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| {
            let claim = state.claim_credentials.get_mut(&(tenant.clone(), name.to_owned()));
            let no_claim = || not_found("claim credential", format!("{tenant}/{name}"));
            claim.ok_or_else(no_claim)?.view.revoked = true;
            let (tenant, name) = (tenant.clone(), name.to_owned());
            state.tell_access(AccessChange::Claimant { tenant, name });
            Ok(())
        })
    }

    async fn claim_credentials(&self, actor: &Actor) -> Result<Vec<ClaimView>> {
        actor.may(Act::ReadAccess)?;
        Ok(shown(&self.state().claim_credentials, actor))
    }

    async fn put_authority(&self, _: &TenantId, _: &str, _: &[u8], _: Timestamp) -> Result<()> {
        Err(no_certificates())
    }

    async fn put_revocations(&self, _: &TenantId, _: &str, _: &[u8], _: Timestamp) -> Result<usize> {
        Err(no_certificates())
    }

    async fn remove_authority(&self, _: &TenantId, _: &str) -> Result<()> {
        Err(no_certificates())
    }

    async fn authority_views(&self, actor: &Actor) -> Result<Vec<AuthorityView>> {
        actor.may(Act::ReadAccess)?;
        Ok(Vec::new())
    }
}

pub(super) fn no_certificates() -> StoreError {
    StoreError::Refused("the store in memory keeps no certificates".to_owned())
}

/// How many a tenant has beside `name`.
fn others<T>(all: &BTreeMap<Named, T>, tenant: &TenantId, name: &str) -> usize {
    all.keys().filter(|(of, other)| of == tenant && other != name).count()
}

/// Credentials of the tenants that `actor` sees.
fn shown<T: Clone>(all: &BTreeMap<Named, TokenCredential<T>>, actor: &Actor) -> Vec<T> {
    let own = all.iter().filter(|((tenant, _), _)| actor.includes(tenant));
    own.map(|(_, credential)| credential.view.clone()).collect()
}

fn check_new<T>(
    all: &BTreeMap<Named, TokenCredential<T>>,
    what: &str,
    tenant: &TenantId,
    name: &str,
    token: &SecretHash,
) -> Result<()> {
    if all.contains_key(&(tenant.clone(), name.to_owned())) {
        return Err(check::name_is_taken(what, tenant, name));
    }
    if all.values().any(|credential| credential.token_hash == *token) {
        return Err(StoreError::Conflict(
            "somebody else has this token; draw another".to_owned(),
        ));
    }
    Ok(())
}
