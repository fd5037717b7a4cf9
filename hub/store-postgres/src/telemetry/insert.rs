//! A few rows as the parameters of one statement.
//!
//! Their values are one array, row by row, which the statement takes apart by place: for a parameter a value the server would
//! look up a type each, for an array a column it would call a function each, and both cost more than the row itself.

use super::columns::halves;
use super::copy::{CopyRow, Shape};
use crate::row::sql;
use sqlx::PgConnection;
use std::fmt::Write;

/// With more rows, a COPY is quicker.
const ROWS_MAX: usize = 40;
/// The same where values are missing: then the server walks through the array to find a value.
const ROWS_WITH_HOLES_MAX: usize = 8;

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
/// Number of the parameter that says where the values of a row begin.
const BASE: usize = TYPES.len() + 1;
/// Number of the parameter with the values of several rows.
const VALUES: usize = BASE + 1;
/// Number of the parameter with what several rows have besides.
const EXTRA: usize = VALUES + 1;

/// Whether one statement is the quickest way for these rows. Values without a column of their own have no place in it.
pub(super) fn is_few(rows: &[CopyRow<'_>], shape: Shape) -> bool {
    let is_full = |row: &CopyRow<'_>| row.values.len() == shape.values && !row.values.contains(&None);
    !shape.has_more && (rows.len() <= ROWS_WITH_HOLES_MAX || rows.len() <= ROWS_MAX && rows.iter().all(is_full))
}

/// Stores one row, which costs the server less as values than as lists of one.
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
        .bind(row.sequence.map(|(_, lane, _)| lane))
        .bind(row.values);
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
    // A few rows of at most 32 values.
    let bases: Vec<i32> = (0..rows.len()).map(|row| (row * shape.values) as i32).collect();
    let mut values = Vec::with_capacity(rows.len() * shape.values);
    for row in rows {
        let missing = shape.values.saturating_sub(row.values.len());
        values.extend_from_slice(row.values);
        values.extend(std::iter::repeat_n(None, missing));
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
        .bind(each(rows, |row| sequence(row).map(|(_, lane, _)| lane)))
        .bind(bases)
        .bind(values);
    if shape.has_extra {
        query = query.bind(each(rows, |row| row.extra.clone()));
    }
    query.execute(conn).await.map(drop)
}

/// Parameters: each column, an array with all values, the text of what is there besides.
fn statement_of_one(shape: Shape) -> String {
    let mut given: Vec<String> = (1..).zip(TYPES).map(|(at, name)| format!("${at}::{name}")).collect();
    let values = TYPES.len() + 1;
    given.extend((1..=shape.values).map(|id| format!("(${values}::integer[])[{id}]")));
    if shape.has_extra {
        given.push(format!("${}::text::jsonb", values + 1));
    }
    format!(
        "insert into telemetry ({}) values ({})",
        shape.columns(),
        given.join(", ")
    )
}

/// Parameters: an array for each column, one of where each row's values begin, one of all values, one of texts.
fn statement_of_few(shape: Shape) -> String {
    let names = Shape::default().columns();
    let mut columns = names.clone() + ", base";
    let mut read = names;
    let mut arrays: Vec<String> = (1..).zip(TYPES).map(|(at, name)| format!("${at}::{name}[]")).collect();
    arrays.push(format!("${BASE}::integer[]"));
    for id in 1..=shape.values {
        // Writing to a string does not fail.
        let _ = write!(read, ", (${VALUES}::integer[])[base + {id}]");
    }
    if shape.has_extra {
        columns += ", extra";
        read += ", extra::jsonb";
        arrays.push(format!("${EXTRA}::text[]"));
    }
    format!(
        "insert into telemetry ({}) select {read} from unnest({}) as k ({columns})",
        shape.columns(),
        arrays.join(", ")
    )
}
