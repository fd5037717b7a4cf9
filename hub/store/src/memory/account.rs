//! Accounts, sessions, and requests that may be repeated safely.

use super::MemoryStore;
use super::state::Request;
use crate::account::{Account, AccountStore, Idempotency, SESSIONS_MAX};
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::id::AccountId;
use jiff::{SignedDuration, Timestamp};
use std::collections::btree_map::Entry;

/// Idempotency keys are kept for this long.
const KEYS_KEPT: SignedDuration = SignedDuration::from_hours(24);

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
        Ok(state.accounts.values().find(|account| account.name == name).cloned())
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
        let over = |(of, _, expires): &(AccountId, Timestamp, Timestamp)| *of == account && *expires <= now;
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
        state.requests.retain(|_, request| request.at >= now - KEYS_KEPT);
        Ok(match state.requests.entry((account, key.to_owned())) {
            Entry::Vacant(place) => {
                place.insert(Request {
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
