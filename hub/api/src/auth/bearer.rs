//! Bearer tokens (RFC 6750 §2.1), as programs and monitoring show them.

use axum::http::HeaderValue;

/// The token of an `Authorization` header; `None` if its scheme is another.
pub(crate) fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::bearer;
    use axum::http::HeaderValue;

    #[test]
    fn a_bearer_is_read_and_other_schemes_left_alone() {
        assert_eq!(bearer(&HeaderValue::from_static("bearer abc")), Some("abc"));
        assert_eq!(bearer(&HeaderValue::from_static("Basic abc")), None);
    }
}
