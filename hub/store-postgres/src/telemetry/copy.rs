//! Rows on their way into `telemetry`: a few as the parameters of one statement ([`super::insert`]), which is one round trip;
//! many in PostgreSQL's binary COPY format (manual, section "COPY", "Binary Format"), which is two and costs less for each
//! row.

use super::columns::COLUMNS;
use super::fields::Fields;
use super::insert;
use futures::join;
use hub_core::id::TraceId;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::fmt::Write;
use std::sync::OnceLock;

/// Columns of every row, before and behind those of its values: all in the table's order.
const BEFORE: &str = "appliance, ingest_no, at, received_at, boot, seq, trace_high, trace_low, tenant_no";
const BEHIND: &str = "partition, profile_no, lane";
const OF_EVERY_ROW: i16 = 12;

pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// One row of `telemetry`.
pub(super) struct CopyRow<'a> {
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

/// Which columns a statement names: what no row of it has is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Channels with a column of their own, from the first on; at most [`COLUMNS`].
    pub(super) values: usize,
    pub(super) has_more: bool,
    pub(super) has_extra: bool,
}

/// Statements that store rows of one shape: made once, since a device that waits for its acknowledgement would wait for that
/// as well.
pub(super) struct Texts {
    pub(super) one: OnceLock<String>,
    copy: OnceLock<String>,
}

impl Texts {
    const fn new() -> Self {
        Self {
            one: OnceLock::new(),
            copy: OnceLock::new(),
        }
    }
}

/// By how many values have columns, and by which of the other columns are there.
static TEXTS: [[Texts; 4]; COLUMNS + 1] = [const { [const { Texts::new() }; 4] }; COLUMNS + 1];

impl Shape {
    fn of(rows: &[CopyRow<'_>]) -> Self {
        let longest = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
        Self {
            values: longest.min(COLUMNS),
            has_more: longest > COLUMNS,
            has_extra: rows.iter().any(|row| row.extra.is_some()),
        }
    }

    /// With every column that there is.
    pub(super) const WHOLE: Self = Self {
        values: COLUMNS,
        has_more: true,
        has_extra: true,
    };

    pub(super) fn columns(self) -> String {
        let mut columns = BEFORE.to_owned();
        for id in 1..=self.values {
            // Writing to a string does not fail.
            let _ = write!(columns, ", c{id}");
        }
        columns = columns + ", " + BEHIND;
        for (name, is_there) in [("more", self.has_more), ("extra", self.has_extra)] {
            if is_there {
                columns = columns + ", " + name;
            }
        }
        columns
    }

    /// What a COPY of these rows writes. To read a list of columns takes the server as long as eighty rows' nulls.
    fn of_copy(rows: &[CopyRow<'_>]) -> Self {
        if rows.len() <= UNNAMED_MAX {
            Self::WHOLE
        } else {
            Self::of(rows)
        }
    }

    fn statement(self) -> String {
        let columns = (self != Self::WHOLE).then(|| format!(" ({})", self.columns()));
        format!(
            "copy telemetry{} from stdin with (format binary)",
            columns.unwrap_or_default()
        )
    }

    /// Where the texts of this shape are kept.
    pub(super) fn texts(self) -> &'static Texts {
        &TEXTS[self.values][usize::from(self.has_more) + 2 * usize::from(self.has_extra)]
    }

    pub(super) fn fields(self) -> i16 {
        // At most 46.
        OF_EVERY_ROW + self.values as i16 + i16::from(self.has_more) + i16::from(self.has_extra)
    }
}

/// Rows that are made while the server takes in those before them.
const ROWS_OF_A_PIECE: usize = 500;
/// With up to so many rows a COPY names no columns, and each row has all.
const UNNAMED_MAX: usize = 80;
/// Room for a row with a value in each column, but for what is in lists and texts.
const ROW_BYTES: usize = 400;

/// Stores these rows, in their order.
pub(super) async fn store(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    match rows {
        [row] if row.values.len() <= COLUMNS => insert::one(conn, row, Shape::of(rows)).await,
        _ if rows.len() <= insert::ROWS_MAX => insert::few(conn, rows).await,
        _ => copy(conn, rows).await,
    }
}

/// Stores these rows by COPY, in their order.
pub(super) async fn copy(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let shape = Shape::of_copy(rows);
    let statement = shape.texts().copy.get_or_init(|| shape.statement());
    let mut pieces = pieces(rows, shape);
    // The first rows are made while the server reads the statement.
    let (copy, first) = join!(conn.copy_in_raw(statement), async { pieces.next() });
    let mut copy = copy?;
    for piece in first.into_iter().chain(pieces) {
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
        let mut data = Vec::with_capacity(rows.len() * ROW_BYTES + 32);
        if piece == 0 {
            data.extend_from_slice(SIGNATURE);
            data.extend_from_slice(&[0; 8]); // flags, length of the header's extension
        }
        for row in rows {
            data.extend_from_slice(&shape.fields().to_be_bytes());
            Fields::of_copy(&mut data).push(row, shape);
        }
        if piece == last {
            data.extend_from_slice(&(-1i16).to_be_bytes());
        }
        data
    })
}

/// The data of a COPY whose rows have every column.
#[cfg(test)]
pub(super) fn whole(rows: &[CopyRow<'_>]) -> Vec<u8> {
    pieces(rows, Shape::WHOLE).flatten().collect()
}

/// Columns of `telemetry`.
pub(super) const FIELDS: usize = OF_EVERY_ROW as usize + COLUMNS + 2;
