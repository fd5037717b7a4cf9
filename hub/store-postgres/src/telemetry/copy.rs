//! Rows on their way into `telemetry`: a few as the parameters of one statement, which is one round trip (of one row alone they
//! are values, which costs the database less than lists); many in PostgreSQL's binary COPY format (manual, section "COPY",
//! "Binary Format"), which is two and costs less for each row.

use super::columns::{COLUMNS as COLUMNS_OF_VALUES, halves};
use crate::row::sql;
use hub_core::id::TraceId;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::fmt::Write;

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
struct Shape {
    /// Channels with a column of their own, from the first on.
    values: usize,
    has_more: bool,
    has_extra: bool,
}

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

    fn columns(self) -> String {
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

    /// The types of the columns, in order.
    fn types(self) -> impl Iterator<Item = &'static str> {
        let own = [
            "bigint",
            "bigint",
            "timestamptz",
            "timestamptz",
            "bigint",
            "bigint",
            "bigint",
            "bigint",
            "integer",
            "smallint",
            "smallint",
            "smallint",
        ];
        own.into_iter()
            .chain(std::iter::repeat_n("integer", self.values))
            .chain(self.has_extra.then_some("text"))
    }

    /// The statement whose parameters are one row.
    fn insertion_of_one(self) -> String {
        let values = self.types().enumerate().map(|(at, name)| match name {
            "text" => format!("${}::text::jsonb", at + 1),
            name => format!("${}::{name}", at + 1),
        });
        let values: Vec<String> = values.collect();
        format!(
            "insert into telemetry ({}) values ({})",
            self.columns(),
            values.join(", ")
        )
    }

    /// The statement whose parameters are arrays, one a column.
    fn insertion(self) -> String {
        let arrays = self.types().enumerate();
        let arrays: Vec<String> = arrays.map(|(at, name)| format!("${}::{name}[]", at + 1)).collect();
        let columns = self.columns();
        let read = columns
            .strip_suffix("extra")
            .map_or_else(|| columns.clone(), |rest| format!("{rest}extra::jsonb"));
        format!(
            "insert into telemetry ({columns}) select {read} from unnest({}) as k ({columns})",
            arrays.join(", ")
        )
    }

    fn fields(self) -> i16 {
        // At most 46.
        COLUMNS_COUNT + self.values as i16 + i16::from(self.has_more) + i16::from(self.has_extra)
    }
}

/// Rows that are made while the server takes in those before them.
const ROWS_OF_A_PIECE: usize = 500;

/// As many rows are stored by one statement at most: with more, a COPY is quicker.
const INSERTED_MAX: usize = 8;

/// Stores these rows, in their order.
pub(crate) async fn store(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let shape = Shape::of(rows);
    // An array of arrays cannot be taken apart in SQL.
    match rows {
        _ if rows.len() > INSERTED_MAX || shape.has_more => copy(conn, rows).await,
        [row] => insert_one(conn, row, shape).await,
        _ => insert(conn, rows, shape).await,
    }
}

async fn insert_one(conn: &mut PgConnection, row: &CopyRow<'_>, shape: Shape) -> sqlx::Result<()> {
    let statement = shape.insertion_of_one();
    let (trace_high, trace_low) = halves(row.trace.0);
    let mut query = sqlx::query(&statement)
        .bind(row.appliance)
        .bind(row.ingest_no)
        .bind(sql(row.at))
        .bind(sql(row.received_at))
        .bind(row.sequence.map(|(boot, _, _)| boot))
        .bind(row.sequence.map(|(_, _, seq)| seq))
        .bind(trace_high)
        .bind(trace_low)
        .bind(row.tenant_no)
        .bind(row.partition)
        .bind(row.profile_no)
        .bind(row.sequence.map(|(_, lane, _)| lane));
    for place in 0..shape.values {
        query = query.bind(row.values.get(place).copied().flatten());
    }
    if shape.has_extra {
        query = query.bind(row.extra.as_deref());
    }
    query.execute(conn).await.map(drop)
}

async fn insert(conn: &mut PgConnection, rows: &[CopyRow<'_>], shape: Shape) -> sqlx::Result<()> {
    fn each<'a, T>(rows: &'a [CopyRow<'a>], value: impl Fn(&CopyRow<'a>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let statement = shape.insertion();
    let sequence = |row: &CopyRow<'_>| row.sequence;
    let mut query = sqlx::query(&statement)
        .bind(each(rows, |row| row.appliance))
        .bind(each(rows, |row| row.ingest_no))
        .bind(each(rows, |row| sql(row.at)))
        .bind(each(rows, |row| sql(row.received_at)))
        .bind(each(rows, |row| sequence(row).map(|(boot, _, _)| boot)))
        .bind(each(rows, |row| sequence(row).map(|(_, _, seq)| seq)))
        .bind(each(rows, |row| halves(row.trace.0).0))
        .bind(each(rows, |row| halves(row.trace.0).1))
        .bind(each(rows, |row| row.tenant_no))
        .bind(each(rows, |row| row.partition))
        .bind(each(rows, |row| row.profile_no))
        .bind(each(rows, |row| sequence(row).map(|(_, lane, _)| lane)));
    for place in 0..shape.values {
        query = query.bind(each(rows, |row| row.values.get(place).copied().flatten()));
    }
    if shape.has_extra {
        query = query.bind(each(rows, |row| row.extra.clone()));
    }
    query.execute(conn).await.map(drop)
}

/// Stores these rows by COPY, in their order.
pub(crate) async fn copy(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let shape = Shape::of(rows);
    let mut copy = conn.copy_in_raw(&shape.statement()).await?;
    for piece in pieces(rows, shape) {
        copy.send(piece).await?;
    }
    copy.finish().await.map(drop)
}

/// The data of a COPY: a header, the rows, and the end.
fn pieces(rows: &[CopyRow<'_>], shape: Shape) -> impl Iterator<Item = Vec<u8>> {
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[0; 8]); // flags, length of the header's extension
    let rows = rows.chunks(ROWS_OF_A_PIECE).map(move |rows| {
        let mut data = Data(Vec::with_capacity(rows.len() * 256));
        for row in rows {
            data.push(row, shape);
        }
        data.0
    });
    std::iter::once(header)
        .chain(rows)
        .chain([(-1i16).to_be_bytes().to_vec()])
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
