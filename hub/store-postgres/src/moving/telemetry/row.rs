//! One row of telemetry, and the bytes that stand for it wherever it is kept.

use crate::moving::seal::{RowDigest, digest};
use crate::moving::tables::TELEMETRY;
use crate::telemetry::CopyRow;
use hub_core::id::TraceId;
use jiff::Timestamp;
use uuid::Uuid;

/// What a row has in a file, in the order of the schema there.
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

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) appliance: i64,
    pub(crate) tenant_no: i32,
    pub(crate) partition: i16,
    pub(crate) profile_no: i16,
    pub(crate) ingest_no: i64,
    /// Microseconds of the Unix epoch.
    pub(crate) at: i64,
    /// Microseconds of the Unix epoch.
    pub(crate) received_at: i64,
    /// Boot, lane, number.
    pub(crate) sequence: Option<(i64, i16, i64)>,
    pub(crate) trace: Uuid,
    /// By channel order, up to the last that is there.
    pub(crate) values: Vec<Option<i32>>,
    /// JSON as the database writes it.
    pub(crate) extra: Option<String>,
}

impl Row {
    /// Every field at its length, so that no two rows have the same bytes.
    pub(crate) fn digest(&self) -> RowDigest {
        let mut bytes = Vec::with_capacity(96 + 5 * self.values.len());
        bytes.extend_from_slice(&self.appliance.to_be_bytes());
        bytes.extend_from_slice(&self.tenant_no.to_be_bytes());
        bytes.extend_from_slice(&self.partition.to_be_bytes());
        bytes.extend_from_slice(&self.profile_no.to_be_bytes());
        bytes.extend_from_slice(&self.ingest_no.to_be_bytes());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        bytes.extend_from_slice(&self.received_at.to_be_bytes());
        bytes.push(u8::from(self.sequence.is_some()));
        if let Some((boot, lane, seq)) = self.sequence {
            bytes.extend_from_slice(&boot.to_be_bytes());
            bytes.extend_from_slice(&lane.to_be_bytes());
            bytes.extend_from_slice(&seq.to_be_bytes());
        }
        bytes.extend_from_slice(self.trace.as_bytes());
        bytes.extend_from_slice(&(self.values.len() as u64).to_be_bytes());
        for value in &self.values {
            bytes.push(u8::from(value.is_some()));
            bytes.extend_from_slice(&value.unwrap_or(0).to_be_bytes());
        }
        bytes.push(u8::from(self.extra.is_some()));
        bytes.extend_from_slice(self.extra.as_deref().unwrap_or_default().as_bytes());
        digest(TELEMETRY, &bytes)
    }

    /// As the writer of telemetry takes it; `None` if a time is none.
    pub(crate) fn as_copy(&self) -> Option<CopyRow<'_>> {
        Some(CopyRow {
            appliance: self.appliance,
            tenant_no: self.tenant_no,
            partition: self.partition,
            profile_no: self.profile_no,
            ingest_no: self.ingest_no,
            at: Timestamp::from_microsecond(self.at).ok()?,
            received_at: Timestamp::from_microsecond(self.received_at).ok()?,
            sequence: self.sequence,
            trace: TraceId(self.trace),
            values: &self.values,
            extra: self.extra.clone(),
        })
    }
}
