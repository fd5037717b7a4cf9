//! Log-in and log-out, as the API and the console both do them.

use super::password::{self, PASSWORD_LEN_MAX};
use super::session::{self, COOKIE, Token, set_cookie};
use super::throttle::{LogInThrottle, network};
use crate::error::{ApiError, Result};
use crate::state::Inner;
use axum::http::HeaderValue;
use hub_core::account::NAME_LEN_MAX;
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;
use tokio::time::Instant;

/// How long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(12);

/// A session that has just begun.
pub struct Opened {
    /// What the client keeps; the store has only its hash.
    pub(crate) token: Token,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

impl Opened {
    /// The cookie by which a browser keeps the session.
    pub fn cookie(&self, behind_tls: bool) -> HeaderValue {
        set_cookie(COOKIE, Some(self.token.as_str()), SESSION.as_secs(), behind_tls)
    }
}

/// The cookie that takes a session away from a browser.
pub fn no_cookie(behind_tls: bool) -> HeaderValue {
    set_cookie(COOKIE, None, 0, behind_tls)
}

/// Checks name and password, and opens a session.
///
/// # Errors
///
/// They do not belong together, or too many wrong ones came from this address.
pub async fn log_in(app: &Inner, source: IpAddr, name: &str, password: String) -> Result<Opened> {
    throttle(app, source, name)?;
    if password.len() > PASSWORD_LEN_MAX {
        return Err(ApiError::BadLogIn);
    }
    let account = app.store().account(name).await?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let right = password::verify(app, password, stored).await?;
    let Some(account) = account.filter(|_| right) else {
        if app.tells("log_in") {
            tracing::warn!(%source, "log-in refused");
        }
        return Err(ApiError::BadLogIn);
    };
    passed(app, source, name);
    let token = Token::random();
    let now = session::wall_clock();
    let expires_at = now + SESSION;
    app.store()
        .open_session(token.hash(), account.id, expires_at, now)
        .await?;
    tracing::info!(account = account.actor.name, %source, "logged in");
    Ok(Opened { token, expires_at })
}

/// What came before from this network, and on this account from there, is forgotten: somebody there knows its password.
pub(crate) fn passed(app: &Inner, source: IpAddr, name: &str) {
    let mut throttle = lock(app);
    let key = key(source, name);
    throttle.networks.passed(&key.0);
    throttle.accounts.passed(&key);
}

/// Counts a try, unless there were too many.
pub(crate) fn throttle(app: &Inner, source: IpAddr, name: &str) -> Result<()> {
    let mut throttle = lock(app);
    let (key, now) = (key(source, name), Instant::now());
    let waits = [throttle.networks.wait(&key.0, now), throttle.accounts.wait(&key, now)];
    match waits.into_iter().flatten().max() {
        Some(wait) => Err(ApiError::Throttled(wait.as_secs() + 1)),
        None => {
            throttle.networks.attempt(key.0, now);
            throttle.accounts.attempt(key, now);
            Ok(())
        }
    }
}

/// Network, and log-in name as far as there are accounts of such a length.
fn key(source: IpAddr, name: &str) -> (IpAddr, String) {
    (network(source), name.chars().take(NAME_LEN_MAX).collect())
}

fn lock(app: &Inner) -> std::sync::MutexGuard<'_, LogInThrottle> {
    app.throttle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
