//! Restore: everything that is checked before, and after it the database as it was.

use super::about::About;
use super::programs::{BackupDatabase, ended, start};
use super::{BackedUp, DOCUMENT, Document};
use crate::error::{MoveError, Result, changed, database};
use crate::{files, sealed, source};
use hub_store_postgres::{Keyring, schema_version};
use sqlx::{Connection, Executor, PgConnection};
use std::path::Path;
use std::process::Stdio;

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

/// Looks whether a backup is whole and fits here, before a target is made.
///
/// # Errors
///
/// Says which file is not as it was written, or what does not fit.
fn check(folder: &Path, keyring: &Keyring) -> Result<Document> {
    let document: Document = sealed::read(folder, DOCUMENT, keyring)?;
    if document.head.schema > schema_version() {
        return Err(MoveError::Schema {
            found: document.head.schema,
            known: schema_version(),
        });
    }
    let path = folder.join(&document.file);
    let found = files::measure(&path)?;
    if (found.bytes, &found.sha256) != (document.bytes, &document.sha256) {
        let what = if found.bytes == document.bytes {
            "its SHA-256 is another one".to_owned()
        } else {
            format!("it has {} bytes instead of {}", found.bytes, document.bytes)
        };
        return Err(changed(&path, what));
    }
    Ok(document)
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
