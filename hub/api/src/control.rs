//! NUL and other control characters: they belong into no text that people or devices send, and the database takes no NUL.

use crate::error::ApiError;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// Control characters that a text of several lines may hold.
pub(crate) const BREAKS: [char; 3] = ['\n', '\r', '\t'];

/// Refuses addresses that hold one, in the path or behind the question mark.
pub(crate) async fn plain_address(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if encoded_holds_control(uri.path().as_bytes(), &[]) || encoded_holds_control(query.as_bytes(), &[]) {
        return ApiError::ControlCharacters.into_response();
    }
    next.run(request).await
}

/// Whether percent-encoded text (RFC 3986 §2.1) holds a control character other than these.
pub(crate) fn encoded_holds_control(encoded: &[u8], but: &[char]) -> bool {
    let decoded = decoded(encoded);
    match std::str::from_utf8(&decoded) {
        Ok(text) => holds_control(text, but),
        Err(_) => decoded
            .iter()
            .any(|byte| byte.is_ascii_control() && !but.contains(&char::from(*byte))),
    }
}

/// Whether a name or a text in JSON holds a control character other than line breaks and tabulators.
pub(crate) fn json_holds_control(value: &Value) -> bool {
    match value {
        Value::String(text) => holds_control(text, &BREAKS),
        Value::Array(items) => items.iter().any(json_holds_control),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| holds_control(name, &BREAKS) || json_holds_control(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn holds_control(text: &str, but: &[char]) -> bool {
    text.chars().any(|c| c.is_control() && !but.contains(&c))
}

fn decoded(mut encoded: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len());
    while let [byte, rest @ ..] = encoded {
        let pair = if *byte == b'%' { hex_pair(rest) } else { None };
        decoded.push(pair.unwrap_or(*byte));
        encoded = if pair.is_some() { &rest[2..] } else { rest };
    }
    decoded
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let [high, low] = *text.first_chunk::<2>()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn control_characters_are_found_however_they_are_written() {
        for with in [
            "%00",
            "a%0ab",
            "%1B[2J",
            "%7f",
            "%C2%85",
            "%ff%00",
            "a=%2500%00",
            "\u{0}",
            "%0%00",
        ] {
            assert!(encoded_holds_control(with.as_bytes(), &[]), "{with}");
        }
        for without in [
            "",
            "a=b+c",
            "%2500",
            "%E4%BD%A0",
            "100%",
            "%0",
            "%zz",
            "%c3%a9",
            "%ff%20",
        ] {
            assert!(!encoded_holds_control(without.as_bytes(), &[]), "{without}");
        }
        assert!(!encoded_holds_control(b"two%0D%0Alines", &BREAKS));
        assert!(encoded_holds_control(b"two%0Alines%00", &BREAKS));
    }

    #[test]
    fn they_are_found_anywhere_in_json() {
        for with in [json!("\u{0}"), json!([1, "\u{1b}"]), json!({ "a": { "b\u{7}": 1 } })] {
            assert!(json_holds_control(&with), "{with}");
        }
        assert!(!json_holds_control(
            &json!({ "note": "two\nlines\tand 你好", "n": [null, true, 1] })
        ));
    }
}
