//! What devices send that is almost JSON, read where the strict reader has refused: C's NUL at the end, a byte-order mark,
//! the bare words of floating point that no JSON has, and numbers as text.

use super::{JsonError, MAX_JSON_BYTES, objects};
use serde_json::Value;

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
/// What printers of floating-point numbers write for what is no number, whatever the case and the sign.
const NOT_FINITE: [&[u8]; 3] = [b"nan", b"infinity", b"inf"];

/// The samples of a message, 1 to [`crate::MAX_SAMPLES`], each as it stands. NUL bytes at the end and a byte-order mark
/// at the start are passed over; bare words such as `NaN` and `-Infinity` become text.
///
/// # Errors
///
/// It is not JSON even then, or holds too many samples or none.
pub fn split(bytes: &[u8]) -> Result<Vec<Value>, JsonError> {
    if bytes.len() > MAX_JSON_BYTES {
        return Err(JsonError::TooLong);
    }
    let begun = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let end = begun.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = begun.get(..end).unwrap_or_default();
    let parsed = serde_json::from_slice(text).or_else(|source| match quoted(text) {
        Some(text) => serde_json::from_slice(&text).map_err(|source| JsonError::syntax(&text, source)),
        None => Err(JsonError::syntax(text, source)),
    })?;
    objects(parsed)
}

/// A number, or true or false, that was written as text. Not finite where the text says so, as "NaN" does.
pub fn number(text: &str) -> Option<f64> {
    match text.trim() {
        "true" => Some(1.0),
        "false" => Some(0.0),
        text => text.parse().ok(),
    }
}

/// The message with its bare words of floating point in quotes; nothing where it has none.
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::with_capacity(text.len() + 64);
    let (mut rest, mut changed) = (text, false);
    while let Some(first) = rest.first() {
        let length = if *first == b'"' {
            string_length(rest)
        } else {
            rest.iter().take_while(|byte| is_of_word(**byte)).count().max(1)
        };
        let (token, left) = rest.split_at(length);
        if is_not_finite(token) {
            copy.push(b'"');
            copy.extend(token);
            copy.push(b'"');
            changed = true;
        } else {
            copy.extend(token);
        }
        rest = left;
    }
    changed.then_some(copy)
}

/// Of the string that begins here, with its quotes; to the end where it is not closed.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let closes = |byte: &u8| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    };
    text.iter()
        .skip(1)
        .position(closes)
        .map_or(text.len(), |inside| inside + 2)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_')
}

fn is_not_finite(token: &[u8]) -> bool {
    let word = token
        .strip_prefix(b"-")
        .or_else(|| token.strip_prefix(b"+"))
        .unwrap_or(token);
    NOT_FINITE.iter().any(|known| known.eq_ignore_ascii_case(word))
}
