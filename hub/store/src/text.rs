//! Text and JSON as a database takes them: PostgreSQL refuses U+0000, which arrives in payloads.

use serde_json::Value;

/// Text without U+0000.
pub fn text(from: &str) -> String {
    from.replace('\0', "\u{fffd}")
}

/// JSON without U+0000, in names and in values.
pub fn without_nul(value: Value) -> Value {
    match value {
        Value::String(s) if s.contains('\0') => Value::String(text(&s)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (text(&k), without_nul(v))).collect()),
        other => other,
    }
}
