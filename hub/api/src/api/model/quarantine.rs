//! Payloads in quarantine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hub_store::quarantine::QuarantineEntry;
use hub_store::telemetry::QUARANTINE_PAYLOAD_MAX;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt::Write;
use utoipa::ToSchema;

/// A payload that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantinedPayload {
    /// Number in quarantine; later ones are higher.
    id: i64,
    /// Tenant that it belongs to.
    tenant: String,
    /// Appliance.
    appliance: i64,
    /// Name of its device within the tenant.
    device: String,
    /// Topic on which it came.
    topic: String,
    /// Why it was not taken.
    reason: String,
    /// When it came.
    received_at: Timestamp,
    /// As received, at most 8,192 bytes, in base64.
    payload: String,
    /// For a person: text as it is, anything else as bytes in hexadecimal.
    readable: String,
    /// It fills the bound and may have been longer: it cannot be replayed.
    cut: bool,
}

impl From<QuarantineEntry> for QuarantinedPayload {
    fn from(held: QuarantineEntry) -> Self {
        Self {
            id: held.number,
            cut: is_cut(&held),
            tenant: held.tenant.into(),
            appliance: held.kept.appliance.0,
            device: held.device.into(),
            topic: held.kept.topic,
            reason: held.kept.reason,
            received_at: held.kept.received_at,
            payload: STANDARD.encode(&held.kept.payload),
            readable: readable(&held.kept.payload),
        }
    }
}

/// Whether more may have come than is kept.
pub fn is_cut(held: &QuarantineEntry) -> bool {
    held.kept.payload.len() >= QUARANTINE_PAYLOAD_MAX
}

/// Text as it is, anything else as bytes.
pub fn readable(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => text.to_owned(),
        _ => payload
            .iter()
            .enumerate()
            .fold(String::with_capacity(payload.len() * 3), |mut text, (at, byte)| {
                let space = if at > 0 { " " } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(text, "{space}{byte:02x}");
                text
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_the_rest_is_bytes() {
        assert_eq!(readable(b"{\"a\":\n1}"), "{\"a\":\n1}");
        assert_eq!(readable(&[0x83, 0x01, 0xff]), "83 01 ff");
        assert_eq!(readable(b"a\x1b[0m"), "61 1b 5b 30 6d");
        assert_eq!(readable(b""), "");
    }
}
