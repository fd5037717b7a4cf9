//! Credentials of programs, makers' lines and authorities. Their tokens are kept hashed, and names are never used again.

use super::state::{ClaimCredential, Named, Program, sha256};
use super::{MemoryStore, not_found};
use crate::access::AccessChange;
use crate::credential::{
    AuthorityView, ClaimGrant, ClaimView, FILTERS_MAX, IntegratorView, TOKENS_MAX, TenantCredentials,
};
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::access::check_filter;
use hub_core::actor::{Act, Actor};
use hub_core::id::{CredentialName, TenantId};
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
        check_name(name)?;
        check_token(token, "int_")?;
        if filters.is_empty() || filters.len() > FILTERS_MAX {
            return Err(StoreError::Refused(format!(
                "an integrator has 1 to {FILTERS_MAX} filters, not {}",
                filters.len()
            )));
        }
        for filter in filters {
            check_filter(filter).map_err(|error| StoreError::Refused(format!("filter {filter:?}: {error}")))?;
        }
        let mut state = self.state();
        state.check_places(tenant, others(&state.integrators, tenant, name), TOKENS_MAX)?;
        let token_hash = sha256(token.as_bytes());
        is_new(&state.integrators, "integrator", tenant, name)?;
        is_unused(
            state
                .integrators
                .values()
                .any(|program| program.token_hash == token_hash),
        )?;
        let program = Program {
            token_hash,
            filters: filters.to_vec(),
            revoked: false,
        };
        state.integrators.insert((tenant.clone(), name.to_owned()), program);
        Ok(())
    }

    async fn revoke_integrator(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| {
            let program = state.integrators.get_mut(&(tenant.clone(), name.to_owned()));
            let no_program = || not_found("integrator", format!("{tenant}/{name}"));
            program.ok_or_else(no_program)?.revoked = true;
            let (tenant, name) = (tenant.clone(), name.to_owned());
            state.tell_access(AccessChange::Integrator { tenant, name });
            Ok(())
        })
    }

    async fn integrators(&self, actor: &Actor) -> Result<Vec<IntegratorView>> {
        actor.may(Act::ReadAccess)?;
        let state = self.state();
        let programs = state
            .integrators
            .iter()
            .filter(|((tenant, _), _)| actor.includes(tenant));
        Ok(programs
            .map(|((tenant, name), program)| IntegratorView {
                tenant: tenant.clone(),
                name: name.clone(),
                filters: program.filters.clone(),
                revoked: program.revoked,
            })
            .collect())
    }

    async fn add_claim_credential(
        &self,
        tenant: &TenantId,
        name: &str,
        token: &str,
        grant: &ClaimGrant,
        now: Timestamp,
    ) -> Result<()> {
        check_name(name)?;
        check_token(token, "claim_")?;
        self.check_profile(&grant.profile)?;
        if grant.expires_at <= now || grant.uses == 0 {
            return Err(StoreError::Refused(
                "a claim credential ends in the future and serves at least one device".to_owned(),
            ));
        }
        let mut state = self.state();
        state.check_places(tenant, others(&state.claim_credentials, tenant, name), TOKENS_MAX)?;
        let token_hash = sha256(token.as_bytes());
        is_new(&state.claim_credentials, "claim credential", tenant, name)?;
        is_unused(
            state
                .claim_credentials
                .values()
                .any(|claim| claim.token_hash == token_hash),
        )?;
        let claim = ClaimCredential {
            token_hash,
            profile: grant.profile.clone(),
            expires_at: grant.expires_at,
            uses_left: i64::from(grant.uses),
            may_replace: grant.replace,
            revoked: false,
        };
        state.claim_credentials.insert((tenant.clone(), name.to_owned()), claim);
        Ok(())
    }

    async fn revoke_claim_credential(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| {
            let claim = state.claim_credentials.get_mut(&(tenant.clone(), name.to_owned()));
            let no_claim = || not_found("claim credential", format!("{tenant}/{name}"));
            claim.ok_or_else(no_claim)?.revoked = true;
            let (tenant, name) = (tenant.clone(), name.to_owned());
            state.tell_access(AccessChange::Claimant { tenant, name });
            Ok(())
        })
    }

    async fn claim_credentials(&self, actor: &Actor) -> Result<Vec<ClaimView>> {
        actor.may(Act::ReadAccess)?;
        let state = self.state();
        let claims = state
            .claim_credentials
            .iter()
            .filter(|((tenant, _), _)| actor.includes(tenant));
        Ok(claims
            .map(|((tenant, name), claim)| ClaimView {
                tenant: tenant.clone(),
                name: name.clone(),
                profile: claim.profile.clone(),
                expires_at: claim.expires_at,
                uses_left: claim.uses_left,
                replace: claim.may_replace,
                revoked: claim.revoked,
            })
            .collect())
    }

    async fn put_authority(&self, tenant: &TenantId, name: &str, certificate: &[u8], now: Timestamp) -> Result<()> {
        check_name(name)?;
        self.change(|state| state.put_authority(tenant, name, certificate, now))
    }

    async fn put_revocations(&self, tenant: &TenantId, name: &str, list: &[u8], now: Timestamp) -> Result<usize> {
        self.change(|state| state.put_revocations(tenant, name, list, now))
    }

    async fn remove_authority(&self, tenant: &TenantId, name: &str) -> Result<()> {
        self.change(|state| state.remove_authority(tenant, name))
    }

    async fn authority_views(&self, actor: &Actor) -> Result<Vec<AuthorityView>> {
        actor.may(Act::ReadAccess)?;
        self.state().authority_views(actor)
    }
}

/// How many a tenant has beside `name`.
fn others<T>(all: &BTreeMap<Named, T>, tenant: &TenantId, name: &str) -> usize {
    all.keys().filter(|(of, other)| of == tenant && other != name).count()
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let name = CredentialName::new(name);
    name.map(drop).map_err(|error| StoreError::Refused(error.to_string()))
}

/// The prefix tells at the front door what kind of token it is.
fn check_token(token: &str, prefix: &str) -> Result<()> {
    if token.starts_with(prefix) && token.len() >= prefix.len() + 32 {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "a token begins with {prefix} and has at least 32 characters after that"
    )))
}

fn is_new<T>(all: &BTreeMap<Named, T>, what: &str, tenant: &TenantId, name: &str) -> Result<()> {
    if !all.contains_key(&(tenant.clone(), name.to_owned())) {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "{what} {tenant}/{name} is there already, or was; take another name"
    )))
}

fn is_unused(used: bool) -> Result<()> {
    if !used {
        return Ok(());
    }
    Err(StoreError::Conflict(
        "somebody else has this token; draw another".to_owned(),
    ))
}
