//! Accounts, sessions, and requests that may be repeated safely.

use super::MemoryStore;
use super::not_found;
use super::state::{Request, State};
use crate::account::{Account, AccountStore, Idempotency, SESSIONS_MAX};
use crate::bounds::KEYS_KEPT;
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::account::{AccountError, check_addition, check_change, check_password};
use hub_core::actor::{Act, Actor};
use hub_core::id::AccountId;
use jiff::Timestamp;
use std::collections::btree_map::Entry;

#[async_trait]
impl AccountStore for MemoryStore {
    async fn create_first_account(&self, account: &Account, _now: Timestamp) -> Result<bool> {
        let mut state = self.state();
        if !state.accounts.is_empty() {
            return Ok(false);
        }
        state.accounts.insert(account.id, account.clone());
        Ok(true)
    }

    async fn account(&self, name: &str) -> Result<Option<Account>> {
        let state = self.state();
        Ok(state
            .accounts
            .values()
            .find(|account| account.actor.name == name)
            .cloned())
    }

    async fn accounts(&self, actor: &Actor) -> Result<Vec<Actor>> {
        actor.may(Act::ReadAccounts)?;
        let mut accounts = self.state().actors();
        accounts.retain(|account| actor.governs(account));
        Ok(accounts)
    }

    async fn add_account(&self, actor: &Actor, account: &Account, _now: Timestamp) -> Result<()> {
        actor.may(Act::ChangeAccounts)?;
        let mut state = self.state();
        check_addition(&state.actors(), actor, &account.actor)?;
        state.check_sites(&account.actor)?;
        state.accounts.insert(account.id, account.clone());
        Ok(())
    }

    async fn change_account(&self, actor: &Actor, to: &Actor) -> Result<()> {
        actor.may(Act::ChangeAccounts)?;
        let mut state = self.state();
        check_change(&state.actors(), actor, &to.name, Some(to))?;
        state.check_sites(to)?;
        state.account_of(&to.name)?.actor = to.clone();
        Ok(())
    }

    async fn set_password(&self, actor: &Actor, name: &str, password_hash: &str, but: Option<[u8; 32]>) -> Result<()> {
        let mut state = self.state();
        check_password(&state.actors(), actor, name)?;
        let account = state.account_of(name)?;
        password_hash.clone_into(&mut account.password_hash);
        let id = account.id;
        state.logins.retain(|hash, login| login.0 != id || Some(*hash) == but);
        Ok(())
    }

    async fn remove_account(&self, actor: &Actor, name: &str) -> Result<()> {
        actor.may(Act::ChangeAccounts)?;
        let mut state = self.state();
        check_change(&state.actors(), actor, name, None)?;
        let id = state.account_of(name)?.id;
        state.logins.retain(|_, login| login.0 != id);
        state.requests.retain(|(of, _), _| *of != id);
        state.accounts.remove(&id);
        Ok(())
    }

    async fn open_session(
        &self,
        token_hash: [u8; 32],
        account: AccountId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let mut state = self.state();
        if !state.accounts.contains_key(&account) {
            return Err(StoreError::Refused(format!("there is no account {account}")));
        }
        // Refused they are by the time of asking, deleted as far as somebody vouches for it.
        let vouched = self.hub.gate.as_of(now);
        let over = |(of, _, expires): &(AccountId, Timestamp, Timestamp)| {
            *of == account && vouched.is_some_and(|until| *expires <= until)
        };
        state.logins.retain(|_, login| !over(login));
        let mut own: Vec<_> = state.logins.iter().filter(|(_, login)| login.0 == account).collect();
        own.sort_by_key(|(_, login)| std::cmp::Reverse(login.1));
        let kept = usize::from(SESSIONS_MAX) - 1;
        let gone: Vec<[u8; 32]> = own.into_iter().skip(kept).map(|(hash, _)| *hash).collect();
        for hash in gone {
            state.logins.remove(&hash);
        }
        state.logins.insert(token_hash, (account, now, expires_at));
        Ok(())
    }

    async fn session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<Account>> {
        let state = self.state();
        let login = state.logins.get(&token_hash).filter(|(_, _, expires)| *expires > now);
        Ok(login.and_then(|(account, ..)| state.accounts.get(account)).cloned())
    }

    async fn close_session(&self, token_hash: [u8; 32]) -> Result<()> {
        self.state().logins.remove(&token_hash);
        Ok(())
    }

    async fn idempotency(
        &self,
        account: AccountId,
        key: &str,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency> {
        let mut state = self.state();
        let before = |at: Timestamp| at.checked_sub(KEYS_KEPT).ok();
        if let Some(forgotten) = self.hub.gate.as_of(now).and_then(before) {
            state.requests.retain(|_, request| request.at >= forgotten);
        }
        // One that has expired and is still there counts as new.
        let place = (account, key.to_owned());
        if let Some(known) = state.requests.get(&place)
            && before(now).is_some_and(|expired| known.at < expired)
        {
            state.requests.remove(&place);
        }
        Ok(match state.requests.entry(place) {
            Entry::Vacant(free) => {
                free.insert(Request {
                    digest: request,
                    at: now,
                    answer: None,
                });
                Idempotency::New
            }
            Entry::Occupied(known) if known.get().digest != request => Idempotency::OtherRequest,
            Entry::Occupied(known) => match known.get().answer.clone() {
                Some((status, body)) => Idempotency::Done(status, body),
                None => Idempotency::UnderWay,
            },
        })
    }

    async fn remember(&self, account: AccountId, key: &str, status: u16, body: &str) -> Result<()> {
        if let Some(request) = self.state().requests.get_mut(&(account, key.to_owned())) {
            request.answer = Some((status, body.to_owned()));
        }
        Ok(())
    }
}

impl State {
    /// The actors of all accounts, by log-in name.
    fn actors(&self) -> Vec<Actor> {
        let mut actors: Vec<Actor> = self.accounts.values().map(|account| account.actor.clone()).collect();
        actors.sort_by(|a, b| a.name.cmp(&b.name));
        actors
    }

    fn account_of(&mut self, name: &str) -> Result<&mut Account> {
        let account = self.accounts.values_mut().find(|account| account.actor.name == name);
        account.ok_or_else(|| AccountError::Unknown(name.to_owned()).into())
    }

    /// The tenant of an account and its sites exist.
    fn check_sites(&self, actor: &Actor) -> Result<()> {
        let Some(tenant) = &actor.tenant else { return Ok(()) };
        self.tenant(tenant)?;
        for site in actor.sites().unwrap_or_default() {
            let known = self.service_point(tenant, site);
            known.ok_or_else(|| not_found("service point", site))?;
        }
        Ok(())
    }
}
