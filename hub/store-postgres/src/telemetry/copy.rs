//! Rows in PostgreSQL's binary COPY format (manual, section "COPY", "Binary Format").

use hub_core::id::TraceId;
use jiff::Timestamp;

/// The statement whose data [`CopyRows`] makes; same columns, same order.
pub(crate) const COPY_TELEMETRY: &str = "copy telemetry (appliance, ingest_no, at, received_at, boot, seq, tenant_no, \
     partition, profile_no, lane, trace, v, extra) from stdin with (format binary)";
const FIELDS: i16 = 13;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// 2000-01-01 in microseconds of the Unix epoch.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Type id of `integer`, the element of `v`.
const INT4_OID: i32 = 23;
/// `jsonb` is sent as this version and its text.
const JSONB_VERSION: u8 = 1;

/// One row of `telemetry`.
pub(crate) struct CopyRow<'a> {
    pub appliance: i64,
    pub tenant_no: i32,
    pub partition: i16,
    pub profile_no: i16,
    pub ingest_no: i64,
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// Boot, lane, number; JSON has none.
    pub sequence: Option<(i64, i16, i64)>,
    pub trace: TraceId,
    pub values: &'a [Option<i32>],
    pub extra: Option<String>,
}

/// Data of one COPY.
pub(crate) struct CopyRows(Vec<u8>);

impl CopyRows {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        let mut data = Vec::with_capacity(64 + rows * 200);
        data.extend_from_slice(SIGNATURE);
        data.extend_from_slice(&[0; 8]); // flags, length of the header's extension
        Self(data)
    }

    pub(crate) fn push(&mut self, row: &CopyRow<'_>) {
        self.0.extend_from_slice(&FIELDS.to_be_bytes());
        self.field(&row.appliance.to_be_bytes());
        self.field(&row.ingest_no.to_be_bytes());
        self.time(row.at);
        self.time(row.received_at);
        self.maybe(row.sequence.map(|(boot, _, _)| boot.to_be_bytes()));
        self.maybe(row.sequence.map(|(_, _, seq)| seq.to_be_bytes()));
        self.field(&row.tenant_no.to_be_bytes());
        self.field(&row.partition.to_be_bytes());
        self.field(&row.profile_no.to_be_bytes());
        self.maybe(row.sequence.map(|(_, lane, _)| lane.to_be_bytes()));
        self.field(row.trace.0.as_bytes());
        self.integers(row.values);
        match &row.extra {
            Some(extra) => {
                self.length(extra.len() + 1);
                self.0.push(JSONB_VERSION);
                self.0.extend_from_slice(extra.as_bytes());
            }
            None => self.null(),
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&(-1i16).to_be_bytes());
        self.0
    }

    fn time(&mut self, at: Timestamp) {
        self.field(&(at.as_microsecond() - EPOCH_US).to_be_bytes());
    }

    fn integers(&mut self, values: &[Option<i32>]) {
        let start = self.0.len();
        self.length(0);
        let has_null = i32::from(values.contains(&None));
        let dimensions = i32::from(!values.is_empty());
        for number in [dimensions, has_null, INT4_OID] {
            self.0.extend_from_slice(&number.to_be_bytes());
        }
        if !values.is_empty() {
            self.length(values.len());
            self.0.extend_from_slice(&1i32.to_be_bytes()); // the first index
        }
        for value in values {
            match value {
                Some(value) => self.field(&value.to_be_bytes()),
                None => self.null(),
            }
        }
        let length = i32::try_from(self.0.len() - start - 4).unwrap_or(i32::MAX);
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn maybe<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        match bytes {
            Some(bytes) => self.field(&bytes),
            None => self.null(),
        }
    }

    fn null(&mut self) {
        self.0.extend_from_slice(&(-1i32).to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        // A payload is bounded far below this by the broker.
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}
