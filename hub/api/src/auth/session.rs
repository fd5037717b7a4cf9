//! Sessions: a random token in a cookie (console) or a bearer header (programs); the store keeps its SHA-256.

use super::bearer::bearer;
use crate::error::ApiError;
use crate::places::Place;
use crate::state::{App, Inner};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub_core::actor::Actor;
use hub_core::clock::{CivilClock, SystemClock};
use hub_store::account::Account;
use jiff::Timestamp;
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Name of the session's cookie.
pub(crate) const COOKIE: &str = "forecall_session";

/// What a client holds: 32 random bytes, written base64url.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random::<32>()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

/// Bytes that nobody can foretell.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .expect("the operating system's generator answers on every supported system");
    bytes
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Sessions end by the machine's clock: a demonstration's time-lapse must not log anybody out.
pub(crate) fn wall_clock() -> Timestamp {
    SystemClock.now()
}

/// Somebody who has logged in.
#[derive(Clone)]
pub struct Session {
    pub(crate) account: Account,
    pub(crate) token_hash: [u8; 32],
}

impl Session {
    /// Who they are, and what they may.
    pub fn actor(&self) -> &Actor {
        &self.account.actor
    }

    /// Their log-in name.
    pub fn name(&self) -> &str {
        &self.account.actor.name
    }

    /// The session that a request carries. A bearer header, if there is one, is the only thing that is looked at.
    pub(crate) async fn find(app: &Inner, headers: &HeaderMap) -> Result<Self, ApiError> {
        let token = match headers.get(header::AUTHORIZATION) {
            Some(value) => bearer(value),
            None => cookie(headers, COOKIE),
        };
        let token_hash = hash(token.ok_or(ApiError::NotLoggedIn)?);
        let account = app.store().session(token_hash, wall_clock()).await?;
        let account = account.ok_or(ApiError::NotLoggedIn)?;
        Ok(Self { account, token_hash })
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Looked up once, even when both a middleware and a handler want it.
        if let Some(session) = parts.extensions.get::<Session>() {
            return Ok(session.clone());
        }
        let session = Session::find(app, &parts.headers).await?;
        if let Some(place) = parts.extensions.get::<Arc<Place>>() {
            place.person(session.token_hash);
        }
        parts.extensions.insert(session.clone());
        Ok(session)
    }
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// The cookie that keeps `value`; `None` takes it away.
pub fn set_cookie(name: &str, value: Option<&str>, seconds: i64, behind_tls: bool) -> HeaderValue {
    let secure = if behind_tls { "; Secure" } else { "" };
    let (value, seconds) = value.map_or(("", 0), |value| (value, seconds));
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).expect("names and values are base64url or language tags")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_and_foreign_ones_left_alone() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; forecall_session=tok; b=2"),
        );
        assert_eq!(cookie(&headers, COOKIE), Some("tok"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let line = set_cookie(COOKIE, Some("x"), 60, true);
        assert_eq!(
            line.to_str().unwrap(),
            "forecall_session=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
        );
    }
}
