//! Putting an export into an empty database: every file is one transaction, which also notes that the file is in. A cut
//! import goes on with the files that are not noted; until it is whole, no hub works on the database.

use crate::error::{MoveError, Result, changed, database};
use crate::manifest::{FileEntry, TableEntry};
use crate::reading::{ExportFolder, Lines, table_of};
use crate::seal::Content;
use crate::tables::{TABLES, TELEMETRY, Table};
use crate::telemetry::ParquetIn;
use crate::text::Fields;
use crate::{Moved, progress, record, source};
use hub_store::lease::LeaseStore;
use hub_store_postgres::{Layout, PostgresStore, Progress, TelemetryRow};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Connection, PgConnection};
use std::collections::{BTreeSet, HashSet};

/// Rows of one insert, at most.
const BATCH_ROWS: usize = 1_000;
/// Bytes of one insert, about.
const BATCH_BYTES: usize = 4 << 20;
const DAY_S: i64 = 86_400;

struct Import<'a> {
    from: &'a ExportFolder,
    store: &'a PostgresStore,
    conn: PgConnection,
    /// Names of files that are in.
    done: HashSet<String>,
    tell: &'a mut (dyn FnMut(Progress<'_>) + Send),
}

/// Puts an export into this database, which must be empty but for a part of the same export. Run again after a cut, it
/// goes on. Nobody else may work on the database meanwhile.
///
/// # Errors
///
/// Where the database holds anything else, a file is not as it was written, or the database fails.
pub async fn import(
    store: &PostgresStore,
    from: &ExportFolder,
    now: Timestamp,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Moved> {
    if store.take_lease(now).await?.is_none() {
        return Err(MoveError::HubRuns);
    }
    let mut conn = source::connect(&store.connect_options()).await?;
    begin(&mut conn, from, now).await?;
    let done: Vec<String> = sqlx::query_scalar("select name from import_file")
        .fetch_all(&mut conn)
        .await
        .map_err(database("asking how far the import is"))?;
    let mut import = Import {
        from,
        store,
        conn,
        done: done.into_iter().collect(),
        tell,
    };
    for entry in &from.manifest.tables {
        for file in &entry.files {
            if !import.done.contains(&file.name) {
                import.file(entry, file).await?;
            }
        }
    }
    import.finish(now).await?;
    Ok(Moved::of(&from.manifest))
}

/// Notes which export this will be, in a database that is empty; or finds that it is the same.
async fn begin(conn: &mut PgConnection, from: &ExportFolder, now: Timestamp) -> Result<()> {
    let what = || database("looking whether the target is empty");
    let begun: Option<uuid::Uuid> = sqlx::query_scalar("select export from import where finished_at is null")
        .fetch_optional(&mut *conn)
        .await
        .map_err(what())?;
    match begun {
        Some(export) if export == from.id() => return Ok(()),
        Some(export) => return Err(MoveError::OtherImport(export)),
        None => {}
    }
    let names = TABLES.iter().filter(|table| !table.seeded).map(|table| table.name);
    for name in names.chain([TELEMETRY]) {
        let some: bool = sqlx::query_scalar(&format!("select exists (select from {name})"))
            .fetch_one(&mut *conn)
            .await
            .map_err(what())?;
        if some {
            return Err(MoveError::NotEmpty(name.to_owned()));
        }
    }
    sqlx::query(
        "insert into import (export, started_at) values ($1, $2) \
         on conflict (singleton) do update set export = $1, started_at = $2, finished_at = null",
    )
    .bind(from.id())
    .bind(now.to_sqlx())
    .execute(conn)
    .await
    .map_err(database("beginning the import"))?;
    Ok(())
}

impl Import<'_> {
    /// One file, one transaction.
    async fn file(&mut self, table: &TableEntry, file: &FileEntry) -> Result<()> {
        let what = || database(format!("writing {}", file.name));
        let (store, from) = (self.store, self.from);
        let mut tx = self.conn.begin().await.map_err(what())?;
        store.fence(&mut tx).await?;
        let content = match table_of(table) {
            Some(table) => lines(&mut tx, store, from, table, file, self.tell).await?,
            None => telemetry(&mut tx, store, from, file, self.tell).await?,
        };
        if (content.rows, content.hash()) != (file.rows, file.content.clone()) {
            let text = format!("it holds {} records instead of {}", content.rows, file.rows);
            return Err(changed(&from.path(file), text));
        }
        sqlx::query("insert into import_file (name, rows) values ($1, $2)")
            .bind(&file.name)
            .bind(i64::try_from(file.rows).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await
            .map_err(what())?;
        tx.commit().await.map_err(what())
    }

    /// Numbers go on where they were, and the planner learns what is there.
    async fn finish(mut self, now: Timestamp) -> Result<()> {
        let what = || database("ending the import");
        for entry in &self.from.manifest.tables {
            let column = table_of(entry).and_then(|table| table.numbered);
            if let (Some(column), Some(last)) = (column, entry.last_number) {
                sqlx::query("select setval(pg_get_serial_sequence($1, $2), $3)")
                    .bind(&entry.name)
                    .bind(column)
                    .bind(last)
                    .execute(&mut self.conn)
                    .await
                    .map_err(what())?;
            }
            sqlx::query(&format!("analyze {}", entry.name))
                .execute(&mut self.conn)
                .await
                .map_err(what())?;
        }
        sqlx::query("update import set finished_at = $1")
            .bind(now.to_sqlx())
            .execute(&mut self.conn)
            .await
            .map_err(what())?;
        self.conn.close().await.map_err(what())
    }
}

type Tell<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// A file of rows in JSON.
async fn lines(
    conn: &mut PgConnection,
    store: &PostgresStore,
    from: &ExportFolder,
    table: &Table,
    file: &FileEntry,
    tell: Tell<'_>,
) -> Result<Content> {
    let path = from.path(file);
    let columns = table.columns();
    let mut lines = Lines::open(&path, table.name, &file.name, from.sealer(store.keyring()))?;
    if table.seeded {
        let emptied = sqlx::query(&format!("delete from {}", table.name))
            .execute(&mut *conn)
            .await;
        emptied.map_err(database(format!("emptying {}", table.name)))?;
    }
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let row = lines.next_row().map_err(|what| changed(&path, what))?;
        let ended = row.is_none();
        if let Some(row) = row {
            bytes += row.len();
            let number = lines.content.rows;
            let fields = record::from_json(&columns, &row);
            batch.push(fields.map_err(|what| changed(&path, format!("line {number}: {what}")))?);
        }
        if !batch.is_empty() && (ended || batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES) {
            insert(conn, table, std::mem::take(&mut batch)).await?;
            bytes = 0;
            tell(progress::file(&file.name, lines.content.rows, file.rows));
        }
        if ended {
            return Ok(lines.content);
        }
    }
}

/// Values travel as text, and the database reads them as it would its own.
async fn insert(conn: &mut PgConnection, table: &Table, rows: Vec<Fields>) -> Result<()> {
    let columns = table.columns();
    let mut by_column: Vec<Vec<Option<String>>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in by_column.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let numbers = 1..=columns.len();
    let arrays: Vec<_> = numbers.clone().map(|n| format!("${n}::text[]")).collect();
    let names: Vec<_> = numbers.clone().map(|n| format!("c{n}")).collect();
    let casts: Vec<_> = numbers
        .zip(&columns)
        .map(|(n, column)| format!("c{n}::{}", column.sql_type))
        .collect();
    let statement = format!(
        "insert into {} ({}) overriding system value select {} from unnest({}) as t({})",
        table.name,
        table.names(),
        casts.join(", "),
        arrays.join(", "),
        names.join(", ")
    );
    let what = || database(format!("writing {}", table.name));
    let mut arguments = PgArguments::default();
    for column in by_column {
        arguments
            .add(column)
            .map_err(|error| what()(sqlx::Error::Encode(error)))?;
    }
    sqlx::query_with(&statement, arguments)
        .execute(conn)
        .await
        .map_err(what())?;
    Ok(())
}

/// A file of telemetry.
async fn telemetry(
    conn: &mut PgConnection,
    store: &PostgresStore,
    from: &ExportFolder,
    file: &FileEntry,
    tell: Tell<'_>,
) -> Result<Content> {
    let path = from.path(file);
    let broken = |what: String| changed(&path, what);
    let mut parquet = ParquetIn::open(&path, &file.name, from.sealer(store.keyring())).map_err(broken)?;
    let mut days = BTreeSet::new();
    while let Some(rows) = parquet.next_rows().map_err(broken)? {
        make_partitions(store, &rows, &mut days).await?;
        let stored = TelemetryRow::store(conn, &rows).await;
        stored.map_err(database("writing telemetry"))?;
        tell(progress::file(&file.name, parquet.content.rows, file.rows));
    }
    Ok(parquet.content)
}

/// Makes the partitions that these rows are of, each on its own: nobody works here yet, and empty ones harm nobody. `made` has
/// the days that were seen to; a partition is of whole days.
async fn make_partitions(store: &PostgresStore, rows: &[TelemetryRow], made: &mut BTreeSet<i64>) -> Result<()> {
    if store.layout() == Layout::Hypertable {
        return Ok(());
    }
    for row in rows {
        if made.insert(row.at.as_second().div_euclid(DAY_S)) {
            store.make_partitions(row.at, row.at).await?;
        }
    }
    Ok(())
}
