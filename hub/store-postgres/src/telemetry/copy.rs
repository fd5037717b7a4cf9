//! Rows on their way into `telemetry`: a few as the parameters of one statement ([`super::insert`]), which is one round trip;
//! many in PostgreSQL's binary COPY format (manual, section "COPY", "Binary Format"), which is two and costs less for each
//! row.

use super::columns::COLUMNS;
use super::fields::Fields;
use super::insert;
use super::row::{CopyRow, Shape};
use futures::join;
use sqlx::PgConnection;

pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Rows that are made while the server takes in those before them.
const ROWS_OF_A_PIECE: usize = 500;
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
