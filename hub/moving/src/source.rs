//! Reading a database: one connection with settings of its own, rows as they come.

use crate::error::{MoveError, Result, database};
use crate::record;
use crate::tables::{Column, TELEMETRY, Table};
use crate::text::{CopyLines, fields};
use futures::TryStreamExt;
use hub_store_postgres::{TelemetryRow, TelemetryTuples};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor, PgConnection};

/// Settings by which values are written the same way everywhere, and by which nothing long is cut off.
const SETTINGS: &str = "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set bytea_output = 'hex'; \
     set extra_float_digits = 1; set statement_timeout = 0; set lock_timeout = '10s'; \
     set idle_in_transaction_session_timeout = 0";

/// A connection for moving.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connected = async {
        let mut conn = options.clone().application_name("forecall move").connect().await?;
        conn.execute(SETTINGS).await?;
        Ok(conn)
    };
    connected.await.map_err(database("connecting"))
}

/// Which database this is: the server's own name for itself, as far as it tells, and the database's number in it.
pub(crate) async fn identity(conn: &mut PgConnection) -> Result<String> {
    let tells: bool = sqlx::query_scalar("select has_function_privilege('pg_control_system()', 'execute')")
        .fetch_one(&mut *conn)
        .await
        .map_err(database("asking which it is"))?;
    let system = match tells {
        true => "(select system_identifier::text from pg_control_system())",
        false => "''",
    };
    sqlx::query_scalar(&format!(
        "select {system} || '/' || oid from pg_database where datname = current_database()"
    ))
    .fetch_one(conn)
    .await
    .map_err(database("asking which it is"))
}

/// Everything that is read until the end is of one moment.
pub(crate) async fn begin_snapshot(conn: &mut PgConnection) -> Result<()> {
    let begun = conn.execute("begin isolation level repeatable read, read only").await;
    begun.map(drop).map_err(database("beginning to read"))
}

pub(crate) async fn end_snapshot(conn: &mut PgConnection) -> Result<()> {
    conn.execute("commit")
        .await
        .map(drop)
        .map_err(database("ending to read"))
}

/// Which rows of telemetry.
pub(crate) struct Range<'a> {
    /// From and to, in microseconds of the Unix epoch.
    pub(crate) slice: (i64, i64),
    /// Not beyond these numbers, by number of partition.
    pub(crate) heads: &'a [i64],
    /// Not up to this partition and number.
    pub(crate) after: Option<(i16, i64)>,
}

/// Gives every row of a table to `each`, as JSON.
pub(crate) async fn rows(
    conn: &mut PgConnection,
    table: &Table,
    ordered: bool,
    mut each: impl FnMut(String) -> Result<()>,
) -> Result<()> {
    let columns = table.columns();
    let order = if ordered {
        format!(" order by {}", table.key)
    } else {
        String::new()
    };
    let statement = format!("copy (select {} from {}{order}) to stdout", table.names(), table.name);
    let what = || database(format!("reading {}", table.name));
    let mut stream = conn.copy_out_raw(&statement).await.map_err(what())?;
    let mut lines = CopyLines::default();
    while let Some(piece) = stream.try_next().await.map_err(what())? {
        let mut done = Ok(());
        lines.push(&piece, |line| {
            if done.is_ok() {
                done = json(table, &columns, line).and_then(&mut each);
            }
        });
        done?;
    }
    Ok(())
}

fn json(table: &Table, columns: &[Column], line: &[u8]) -> Result<String> {
    let fields = fields(line).filter(|fields| fields.len() == columns.len());
    let fields = fields.ok_or_else(|| MoveError::Row {
        table: table.name.to_owned(),
        what: "the database sent a row that does not read".to_owned(),
    })?;
    Ok(record::to_json(columns, &fields))
}

/// Gives rows of telemetry to `each`: those of a range in the order of their numbers, or all as they lie.
pub(crate) async fn telemetry(
    conn: &mut PgConnection,
    range: Option<&Range<'_>>,
    mut each: impl FnMut(&TelemetryRow) -> Result<()>,
) -> Result<()> {
    let chosen = match range {
        Some(range) => chosen(range)?,
        None => String::new(),
    };
    let statement = TelemetryTuples::statement(&chosen);
    let what = || database("reading telemetry");
    let mut stream = conn.copy_out_raw(&statement).await.map_err(what())?;
    let (mut tuples, mut rows) = (TelemetryTuples::default(), Vec::new());
    while let Some(piece) = stream.try_next().await.map_err(what())? {
        tuples.push(&piece, &mut rows).map_err(|what| MoveError::Row {
            table: TELEMETRY.to_owned(),
            what,
        })?;
        rows.iter().try_for_each(&mut each)?;
        rows.clear();
    }
    Ok(())
}

fn chosen(range: &Range<'_>) -> Result<String> {
    let heads: Vec<String> = range.heads.iter().map(i64::to_string).collect();
    let after = match range.after {
        Some((partition, ingest_no)) => format!(" and (partition, ingest_no) > ({partition}, {ingest_no})"),
        None => String::new(),
    };
    Ok(format!(
        "where at >= '{}' and at < '{}' and ingest_no <= ('{{{}}}'::bigint[])[partition + 1]{after} \
         order by partition, ingest_no",
        moment(range.slice.0)?,
        moment(range.slice.1)?,
        heads.join(",")
    ))
}

fn moment(microseconds: i64) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(microseconds).map_err(|error| MoveError::Row {
        table: TELEMETRY.to_owned(),
        what: format!("a row is of a time that the hub does not know ({error})"),
    })
}
