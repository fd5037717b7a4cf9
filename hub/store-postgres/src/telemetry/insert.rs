//! A few rows as the parameters of one statement: of one row alone they are values, which costs the database less than lists;
//! of several they are lists, one a column.
//!
//! All values as one list that the statement takes apart by place was slower (26,000 instead of 34,000 readings a second with 20 in
//! flight).

use super::columns::halves;
use super::copy::{CopyRow, Shape};
use crate::row::sql;
use sqlx::PgConnection;

/// With more rows, a COPY is quicker.
const ROWS_MAX: usize = 8;

/// The types of the columns that every row has, in order.
const TYPES: [&str; 12] = [
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

/// Whether one statement is the quickest way for these rows. A list of lists cannot be taken apart in SQL.
pub(super) fn is_few(rows: &[CopyRow<'_>], shape: Shape) -> bool {
    !shape.has_more && rows.len() <= ROWS_MAX
}

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

/// Stores several rows, in their order.
pub(super) async fn few(conn: &mut PgConnection, rows: &[CopyRow<'_>], shape: Shape) -> sqlx::Result<()> {
    fn each<'a, T>(rows: &'a [CopyRow<'a>], value: impl Fn(&CopyRow<'a>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let sequence = |row: &CopyRow<'_>| row.sequence;
    let mut query = sqlx::query(shape.texts().few.get_or_init(|| statement_of_few(shape)))
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

/// The types of the columns of a shape, in order.
fn types(shape: Shape) -> impl Iterator<Item = &'static str> {
    let values = std::iter::repeat_n("integer", shape.values);
    TYPES.into_iter().chain(values).chain(shape.has_extra.then_some("text"))
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

/// The statement whose parameters are lists, one a column.
fn statement_of_few(shape: Shape) -> String {
    let arrays = (1..).zip(types(shape));
    let arrays: Vec<String> = arrays.map(|(at, name)| format!("${at}::{name}[]")).collect();
    let columns = shape.columns();
    let read = columns
        .strip_suffix("extra")
        .map_or_else(|| columns.clone(), |rest| format!("{rest}extra::jsonb"));
    format!(
        "insert into telemetry ({columns}) select {read} from unnest({}) as k ({columns})",
        arrays.join(", ")
    )
}
