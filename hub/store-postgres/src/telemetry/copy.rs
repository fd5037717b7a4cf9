//! Rows on their way into `telemetry`: a few as the parameters of one statement ([`super::insert`]), which is one round trip;
//! many in PostgreSQL's binary COPY format (manual, section "COPY", "Binary Format"), which is two and costs less for each
//! row.

use super::columns::{COLUMNS as COLUMNS_OF_VALUES, halves};
use super::insert;
use hub_core::id::TraceId;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::fmt::Write;
use std::sync::OnceLock;

/// Columns of every row; those of its values follow.
const COLUMNS: &str =
    "appliance, ingest_no, at, received_at, boot, seq, trace_high, trace_low, tenant_no, partition, profile_no, lane";
const COLUMNS_COUNT: i16 = 12;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// 2000-01-01 in microseconds of the Unix epoch.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Type id of `integer`, the element of `more`.
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

/// Which columns a COPY names: what no row of it has is left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// Channels with a column of their own, from the first on; at most [`COLUMNS_OF_VALUES`].
    pub(super) values: usize,
    pub(super) has_more: bool,
    pub(super) has_extra: bool,
}

/// Statements that store rows of one shape: made once, since a device that waits for its acknowledgement would wait for that
/// as well.
pub(super) struct Texts {
    pub(super) one: OnceLock<String>,
    pub(super) few: OnceLock<String>,
    copy: OnceLock<String>,
}

impl Texts {
    const fn new() -> Self {
        Self {
            one: OnceLock::new(),
            few: OnceLock::new(),
            copy: OnceLock::new(),
        }
    }
}

/// By how many values have columns, and by which of the other columns are there.
static TEXTS: [[Texts; 4]; COLUMNS_OF_VALUES + 1] = [const { [const { Texts::new() }; 4] }; COLUMNS_OF_VALUES + 1];

impl Shape {
    fn of(rows: &[CopyRow<'_>]) -> Self {
        let longest = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
        Self {
            values: longest.min(COLUMNS_OF_VALUES),
            has_more: longest > COLUMNS_OF_VALUES,
            has_extra: rows.iter().any(|row| row.extra.is_some()),
        }
    }

    /// With every column that there is.
    const WHOLE: Self = Self {
        values: COLUMNS_OF_VALUES,
        has_more: true,
        has_extra: true,
    };

    pub(super) fn columns(self) -> String {
        let mut columns = COLUMNS.to_owned();
        for id in 1..=self.values {
            // Writing to a string does not fail.
            let _ = write!(columns, ", c{id}");
        }
        for (name, is_there) in [("more", self.has_more), ("extra", self.has_extra)] {
            if is_there {
                columns = columns + ", " + name;
            }
        }
        columns
    }

    fn statement(self) -> String {
        format!("copy telemetry ({}) from stdin with (format binary)", self.columns())
    }

    /// Where the texts of this shape are kept.
    pub(super) fn texts(self) -> &'static Texts {
        &TEXTS[self.values][usize::from(self.has_more) + 2 * usize::from(self.has_extra)]
    }

    fn fields(self) -> i16 {
        // At most 46.
        COLUMNS_COUNT + self.values as i16 + i16::from(self.has_more) + i16::from(self.has_extra)
    }
}

/// Rows that are made while the server takes in those before them.
const ROWS_OF_A_PIECE: usize = 500;

/// Stores these rows, in their order.
pub(crate) async fn store(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let shape = Shape::of(rows);
    match rows {
        [row] if !shape.has_more => insert::one(conn, row, shape).await,
        _ if insert::is_few(rows, shape) => insert::few(conn, rows, shape).await,
        _ => copy(conn, rows).await,
    }
}

/// Stores these rows by COPY, in their order.
pub(crate) async fn copy(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let shape = Shape::of(rows);
    let statement = shape.texts().copy.get_or_init(|| shape.statement());
    let mut copy = conn.copy_in_raw(statement).await?;
    for piece in pieces(rows, shape) {
        copy.send(piece).await?;
    }
    copy.finish().await.map(drop)
}

/// The data of a COPY: a header, the rows, and the end. Each piece wakes the server, so a short batch is one piece.
fn pieces(rows: &[CopyRow<'_>], shape: Shape) -> impl Iterator<Item = Vec<u8>> {
    let last = rows.len().saturating_sub(1) / ROWS_OF_A_PIECE;
    (0..=last).map(move |piece| {
        let from = piece * ROWS_OF_A_PIECE;
        let rows = &rows[from..rows.len().min(from + ROWS_OF_A_PIECE)];
        let mut data = Data(Vec::with_capacity(rows.len() * 256 + 32));
        if piece == 0 {
            data.0.extend_from_slice(SIGNATURE);
            data.0.extend_from_slice(&[0; 8]); // flags, length of the header's extension
        }
        for row in rows {
            data.push(row, shape);
        }
        if piece == last {
            data.0.extend_from_slice(&(-1i16).to_be_bytes());
        }
        data.0
    })
}

/// The data of a COPY that names every column.
#[cfg(test)]
pub(crate) fn whole(rows: &[CopyRow<'_>]) -> Vec<u8> {
    pieces(rows, Shape::WHOLE).flatten().collect()
}

/// Every column of `telemetry`, as a COPY names them whose rows have all.
pub(crate) fn columns() -> String {
    Shape::WHOLE.columns()
}

/// How many that are.
pub(crate) const FIELDS: usize = COLUMNS_COUNT as usize + COLUMNS_OF_VALUES + 2;

struct Data(Vec<u8>);

impl Data {
    fn push(&mut self, row: &CopyRow<'_>, shape: Shape) {
        self.0.extend_from_slice(&shape.fields().to_be_bytes());
        self.field(&row.appliance.to_be_bytes());
        self.field(&row.ingest_no.to_be_bytes());
        self.time(row.at);
        self.time(row.received_at);
        self.maybe(row.sequence.map(|(boot, _, _)| boot.to_be_bytes()));
        self.maybe(row.sequence.map(|(_, _, seq)| seq.to_be_bytes()));
        let (high, low) = halves(row.trace.0);
        self.field(&high.to_be_bytes());
        self.field(&low.to_be_bytes());
        self.field(&row.tenant_no.to_be_bytes());
        self.field(&row.partition.to_be_bytes());
        self.field(&row.profile_no.to_be_bytes());
        self.maybe(row.sequence.map(|(_, lane, _)| lane.to_be_bytes()));
        let own = row.values.iter().copied().chain(std::iter::repeat(None));
        for value in own.take(shape.values) {
            self.maybe(value.map(i32::to_be_bytes));
        }
        if shape.has_more {
            match row.values.get(COLUMNS_OF_VALUES..).filter(|more| !more.is_empty()) {
                Some(more) => self.integers(more),
                None => self.null(),
            }
        }
        if shape.has_extra {
            match &row.extra {
                Some(extra) => {
                    self.length(extra.len() + 1);
                    self.0.push(JSONB_VERSION);
                    self.0.extend_from_slice(extra.as_bytes());
                }
                None => self.null(),
            }
        }
    }

    fn time(&mut self, at: Timestamp) {
        self.field(&(at.as_microsecond() - EPOCH_US).to_be_bytes());
    }

    fn integers(&mut self, values: &[Option<i32>]) {
        let start = self.0.len();
        self.length(0);
        let has_null = i32::from(values.contains(&None));
        for number in [1, has_null, INT4_OID] {
            self.0.extend_from_slice(&number.to_be_bytes());
        }
        self.length(values.len());
        self.0.extend_from_slice(&1i32.to_be_bytes()); // the first index
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
