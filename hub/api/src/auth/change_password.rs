//! A person changes their own password, as the API and the console both do it.

use super::log_in::{passed, throttle};
use super::password::{self, PASSWORD_LEN_MAX};
use super::session::{Session, random};
use crate::error::{ApiError, Result};
use crate::state::Inner;
use std::net::IpAddr;

/// Fewest characters of a password that a person chooses.
const PASSWORD_LEN_MIN: usize = 12;

/// Sets the password of the person of `session`, who shows the old one. All other sessions of the account end.
///
/// # Errors
///
/// [`ApiError::BadLogIn`] for a wrong old password, which counts as a wrong log-in; [`ApiError::BadPassword`] for a new one
/// that is too short, too long or the old one.
pub async fn change_password(app: &Inner, source: IpAddr, session: &Session, old: String, new: String) -> Result<()> {
    let fits = new.chars().count() >= PASSWORD_LEN_MIN && new.len() <= PASSWORD_LEN_MAX;
    if !fits || new == old {
        return Err(ApiError::BadPassword {
            min: PASSWORD_LEN_MIN,
            max: PASSWORD_LEN_MAX,
        });
    }
    throttle(app, source, session.name())?;
    let stored = Some(session.account.password_hash.clone());
    if old.len() > PASSWORD_LEN_MAX || !password::verify(app, old, stored).await? {
        if app.tells("password") {
            tracing::warn!(account = session.name(), %source, "password not changed: the old one is wrong");
        }
        return Err(ApiError::BadLogIn);
    }
    passed(app, source, session.name());
    let hash = password::hash_aside(app, new, random()).await?;
    let actor = session.actor();
    let kept = Some(session.token_hash);
    app.store().set_password(actor, session.name(), &hash, kept).await?;
    tracing::info!(
        account = session.name(),
        "password changed; other sessions of the account ended"
    );
    Ok(())
}
