//! By which names this hub may be called. A page of another site can make a browser call it by a name of that site, which then
//! counts as the same site (DNS rebinding): an address of this machine cannot be faked so, a name only if it is ours.

use crate::error::{ApiError, Result};
use crate::monitor;
use crate::state::App;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Lets requests through that name this hub as it is called, or ask for its health.
pub(crate) async fn own_names(State(app): State<App>, request: Request, next: Next) -> Response {
    match judge(&app.state.config.host_names, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// RFC 9112 §3.2: one Host, and none only in HTTP/1.0. Where the request line names a host too, both must be ours.
fn judge(names: &[String], request: &Request) -> Result<()> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| ApiError::UnknownHost)?),
        (None, _) if request.version() == Version::HTTP_10 => None,
        (None | Some(_), _) => return Err(ApiError::BadRequest("a request has one Host header".to_owned())),
    };
    if monitor::is_health(request.uri().path()) {
        return Ok(());
    }
    let asked = [host, request.uri().authority().map(Authority::as_str)];
    match asked.into_iter().flatten().all(|host| is_own(names, host)) {
        true => Ok(()),
        false => Err(ApiError::UnknownHost),
    }
}

/// Addresses, this machine's own name for itself, and what the configuration says.
fn is_own(names: &[String], host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    let name = name.strip_suffix('.').unwrap_or(name);
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let is = |own: &str| own.eq_ignore_ascii_case(name);
    bare.parse::<IpAddr>().is_ok() || is("localhost") || names.iter().any(|own| is(own))
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn addresses_and_own_names_are_ours_and_nothing_that_looks_like_them() {
        let names = ["console.example".to_owned()];
        for own in [
            "127.0.0.1:8080",
            "192.0.2.7",
            "[::1]:8080",
            "[2001:db8::1]",
            "localhost",
            "LocalHost:1",
            "console.example",
            "Console.Example.:8443",
        ] {
            assert!(is_own(&names, own), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "console.example.evil.example",
            "evilconsole.example",
            "user@console.example",
            "console.example@evil.example",
            "2130706433",
            "console.example/",
            "console example",
        ] {
            assert!(!is_own(&names, foreign), "{foreign}");
        }
        assert!(!is_own(&[], "console.example"));
    }
}
