//! Passwords: Argon2id (RFC 9106) in PHC string form, computed off the async threads, a bounded number at a time.

use crate::error::{ApiError, Result};
use crate::state::Inner;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::LazyLock;

/// Longest password that is looked at, in bytes.
pub(crate) const PASSWORD_LEN_MAX: usize = 256;

/// 19 MiB, two passes, one lane: RFC 9106's memory-constrained neighbourhood, as OWASP's cheat sheet has it.
static HASHER: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19 * 1024, 2, 1, None).expect("constant parameters within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// Checked when the name is unknown, so that the answer takes as long as for a known one.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash("nobody has this password", &[7; 16]).expect("hashing a constant cannot fail"));

/// Hashes a password; `salt` is 16 random bytes.
pub(crate) fn hash(password: &str, salt: &[u8; 16]) -> std::result::Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(salt)?;
    Ok(HASHER.hash_password(password.as_bytes(), &salt)?.to_string())
}

/// The same, off the async threads.
pub(crate) async fn hash_aside(app: &Inner, password: String, salt: [u8; 16]) -> Result<String> {
    let _permit = app.password_checks.acquire().await.map_err(|_| ApiError::Password)?;
    tokio::task::spawn_blocking(move || hash(&password, &salt).map_err(|_| ApiError::Password))
        .await
        .map_err(|_| ApiError::Password)?
}

/// Whether `password` belongs to `stored`; `None` stands for an account that does not exist.
pub(crate) async fn verify(app: &Inner, password: String, stored: Option<String>) -> Result<bool> {
    let _permit = app.password_checks.acquire().await.map_err(|_| ApiError::Password)?;
    let check = move || {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.clone());
        let hash = PasswordHash::new(&stored).map_err(|_| ApiError::Password)?;
        Ok(HASHER.verify_password(password.as_bytes(), &hash).is_ok() && known)
    };
    tokio::task::spawn_blocking(check)
        .await
        .map_err(|_| ApiError::Password)?
}
