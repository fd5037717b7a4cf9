//! Writing an export: all tables but telemetry of one moment, then telemetry up to that moment, file by file. What is
//! finished is noted in a journal, so that a cut export goes on behind its last finished file.

use crate::error::{Result, database, file};
use crate::files::NewFile;
use crate::manifest::{FileEntry, Head, Journal, Manifest, Plan, Step, TableEntry};
use crate::seal::{Content, Sealer};
use crate::sealed::FORMAT;
use crate::sealed::fingerprint;
use crate::source::{self, Range};
use crate::tables::{STAYS, TABLES, TELEMETRY, Table};
use crate::telemetry::{COLUMNS, ParquetOut};
use crate::{Moved, progress, record, total};
use hub_store::error::StoreError;
use hub_store_postgres::{Keyring, PostgresStore, Progress, TelemetryRow, keyring, schema_version};
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use std::io::Write;
use std::path::Path;
use uuid::Uuid;

/// A slice of telemetry is a day, or as many days as it takes to fill a file.
const DAY_US: i64 = 86_400_000_000;

/// What may be chosen.
#[derive(Debug, Clone, Copy)]
pub struct ExportOptions {
    /// Rows of a file of telemetry, at most; at least 1. A cut export goes on with those that it began with.
    pub file_rows: u64,
    /// When it is taken.
    pub now: Timestamp,
}

struct Export<'a> {
    folder: &'a Path,
    keyring: &'a Keyring,
    tell: &'a mut (dyn FnMut(Progress<'_>) + Send),
}

/// Writes everything into `folder`: all tables of one moment, also beside a hub that works. Run again after a cut, it
/// goes on.
///
/// # Errors
///
/// Where the folder holds something else, or the disk or the database fails; then run again.
pub async fn export(
    store: &PostgresStore,
    folder: &Path,
    options: ExportOptions,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Moved> {
    let mut journal = Journal::open(folder)?;
    let written = journal.read(store.keyring())?;
    let mut conn = source::connect(&store.connect_options()).await?;
    let mut export = Export {
        folder,
        keyring: store.keyring(),
        tell,
    };
    let (plan, steps) = match written {
        Some((plan, steps)) => {
            check_is_ours(folder, &plan, &source::identity(&mut conn).await?)?;
            (plan, steps)
        }
        None => {
            let plan = export.begin(&mut conn, options).await?;
            journal.write(store.keyring(), &plan)?;
            (plan, Vec::new())
        }
    };
    let files = export.telemetry(&mut conn, &mut journal, &plan, steps).await?;
    conn.close().await.map_err(database("ending"))?;
    let manifest = manifest(plan, files);
    manifest.write(folder, store.keyring())?;
    journal.remove()?;
    Ok(Moved::of(&manifest))
}

/// The keyring's mark on the journal is right already.
fn check_is_ours(folder: &Path, plan: &Plan, database: &str) -> Result<()> {
    let what = if plan.head.format != FORMAT {
        format!("format {}", plan.head.format)
    } else if plan.head.schema != schema_version() {
        format!("schema version {}", plan.head.schema)
    } else if plan.database != database {
        "another database, or of this one before it was restored".to_owned()
    } else {
        return Ok(());
    };
    Err(crate::MoveError::OtherExport {
        folder: folder.to_owned(),
        what,
    })
}

impl Export<'_> {
    /// Fixes the moment, and writes what is not telemetry.
    async fn begin(&mut self, conn: &mut PgConnection, options: ExportOptions) -> Result<Plan> {
        source::begin_snapshot(conn).await?;
        let server = sqlx::query_scalar("select current_setting('server_version')");
        let head = Head {
            format: FORMAT,
            export: new_id()?,
            taken_at: options.now,
            schema: schema_version(),
            keyring: fingerprint(self.keyring),
            server: server
                .fetch_one(&mut *conn)
                .await
                .map_err(database("asking its version"))?,
        };
        let database = source::identity(conn).await?;
        let sealer = Sealer::new(self.keyring, head.export);
        let mut tables = Vec::new();
        for table in TABLES {
            tables.push(self.table(conn, &sealer, table).await?);
        }
        (self.tell)(progress::counting());
        let file_rows = options.file_rows.max(1);
        let (heads, slices) = survey(conn, file_rows).await?;
        source::end_snapshot(conn).await?;
        Ok(Plan {
            head,
            database,
            tables,
            file_rows,
            heads,
            slices,
        })
    }

    async fn table(&mut self, conn: &mut PgConnection, sealer: &Sealer, table: &Table) -> Result<TableEntry> {
        let name = format!("{}.jsonl", table.name);
        let mut out = NewFile::create(self.folder.join(&name))?;
        let mut content = Content::default();
        source::rows(conn, table, true, |row| {
            let (mut line, digest) = record::seal(sealer, table.name, &name, content.rows + 1, &row);
            line.push('\n');
            content.add(&digest);
            if content.rows.is_multiple_of(progress::EVERY) {
                (self.tell)(progress::table(table.name, content.rows));
            }
            out.write_all(line.as_bytes()).map_err(file(&self.folder.join(&name)))
        })
        .await?;
        let last_number = last_number(conn, table).await?;
        let columns = table.columns();
        let columns = columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.sql_type));
        (self.tell)(progress::table(table.name, content.rows));
        Ok(TableEntry {
            name: table.name.to_owned(),
            columns: columns.collect(),
            rows: content.rows,
            content: content.hash(),
            last_number,
            files: vec![FileEntry::new(name, content, out.finish()?)],
        })
    }

    /// All files of telemetry: those that the journal names, and the rest.
    async fn telemetry(
        &mut self,
        conn: &mut PgConnection,
        journal: &mut Journal,
        plan: &Plan,
        steps: Vec<Step>,
    ) -> Result<Vec<FileEntry>> {
        let all: u64 = plan.slices.iter().map(|slice| slice.2).sum();
        let (mut files, mut next, mut after) = (Vec::new(), 0, None);
        for step in steps {
            match step {
                Step::File {
                    partition,
                    ingest_no,
                    file,
                    ..
                } => {
                    files.push(file);
                    after = Some((partition, ingest_no));
                }
                Step::Slice { slice } => (next, after) = (slice + 1, None),
            }
        }
        for (slice, (from, to, _)) in plan.slices.iter().enumerate().skip(next) {
            let range = Range {
                slice: (*from, *to),
                heads: &plan.heads,
                after: after.take(),
            };
            let mut writing = Writing {
                export: self,
                journal,
                plan,
                slice,
                all,
                files: &mut files,
                open: None,
            };
            source::telemetry(conn, Some(&range), |row| writing.push(row)).await?;
            writing.finish_file()?;
            journal.write(self.keyring, &Step::Slice { slice })?;
        }
        Ok(files)
    }
}

/// A slice on its way into files.
struct Writing<'a, 'b> {
    export: &'a mut Export<'b>,
    journal: &'a mut Journal,
    plan: &'a Plan,
    slice: usize,
    all: u64,
    files: &'a mut Vec<FileEntry>,
    open: Option<(ParquetOut, (i16, i64))>,
}

impl Writing<'_, '_> {
    fn push(&mut self, row: &TelemetryRow) -> Result<()> {
        let last = (row.partition, row.ingest_no);
        let (out, written_to) = match &mut self.open {
            Some(open) => open,
            None => {
                let name = format!("{TELEMETRY}-{:06}.parquet", self.files.len() + 1);
                let sealer = Sealer::new(self.export.keyring, self.plan.head.export);
                let out = ParquetOut::create(self.export.folder, name, sealer)?;
                self.open.insert((out, last))
            }
        };
        out.push(row)?;
        *written_to = last;
        let rows = out.content.rows;
        if rows.is_multiple_of(progress::EVERY) {
            let done: u64 = self.files.iter().map(|file| file.rows).sum();
            (self.export.tell)(progress::telemetry(done + rows, self.all));
        }
        if rows >= self.plan.file_rows {
            self.finish_file()
        } else {
            Ok(())
        }
    }

    fn finish_file(&mut self) -> Result<()> {
        let Some((out, (partition, ingest_no))) = self.open.take() else {
            return Ok(());
        };
        let (name, content, finished) = out.finish()?;
        let file = FileEntry::new(name, content, finished);
        let step = Step::File {
            slice: self.slice,
            partition,
            ingest_no,
            file: file.clone(),
        };
        self.journal.write(self.export.keyring, &step)?;
        self.files.push(file);
        let done = self.files.iter().map(|file| file.rows).sum();
        (self.export.tell)(progress::telemetry(done, self.all));
        Ok(())
    }
}

/// The last number of each partition, and days gathered into slices.
async fn survey(conn: &mut PgConnection, file_rows: u64) -> Result<(Vec<i64>, Vec<(i64, i64, u64)>)> {
    let found: Vec<(Option<i64>, Option<i16>, i64, i64)> = sqlx::query_as(
        "select (extract(epoch from day) * 1000000)::bigint, partition, count(*), max(ingest_no) \
         from (select date_bin('1 day', at, timestamptz '2000-01-01 00:00:00+00') as day, partition, ingest_no \
           from telemetry) t group by grouping sets ((day), (partition)) order by 1",
    )
    .fetch_all(conn)
    .await
    .map_err(database("counting telemetry"))?;
    let (mut heads, mut slices) = (vec![0; 256], Vec::<(i64, i64, u64)>::new());
    for (day, partition, rows, last) in found {
        if let Some(partition) = partition {
            if let Some(head) = usize::try_from(partition).ok().and_then(|at| heads.get_mut(at)) {
                *head = last;
            }
        } else if let Some(day) = day {
            let rows = u64::try_from(rows).unwrap_or(0);
            match slices.last_mut() {
                Some(slice) if slice.2 + rows <= file_rows => {
                    slice.1 = day + DAY_US;
                    slice.2 += rows;
                }
                _ => slices.push((day, day + DAY_US, rows)),
            }
        }
    }
    Ok((heads, slices))
}

/// Numbers are given out beyond this one.
async fn last_number(conn: &mut PgConnection, table: &Table) -> Result<Option<i64>> {
    let Some(column) = table.numbered else {
        return Ok(None);
    };
    let what = || database(format!("reading the numbers of {}", table.name));
    let sequence: String = sqlx::query_scalar("select pg_get_serial_sequence($1, $2)")
        .bind(table.name)
        .bind(column)
        .fetch_one(&mut *conn)
        .await
        .map_err(what())?;
    sqlx::query_scalar(&format!(
        "select case when is_called then last_value end from {sequence}"
    ))
    .fetch_one(conn)
    .await
    .map_err(what())
}

fn manifest(plan: Plan, files: Vec<FileEntry>) -> Manifest {
    let mut content = Content::default();
    for file in &files {
        content.merge(&Content::parse(file.rows, &file.content).unwrap_or_default());
    }
    let mut tables = plan.tables;
    tables.push(TableEntry {
        name: TELEMETRY.to_owned(),
        columns: COLUMNS.iter().map(|column| (*column).to_owned()).collect(),
        rows: content.rows,
        content: content.hash(),
        last_number: None,
        files,
    });
    let hashes = tables
        .iter()
        .map(|table| (table.name.as_str(), table.rows, table.content.as_str()));
    Manifest {
        content: total(hashes),
        head: plan.head,
        tables,
        not_exported: STAYS
            .iter()
            .map(|(name, why)| ((*name).to_owned(), (*why).to_owned()))
            .collect(),
    }
}

fn new_id() -> Result<Uuid> {
    let bytes = keyring::random::<16>().map_err(|error| StoreError::Unreadable {
        what: "export",
        source: Box::new(error),
    })?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
