//! Refuses what another site's page makes a browser send. Beside `SameSite=Strict`, because one wall is not enough.

use super::session::{COOKIE, cookie};
use crate::error::ApiError;
use crate::state::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hub_core::lines::Shown;

/// Lets reading through, and changes only from this site's pages or from programs.
pub(crate) async fn same_origin(State(app): State<App>, request: Request, next: Next) -> Response {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reading || allowed(request.headers()) {
        next.run(request).await
    } else {
        if app.tells("cross_site") {
            tracing::warn!(path = %Shown(request.uri().path()), "request from another site refused");
        }
        ApiError::CrossSite.into_response()
    }
}

/// Browsers send `Sec-Fetch-Site` or at least `Origin` with every POST; a program sends neither, and no cookie.
fn allowed(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => {
            let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            authority.is_some_and(|(_, authority)| Some(authority) == text("host"))
        }
        None => cookie(headers, COOKIE).is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn judge(pairs: &[(&'static str, &'static str)]) -> bool {
        let pairs = pairs
            .iter()
            .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)));
        allowed(&pairs.collect())
    }

    #[test]
    fn only_this_site_and_programs_change_things() {
        assert!(judge(&[("sec-fetch-site", "same-origin")]));
        assert!(!judge(&[("sec-fetch-site", "cross-site")]));
        assert!(!judge(&[("sec-fetch-site", "same-site")]));
        assert!(judge(&[("origin", "http://hub:1"), ("host", "hub:1")]));
        assert!(!judge(&[("origin", "http://evil"), ("host", "hub:1")]));
        assert!(!judge(&[("origin", "null"), ("host", "hub:1")]));
        assert!(judge(&[("authorization", "Bearer x")]));
        assert!(!judge(&[("cookie", "forecall_session=x")]));
    }
}
