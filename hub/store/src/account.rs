//! People who log in, their sessions, and requests that may be repeated safely.

use crate::error::Result;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::AccountId;
use jiff::Timestamp;

/// Sessions of one account that have not ended; one more takes the place of the oldest. All people of a house may log in as one
/// account, and the console holds 1,024 event streams unless it is set otherwise: as many sessions, so that nobody who reads
/// along is logged out by others, even where each stream is a log-in's only one.
pub const SESSIONS_MAX: u16 = 1_024;

/// A person who logs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Id of the account.
    pub id: AccountId,
    /// Argon2id in PHC string form.
    pub password_hash: String,
    /// Who they are once they have logged in; the name is the log-in name.
    pub actor: Actor,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("name", &self.actor.name)
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

    /// The accounts that `actor` governs, by log-in name.
    async fn accounts(&self, actor: &Actor) -> Result<Vec<Actor>>;

    /// Makes an account by [`hub_core::account::check_addition`].
    async fn add_account(&self, actor: &Actor, account: &Account, now: Timestamp) -> Result<()>;

    /// Gives the account of that name the tenant, sites and roles of `to`, by [`hub_core::account::check_change`]. They count from
    /// the next request of its sessions.
    async fn change_account(&self, actor: &Actor, to: &Actor) -> Result<()>;

    /// Sets the password of an account, one's own or another that one governs, and ends all its sessions but `but` (SHA-256 of
    /// a token).
    async fn set_password(&self, actor: &Actor, name: &str, password_hash: &str, but: Option<[u8; 32]>) -> Result<()>;

    /// Removes an account with its sessions, by [`hub_core::account::check_change`]. Timelines keep its name.
    async fn remove_account(&self, actor: &Actor, name: &str) -> Result<()>;

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
