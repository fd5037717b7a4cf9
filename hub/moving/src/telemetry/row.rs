//! What a row of telemetry has in a file, and the bytes that stand for it wherever it is kept.

use crate::seal::{self, RowDigest};
use crate::tables::TELEMETRY;
use hub_store_postgres::TelemetryRow;

/// In the order of the schema of a file.
pub(crate) const COLUMNS: [&str; 13] = [
    "appliance",
    "ingest_no",
    "at",
    "received_at",
    "boot",
    "seq",
    "tenant_no",
    "partition",
    "profile_no",
    "lane",
    "trace",
    "v",
    "extra",
];

/// Every field at its length, so that no two rows have the same bytes.
pub(crate) fn digest(row: &TelemetryRow) -> RowDigest {
    let mut bytes = Vec::with_capacity(96 + 5 * row.values.len());
    bytes.extend_from_slice(&row.appliance.to_be_bytes());
    bytes.extend_from_slice(&row.tenant_no.to_be_bytes());
    bytes.extend_from_slice(&row.partition.to_be_bytes());
    bytes.extend_from_slice(&row.profile_no.to_be_bytes());
    bytes.extend_from_slice(&row.ingest_no.to_be_bytes());
    bytes.extend_from_slice(&row.at.as_microsecond().to_be_bytes());
    bytes.extend_from_slice(&row.received_at.as_microsecond().to_be_bytes());
    bytes.push(u8::from(row.sequence.is_some()));
    if let Some((boot, lane, seq)) = row.sequence {
        bytes.extend_from_slice(&boot.to_be_bytes());
        bytes.extend_from_slice(&lane.to_be_bytes());
        bytes.extend_from_slice(&seq.to_be_bytes());
    }
    bytes.extend_from_slice(row.trace.as_bytes());
    bytes.extend_from_slice(&(row.values.len() as u64).to_be_bytes());
    for value in &row.values {
        bytes.push(u8::from(value.is_some()));
        bytes.extend_from_slice(&value.unwrap_or(0).to_be_bytes());
    }
    bytes.push(u8::from(row.extra.is_some()));
    bytes.extend_from_slice(row.extra.as_deref().unwrap_or_default().as_bytes());
    seal::digest(TELEMETRY, &bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::collections::HashSet;
    use uuid::Uuid;

    /// Rows of every kind.
    pub(crate) fn rows() -> Vec<TelemetryRow> {
        let row = TelemetryRow {
            appliance: 7,
            tenant_no: -1,
            partition: 255,
            profile_no: 12,
            ingest_no: i64::MAX,
            at: Timestamp::from_microsecond(-1).unwrap(),
            received_at: Timestamp::from_microsecond(1_772_416_800_123_456).unwrap(),
            sequence: Some((i64::MIN, 2, -5)),
            trace: Uuid::from_u64_pair(u64::MAX, 2),
            values: vec![Some(i32::MIN), None, Some(0)],
            extra: None,
        };
        let json = TelemetryRow {
            sequence: None,
            extra: Some("{\"a\": \"é\"}".to_owned()),
            ..row.clone()
        };
        let empty = TelemetryRow {
            values: Vec::new(),
            ..row.clone()
        };
        // More channels than have a column of their own in the database.
        let mut many = vec![None; 39];
        many.push(Some(9));
        let wide = TelemetryRow {
            values: many,
            ..row.clone()
        };
        vec![row, json, empty, wide]
    }

    #[test]
    fn digests_differ_where_rows_do() {
        let digests: HashSet<_> = rows().iter().map(digest).collect();
        assert_eq!(digests.len(), rows().len());
    }
}
