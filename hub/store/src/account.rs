//! People who log in, their sessions, and requests that may be repeated safely.

use crate::error::Result;
use crate::scope::Scope;
use async_trait::async_trait;
use hub_core::id::AccountId;
use jiff::Timestamp;

/// Sessions of one account that have not ended; one more takes the place of the oldest. All people of a house may log in as one
/// account, and the console holds 1,024 event streams unless it is set otherwise: as many sessions, so that nobody who reads
/// along is logged out by others, even where each stream is a log-in's only one.
pub const SESSIONS_MAX: u16 = 1_024;

/// A person who logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Id.
    pub id: AccountId,
    /// Log-in name.
    pub name: String,
    /// Argon2id in PHC string form.
    pub password_hash: String,
    /// What they may see.
    pub scope: Scope,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is known of a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// First time: carry it out, then call [`AccountStore::remember`].
    New,
    /// Done before, with this status and body.
    Done(u16, String),
    /// Being carried out now, or cut off by a crash: not known.
    UnderWay,
    /// The key was used for another request.
    OtherRequest,
}

/// Accounts, sessions and idempotency keys.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes the account if no account exists at all; whether it did.
    async fn create_first_account(&self, account: &Account, now: Timestamp) -> Result<bool>;

    /// The account with this log-in name.
    async fn account(&self, name: &str) -> Result<Option<Account>>;

    /// Opens a session; `token_hash` is SHA-256 of what the browser holds. Beyond [`SESSIONS_MAX`] the account's oldest ends.
    async fn open_session(
        &self,
        token_hash: [u8; 32],
        account: AccountId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()>;

    /// The account of a session that has not expired.
    async fn session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<Account>>;

    /// Ends a session.
    async fn close_session(&self, token_hash: [u8; 32]) -> Result<()>;

    /// Looks an idempotency key up and reserves it. `request` is SHA-256 of method, path and body. Keys are kept for a day.
    async fn idempotency(
        &self,
        account: AccountId,
        key: &str,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency>;

    /// Keeps the answer of a reserved key.
    async fn remember(&self, account: AccountId, key: &str, status: u16, body: &str) -> Result<()>;
}
