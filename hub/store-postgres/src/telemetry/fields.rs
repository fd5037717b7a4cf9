//! The fields of a row of `telemetry` in PostgreSQL's binary form, in the order of the table's columns: as a tuple of COPY
//! has them (manual, section "COPY", "Binary Format"), or as a composite value has them, each behind its type (`record_recv`
//! in the server's `rowtypes.c`).

use super::columns::{COLUMNS, halves};
use super::row::{CopyRow, Shape};
use jiff::Timestamp;

/// 2000-01-01 in microseconds of the Unix epoch.
pub(super) const EPOCH_US: i64 = 946_684_800_000_000;
/// `jsonb` is sent as this version and its text.
const JSONB_VERSION: u8 = 1;

/// Numbers of types, which PostgreSQL never changes (`pg_type.dat`).
mod oid {
    pub(super) const BIGINT: u32 = 20;
    pub(super) const SMALLINT: u32 = 21;
    pub(super) const INTEGER: u32 = 23;
    pub(super) const INTEGERS: u32 = 1007;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const JSONB: u32 = 3802;
}

/// Where fields are written to.
pub(super) struct Fields<'a> {
    bytes: &'a mut Vec<u8>,
    /// Each field is behind the number of its type.
    typed: bool,
}

impl<'a> Fields<'a> {
    /// Fields of COPY, whose types the statement says.
    pub(super) fn of_copy(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, typed: false }
    }

    /// Fields of a composite value.
    pub(super) fn of_record(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, typed: true }
    }

    /// The columns of a row that its shape names.
    pub(super) fn push(&mut self, row: &CopyRow<'_>, shape: Shape) {
        let (trace_high, trace_low) = halves(row.trace.0);
        self.bigint(Some(row.appliance));
        self.bigint(Some(row.ingest_no));
        self.time(row.at);
        self.time(row.received_at);
        self.bigint(row.sequence.map(|(boot, _, _)| boot));
        self.bigint(row.sequence.map(|(_, _, seq)| seq));
        self.bigint(Some(trace_high));
        self.bigint(Some(trace_low));
        self.field(oid::INTEGER, Some(row.tenant_no.to_be_bytes()));
        let own = row.values.iter().copied().chain(std::iter::repeat(None));
        for value in own.take(shape.values) {
            self.field(oid::INTEGER, value.map(i32::to_be_bytes));
        }
        self.field(oid::SMALLINT, Some(row.partition.to_be_bytes()));
        self.field(oid::SMALLINT, Some(row.profile_no.to_be_bytes()));
        self.field(oid::SMALLINT, row.sequence.map(|(_, lane, _)| lane.to_be_bytes()));
        if shape.has_more {
            self.integers(row.values.get(COLUMNS..).filter(|more| !more.is_empty()));
        }
        if shape.has_extra {
            self.json(row.extra.as_deref());
        }
    }

    fn bigint(&mut self, value: Option<i64>) {
        self.field(oid::BIGINT, value.map(i64::to_be_bytes));
    }

    fn time(&mut self, at: Timestamp) {
        self.field(oid::TIMESTAMPTZ, Some((at.as_microsecond() - EPOCH_US).to_be_bytes()));
    }

    fn integers(&mut self, values: Option<&[Option<i32>]>) {
        self.kind(oid::INTEGERS);
        let Some(values) = values else {
            return self.null();
        };
        let start = self.bytes.len();
        self.length(0);
        let has_null = u32::from(values.contains(&None));
        for number in [1, has_null, oid::INTEGER] {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        self.length(values.len());
        self.bytes.extend_from_slice(&1i32.to_be_bytes()); // the first index
        for value in values {
            self.value(value.map(i32::to_be_bytes));
        }
        let length = i32::try_from(self.bytes.len() - start - 4).unwrap_or(i32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn json(&mut self, text: Option<&str>) {
        self.kind(oid::JSONB);
        let Some(text) = text else {
            return self.null();
        };
        self.length(text.len() + 1);
        self.bytes.push(JSONB_VERSION);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn field<const N: usize>(&mut self, kind: u32, value: Option<[u8; N]>) {
        self.kind(kind);
        self.value(value);
    }

    fn kind(&mut self, kind: u32) {
        if self.typed {
            self.bytes.extend_from_slice(&kind.to_be_bytes());
        }
    }

    fn value<const N: usize>(&mut self, value: Option<[u8; N]>) {
        match value {
            Some(value) => {
                self.length(N);
                self.bytes.extend_from_slice(&value);
            }
            None => self.null(),
        }
    }

    fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1i32).to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        // A payload is bounded far below this by the broker.
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
    }
}
