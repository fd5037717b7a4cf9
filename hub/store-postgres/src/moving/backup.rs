//! Backup and restore by PostgreSQL's own programs: the whole database in one file of theirs, and beside it a document
//! that says what it is. The schema is what it was; the program that starts on it migrates it.

use super::error::{MoveError, Result, database, file};
use super::files::{self, NewFile};
use super::manifest::{FORMAT, Head};
use super::progress::Progress;
use super::sealed::{self, fingerprint};
use super::source;
use crate::cluster::{Cluster, ClusterOptions};
use crate::keyring::Keyring;
use crate::store::schema_version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use uuid::Uuid;

const DOCUMENT: &str = "backup.json";
const DUMP: &str = "database.dump";
/// Bytes read at a time.
const PIECE: usize = 256 * 1024;
/// Progress is told after so many bytes.
const TELL_EVERY: u64 = 16 << 20;
/// Most of what a program says that is kept, in bytes.
const SAID_MAX: u64 = 16 * 1024;

/// A database to back up or to restore into, and how PostgreSQL's programs get to it.
#[derive(Debug, Clone)]
pub struct BackupDatabase {
    options: PgConnectOptions,
    /// A connection URL without a password.
    url: String,
    password: Option<String>,
    programs: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Schema version of the database.
    pub schema: i64,
    /// Version of TimescaleDB, if the database has it.
    pub timescaledb: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    head: Head,
    timescaledb: Option<String>,
    /// The schema that the tables are in: an earlier program did not say it.
    #[serde(default)]
    namespace: Option<String>,
    file: String,
    bytes: u64,
    sha256: String,
}

impl BackupDatabase {
    /// The hub's own cluster, which runs.
    pub fn own(cluster: &Cluster, state_dir: &Path, options: &ClusterOptions) -> Self {
        Self {
            options: cluster.connect_options(),
            url: cluster.url(),
            password: None,
            programs: options.bin_dir.clone(),
            state_dir: Some(state_dir.to_owned()),
        }
    }

    /// A given database. Its password goes to the programs by their environment, not by their command line.
    ///
    /// # Errors
    ///
    /// Where the URL is none.
    pub fn given(url: &str, options: &ClusterOptions) -> std::result::Result<Self, sqlx::Error> {
        let (bare, password) = without_password(url);
        Ok(Self {
            options: url.parse()?,
            url: bare,
            password,
            programs: options.bin_dir.clone(),
            state_dir: None,
        })
    }

    async fn command(&self, program: &'static str, server_major: u32) -> Result<Command> {
        let options = ClusterOptions {
            bin_dir: self.programs.clone(),
        };
        let found = Cluster::find_program(self.state_dir.as_deref(), options, program, server_major).await;
        let mut command = Command::new(found.ok_or(MoveError::NoProgram {
            program,
            major: server_major,
        })?);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
            .env("LC_ALL", "C")
            .env("PGAPPNAME", "forecall")
            .arg(format!("--dbname={}", self.url))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// Splits the password off a connection URL (RFC 3986 section 3.2.1).
fn without_password(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    match user.split_once(':') {
        Some((user, password)) => (format!("{scheme}://{user}@{host}{path}"), Some(decode(password))),
        None => (url.to_owned(), None),
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits
            .and_then(|two| u8::from_str_radix(two, 16).ok())
            .filter(|_| *first == b'%')
        {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes a backup of a database, also under a hub that works, into a new folder.
///
/// # Errors
///
/// Where the folder is not new, a program is missing, or the disk or the database fails; then nothing is left of it.
pub async fn backup(
    target: &BackupDatabase,
    keyring: &Keyring,
    folder: &Path,
    now: Timestamp,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<BackedUp> {
    files::make_folder(folder)?;
    if folder.read_dir().map_err(file(folder))?.next().is_some() {
        return Err(MoveError::FolderInUse(folder.to_owned()));
    }
    let mut conn = source::connect(&target.options).await?;
    let about = About::read(&mut conn).await?;
    conn.close().await.map_err(database("ending"))?;
    let Some(schema) = about.schema else {
        return Err(MoveError::NoHub);
    };
    let own = fingerprint(keyring);
    if about
        .keyring
        .as_deref()
        .map(hex::encode)
        .is_some_and(|found| found != own)
    {
        return Err(MoveError::Connect(crate::store::ConnectError::WrongKeyring));
    }
    let mut command = target.command("pg_dump", about.major()).await?;
    // Whoever owns the tables sees all rows where no tenant is named; the policies go along as they are.
    command.args([
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--no-comments",
        "--enable-row-security",
    ]);
    command.arg("--lock-wait-timeout=30s");
    let finished = dump(command, NewFile::create(folder.join(DUMP))?, tell).await?;
    let document = Document {
        head: Head {
            format: FORMAT,
            export: Uuid::nil(),
            taken_at: now,
            schema,
            keyring: own,
            server: about.server,
        },
        timescaledb: about.timescaledb.clone(),
        namespace: about.namespace,
        file: DUMP.to_owned(),
        bytes: finished.bytes,
        sha256: finished.sha256.clone(),
    };
    sealed::write(&folder.join(DOCUMENT), keyring, &document)?;
    Ok(BackedUp {
        file: folder.join(DUMP),
        bytes: finished.bytes,
        sha256: finished.sha256,
        schema,
        timescaledb: about.timescaledb,
    })
}

/// Looks whether a backup is whole and fits here, before a target is made.
///
/// # Errors
///
/// Says which file is not as it was written, or what does not fit.
fn check(folder: &Path, keyring: &Keyring) -> Result<Document> {
    let document: Document = sealed::read(folder, DOCUMENT, keyring)?;
    if document.head.schema > schema_version() {
        return Err(MoveError::Connect(crate::store::ConnectError::NewerSchema(
            document.head.schema,
        )));
    }
    let path = folder.join(&document.file);
    let found = files::measure(&path)?;
    if (found.bytes, &found.sha256) != (document.bytes, &document.sha256) {
        let what = if found.bytes == document.bytes {
            "its SHA-256 is another one".to_owned()
        } else {
            format!("it has {} bytes instead of {}", found.bytes, document.bytes)
        };
        return Err(super::error::changed(&path, what));
    }
    Ok(document)
}

/// Puts a backup into an empty database: all of it, or nothing.
///
/// # Errors
///
/// Where the backup is not whole, the database is not empty, or a program fails.
pub async fn restore(target: &BackupDatabase, keyring: &Keyring, folder: &Path) -> Result<BackedUp> {
    let document = check(folder, keyring)?;
    let mut conn = source::connect(&target.options).await?;
    check_empty(&mut conn).await?;
    let about = About::read(&mut conn).await?;
    let namespace = check_namespace(&document, &about)?;
    let timescaledb = document.timescaledb.as_deref();
    if let Some(version) = timescaledb {
        begin_timescaledb(&mut conn, version).await?;
    }
    let mut command = target.command("pg_restore", about.major()).await?;
    command.args([
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        "--no-comments",
        "--single-transaction",
    ]);
    if let (Some(namespace), None) = (namespace, timescaledb) {
        // Without it, the schema itself: who may own only one has it already.
        command.arg(format!("--schema={namespace}"));
    }
    command.arg(folder.join(&document.file)).stdout(Stdio::null());
    let child = start(command, "pg_restore")?;
    let restored = ended(child, "pg_restore").await;
    if timescaledb.is_some() {
        // Also after a failure: the database must not be left in this state.
        let done = conn.execute("select timescaledb_post_restore()").await;
        done.map_err(database("ending the restore of TimescaleDB"))?;
    }
    restored?;
    conn.execute("analyze")
        .await
        .map_err(database("counting what was restored"))?;
    conn.close().await.map_err(database("ending"))?;
    Ok(BackedUp {
        file: folder.join(&document.file),
        bytes: document.bytes,
        sha256: document.sha256,
        schema: document.head.schema,
        timescaledb: document.timescaledb,
    })
}

/// Nobody's tables are here. What an extension brought does not count.
async fn check_empty(conn: &mut PgConnection) -> Result<()> {
    let found: Option<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%' \
         and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and not exists (select from pg_depend d \
           where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e') \
         and not exists (select from pg_depend d where d.objid = n.oid and d.classid = 'pg_namespace'::regclass \
           and d.deptype = 'e') order by 1 limit 1",
    )
    .fetch_optional(conn)
    .await
    .map_err(database("looking whether the target is empty"))?;
    match found {
        Some(table) => Err(MoveError::NotEmpty(table)),
        None => Ok(()),
    }
}

/// Tables come back into the schema of that name only: in another one the hub would not find them, and make new ones.
fn check_namespace<'a>(document: &'a Document, about: &About) -> Result<Option<&'a str>> {
    let Some(found) = document.namespace.as_deref() else {
        return Ok(None);
    };
    match &about.namespace {
        Some(here) if here == found => Ok(Some(found)),
        here => Err(MoveError::OtherNamespace {
            found: found.to_owned(),
            here: here.clone().unwrap_or_default(),
        }),
    }
}

async fn begin_timescaledb(conn: &mut PgConnection, version: &str) -> Result<()> {
    let what = || database("preparing TimescaleDB");
    let there: bool = sqlx::query_scalar(
        "select exists (select from pg_available_extension_versions where name = 'timescaledb' and version = $1)",
    )
    .bind(version)
    .fetch_one(&mut *conn)
    .await
    .map_err(what())?;
    if !there {
        return Err(MoveError::NoTimescale(version.to_owned()));
    }
    let create = format!(
        "create extension if not exists timescaledb version '{}'",
        version.replace('\'', "''")
    );
    conn.execute(create.as_str()).await.map_err(what())?;
    conn.execute("select timescaledb_pre_restore()").await.map_err(what())?;
    Ok(())
}

/// What a database says of itself.
struct About {
    server: String,
    version: i32,
    schema: Option<i64>,
    keyring: Option<Vec<u8>>,
    timescaledb: Option<String>,
    /// The schema in which tables are made and found.
    namespace: Option<String>,
}

type AboutRow = (String, i32, Option<String>, Option<String>, bool);

impl About {
    fn major(&self) -> u32 {
        u32::try_from(self.version / 10_000).unwrap_or(0)
    }

    async fn read(conn: &mut PgConnection) -> Result<Self> {
        let what = || database("asking the database what it is");
        let (server, version, timescaledb, namespace, is_hubs) = sqlx::query_as::<_, AboutRow>(
            "select current_setting('server_version'), current_setting('server_version_num')::int, \
             (select extversion from pg_extension where extname = 'timescaledb'), current_schema()::text, \
             to_regclass('_sqlx_migrations') is not null and to_regclass('keyring') is not null",
        )
        .fetch_one(&mut *conn)
        .await
        .map_err(what())?;
        let (mut schema, mut keyring) = (None, None);
        if is_hubs {
            schema = sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
                .fetch_one(&mut *conn)
                .await
                .map_err(what())?;
            keyring = sqlx::query_scalar("select fingerprint from keyring")
                .fetch_optional(&mut *conn)
                .await
                .map_err(what())?;
        }
        Ok(Self {
            server,
            version,
            schema,
            keyring,
            timescaledb,
            namespace,
        })
    }
}

/// Takes what the program writes into the file. It takes as long as the database is large.
async fn dump(
    mut command: Command,
    mut out: NewFile,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<files::Finished> {
    command.stdout(Stdio::piped());
    let mut child = start(command, "pg_dump")?;
    let failed = |source: std::io::Error| MoveError::Program {
        program: "pg_dump",
        output: source.to_string(),
    };
    let mut from = child
        .stdout
        .take()
        .ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
    let said = tokio::spawn(words(child.stderr.take()));
    let (mut piece, mut bytes, mut told) = (vec![0; PIECE], 0, 0);
    loop {
        match from.read(&mut piece).await.map_err(failed)? {
            0 => break,
            read => {
                out.write_all(&piece[..read])
                    .map_err(|source| file(out.path())(source))?;
                bytes += read as u64;
                if bytes - told >= TELL_EVERY {
                    told = bytes;
                    tell(Progress::bytes(DUMP, bytes));
                }
            }
        }
    }
    let status = child.wait().await.map_err(failed)?;
    let output = said.await.unwrap_or_default();
    if !status.success() {
        return Err(MoveError::Program {
            program: "pg_dump",
            output: format!("{status} {output}"),
        });
    }
    out.finish()
}

fn start(mut command: Command, program: &'static str) -> Result<Child> {
    command.spawn().map_err(|error| MoveError::Program {
        program,
        output: error.to_string(),
    })
}

async fn ended(mut child: Child, program: &'static str) -> Result<()> {
    let said = tokio::spawn(words(child.stderr.take()));
    let failed = |output: String| MoveError::Program { program, output };
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    let output = said.await.unwrap_or_default();
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("{status} {output}")))
    }
}

/// The beginning of what a program says; the rest is read and forgotten, so that it does not wait.
async fn words(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut kept = Vec::new();
    let _ = (&mut from).take(SAID_MAX).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_not_on_the_command_line() {
        let split = |url| without_password(url);
        assert_eq!(
            split("postgres://hub:p%40ss%2F@db.example:5432/forecall?sslmode=require"),
            (
                "postgres://hub@db.example:5432/forecall?sslmode=require".to_owned(),
                Some("p@ss/".to_owned())
            )
        );
        for url in [
            "postgres://hub@db/forecall",
            "postgres:///forecall?host=/tmp",
            "postgres://db/a@b:c",
        ] {
            assert_eq!(split(url), (url.to_owned(), None));
        }
    }
}
