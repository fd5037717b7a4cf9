//! A few rows as parameters of one statement: of one row alone they are its values, which costs the database least; several
//! rows are one list of composite values. A list for each column is slower (a set for each is made and joined), and so is
//! one list of all values that the statement takes apart by place.

use super::columns::halves;
use super::fields::Fields;
use super::row::{CopyRow, Shape};
use crate::row::sql;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{PgConnection, Postgres, Type};

/// With more rows, the second round trip of a COPY costs less than what it saves for each row.
pub(super) const ROWS_MAX: usize = 10;
/// Room for a row with a value in each column, but for what is in lists and texts.
const ROW_BYTES: usize = 600;
/// The table's own type: its fields are the columns.
const ROW_TYPE: &str = "telemetry";
/// Several rows, each with every column.
const FEW: &str = "insert into telemetry select * from unnest($1::telemetry[])";

/// The types of the columns that every row has, before and behind those of its values, in order.
const TYPES: [&str; 9] = [
    "bigint",
    "bigint",
    "timestamptz",
    "timestamptz",
    "bigint",
    "bigint",
    "bigint",
    "bigint",
    "integer",
];
const TYPES_BEHIND: [&str; 3] = ["smallint", "smallint", "smallint"];

/// Stores one row.
pub(super) async fn one(conn: &mut PgConnection, row: &CopyRow<'_>, shape: Shape) -> sqlx::Result<()> {
    let (trace_high, trace_low) = halves(row.trace.0);
    let mut query = sqlx::query(shape.texts().one.get_or_init(|| statement_of_one(shape)))
        .bind(row.appliance)
        .bind(row.ingest_no)
        .bind(sql(row.at))
        .bind(sql(row.received_at))
        .bind(row.sequence.map(|(boot, _, _)| boot))
        .bind(row.sequence.map(|(_, _, seq)| seq))
        .bind(trace_high)
        .bind(trace_low)
        .bind(row.tenant_no);
    for place in 0..shape.values {
        query = query.bind(row.values.get(place).copied().flatten());
    }
    query = query
        .bind(row.partition)
        .bind(row.profile_no)
        .bind(row.sequence.map(|(_, lane, _)| lane));
    if shape.has_extra {
        query = query.bind(row.extra.as_deref());
    }
    query.execute(conn).await.map(drop)
}

/// Stores several rows, in their order.
pub(super) async fn few(conn: &mut PgConnection, rows: &[CopyRow<'_>]) -> sqlx::Result<()> {
    let rows: Vec<Record<'_>> = rows.iter().map(Record).collect();
    sqlx::query(FEW).bind(rows).execute(conn).await.map(drop)
}

/// A row as one value of the table's type.
struct Record<'a>(&'a CopyRow<'a>);

impl Type<Postgres> for Record<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name(ROW_TYPE)
    }
}

impl PgHasArrayType for Record<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of(ROW_TYPE)
    }
}

impl<'q> Encode<'q, Postgres> for Record<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.reserve(ROW_BYTES);
        buffer.extend_from_slice(&i32::from(Shape::WHOLE.fields()).to_be_bytes());
        Fields::of_record(buffer).push(self.0, Shape::WHOLE);
        Ok(IsNull::No)
    }
}

/// The types of the columns of a shape, in order.
fn types(shape: Shape) -> impl Iterator<Item = &'static str> {
    let values = std::iter::repeat_n("integer", shape.values);
    let extra = shape.has_extra.then_some("text");
    TYPES.into_iter().chain(values).chain(TYPES_BEHIND).chain(extra)
}

/// The statement whose parameters are one row.
fn statement_of_one(shape: Shape) -> String {
    let values = (1..).zip(types(shape)).map(|(at, name)| match name {
        "text" => format!("${at}::text::jsonb"),
        name => format!("${at}::{name}"),
    });
    let values: Vec<String> = values.collect();
    format!(
        "insert into telemetry ({}) values ({})",
        shape.columns(),
        values.join(", ")
    )
}
