//! Moving a whole database: out and in again, cut and gone on with, and refused where it was changed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod bad;
#[path = "../../../store-postgres/tests/upgrade/contents.rs"]
#[expect(dead_code, reason = "made for the tests of upgrades, which use all of it")]
mod contents;
#[path = "../../../store-postgres/tests/upgrade/fixture.rs"]
#[expect(dead_code, reason = "upgrades start from fixtures; here one is only written")]
mod fixture;
#[path = "../../../store-postgres/tests/upgrade/keeps.rs"]
mod keeps;
mod labels;
#[path = "../../../store-postgres/tests/upgrade/life/mod.rs"]
#[expect(unused_imports, reason = "made for the tests of upgrades as well")]
mod life;
mod life_moved;
mod lived;
#[path = "../../../store-postgres/tests/server/mod.rs"]
mod server;
#[path = "../../../store-postgres/tests/store/support.rs"]
#[expect(unused_imports, reason = "made for the tests of the store, which use all of it")]
mod support;
mod timescale;
mod upgrade;

use hub_moving::{ExportFolder, ExportOptions, MoveError, Moved, content};
use hub_store_postgres::{ConnectError, PostgresStore, Progress};
use lived::lived_in;
use server::Server;
use sqlx::Row;
use std::collections::BTreeMap;
use std::path::Path;
use support::{Base, morning};
use tempfile::TempDir;

/// So small that the little there is takes several files.
pub(crate) fn options() -> ExportOptions {
    ExportOptions {
        file_rows: 3,
        now: morning(),
    }
}

pub(crate) async fn export(store: &PostgresStore, folder: &Path) -> Moved {
    hub_moving::export(store, folder, options(), &mut |_| {}).await.unwrap()
}

/// An empty database that opens with the same keyring.
pub(crate) async fn sibling(of: &Base) -> Base {
    sibling_on(of, Server::chosen().await).await
}

/// The same on a server.
pub(crate) async fn sibling_on(of: &Base, server: &'static Server) -> Base {
    let new = Base::on(server).await;
    // Whatever is there is not open yet.
    std::fs::copy(of.database.file("keyring"), new.database.file("keyring")).unwrap();
    new
}

/// An export of a database that has lived, and that database.
pub(crate) async fn exported() -> (Base, PostgresStore, TempDir, Moved) {
    let (base, store) = lived_in().await;
    let folder = tempfile::tempdir().unwrap();
    let moved = export(&store, &folder.path().join("out")).await;
    (base, store, folder, moved)
}

pub(crate) async fn import(target: &Base, folder: &Path) -> Result<(PostgresStore, Moved), MoveError> {
    let from = ExportFolder::open(folder, &target.keyring())?;
    let store = PostgresStore::connect_for_import(target.options.clone(), target.keyring()).await?;
    let moved = hub_moving::import(&store, &from, morning(), &mut |_| {}).await?;
    Ok((store, moved))
}

#[tokio::test]
async fn every_table_is_moved_or_stays_for_a_reason() {
    let base = Base::new().await;
    let store = base.store().await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    export(&store, &out).await;
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let mut named = BTreeMap::new();
    for table in manifest["tables"].as_array().unwrap() {
        let columns = table["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c.as_str().unwrap().to_owned());
        named.insert(table["name"].as_str().unwrap().to_owned(), columns.collect::<Vec<_>>());
    }
    let stays: Vec<String> = manifest["not_exported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair[0].as_str().unwrap().to_owned())
        .collect();

    let rows = sqlx::query(
        "select c.relname, array_agg(a.attname || ' ' || format_type(a.atttypid, null) order by a.attname)::text[] \
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition \
         group by 1",
    )
    .fetch_all(&mut base.sql().await)
    .await
    .unwrap();
    let mut seen = Vec::new();
    for row in rows {
        let (name, mut columns): (String, Vec<String>) = (row.get(0), row.get(1));
        seen.push(name.clone());
        if stays.contains(&name) {
            continue;
        }
        let mut ours = named
            .get(&name)
            .cloned()
            .unwrap_or_else(|| panic!("table {name} is forgotten"));
        if name == "telemetry" {
            columns.iter_mut().for_each(|column| *column = in_a_file(column));
        }
        ours.sort();
        columns.sort();
        columns.dedup();
        assert_eq!(ours, columns, "columns of {name}");
    }
    let gone: Vec<_> = named.keys().chain(&stays).filter(|name| !seen.contains(name)).collect();
    assert_eq!(gone, Vec::<&String>::new(), "tables that do not exist any more");
}

/// What a column of `telemetry` is in a file: values are one list there, and the halves of a trace id one id.
fn in_a_file(column: &str) -> String {
    let name = column.split(' ').next().unwrap();
    let is_value = name.strip_prefix('c').is_some_and(|id| id.parse::<u8>().is_ok());
    match name {
        "trace_high" | "trace_low" => "trace".to_owned(),
        _ if is_value || name == "more" => "v".to_owned(),
        _ => name.to_owned(),
    }
}

#[tokio::test]
async fn a_round_trip_keeps_every_row_and_every_number() {
    let (base, store, folder, moved) = exported().await;
    let empty: Vec<_> = moved
        .tables
        .iter()
        .filter(|(_, rows, _)| *rows == 0)
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(
        empty,
        Vec::<&String>::new(),
        "the database did not live enough to show that these are moved"
    );
    let here = content(&store, &mut |_| {}).await.unwrap();
    assert_eq!(here, moved, "the hash on its own is that of the export");

    let there = sibling(&base).await;
    let (target, taken) = import(&there, &folder.path().join("out")).await.unwrap();
    assert_eq!(taken, moved);
    assert_eq!(content(&target, &mut |_| {}).await.unwrap(), moved);

    // And back.
    let again = folder.path().join("again");
    assert_eq!(export(&target, &again).await, moved);
    // New rows get new numbers.
    let numbers = "select count(*) from pg_sequences where schemaname = current_schema()";
    let last = "select coalesce(sum(last_value), 0)::bigint from pg_sequences where schemaname = current_schema()";
    assert_eq!(there.number(numbers).await, base.number(numbers).await);
    assert_eq!(there.number(last).await, base.number(last).await);
    target.close().await;
    let hub = there.store().await;
    lived::go_on(&hub).await;
}

#[tokio::test]
async fn a_cut_export_keeps_what_was_finished_and_equals_an_uncut_one() {
    let (base, store, _folder, moved) = exported().await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // The task is given up at ever later moments, as a kill would: nothing of it runs any more.
    let mut kept = Vec::new();
    for stop_after in 1.. {
        let told = std::sync::atomic::AtomicUsize::new(0);
        let (tell, cut) = tokio::sync::oneshot::channel::<()>();
        let mut tell = Some(tell);
        let mut progress = |_: Progress<'_>| {
            if told.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == stop_after {
                let _ = tell.take().unwrap().send(());
            }
        };
        let done = tokio::select! {
            biased;
            _ = cut => None,
            done = hub_moving::export(&store, &out, options(), &mut progress) => Some(done.unwrap()),
        };
        let files: Vec<_> = parquet(&out);
        assert!(
            kept.iter().all(|file| files.contains(file)),
            "a finished file was written again"
        );
        kept = files;
        if let Some(done) = done {
            assert_eq!(done, moved);
            break;
        }
        // A journal whose last line was cut goes on as well.
        let journal = out.join("journal.jsonl");
        let text = std::fs::read(&journal).unwrap();
        std::fs::write(&journal, [&text[..], b"{\"mark\":\"12"].concat()).unwrap();
        if !text.is_empty() {
            lived::more(&store, stop_after).await;
        }
    }
    assert!(kept.len() > 3, "{kept:?}");
    let there = sibling(&base).await;
    let (target, _) = import(&there, &out).await.unwrap();
    assert_eq!(content(&target, &mut |_| {}).await.unwrap(), moved);
}

/// Names of telemetry files with their last change.
fn parquet(out: &Path) -> Vec<(std::ffi::OsString, std::time::SystemTime)> {
    let files = out.read_dir().unwrap().map(Result::unwrap);
    files
        .filter(|file| file.path().extension().is_some_and(|end| end == "parquet"))
        .map(|file| (file.file_name(), file.metadata().unwrap().modified().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_cut_import_goes_on_and_no_hub_works_on_half_of_it() {
    let (base, _store, folder, moved) = exported().await;
    let out = folder.path().join("out");
    let there = sibling(&base).await;
    let from = ExportFolder::open(&out, &there.keyring()).unwrap();
    for stop_after in [2, 9, 20] {
        let store = PostgresStore::connect_for_import(there.options.clone(), there.keyring())
            .await
            .unwrap();
        let (tell, cut) = tokio::sync::oneshot::channel::<()>();
        let (mut tell, mut told) = (Some(tell), 0);
        let mut progress = |_: Progress<'_>| {
            told += 1;
            if told == stop_after {
                let _ = tell.take().unwrap().send(());
            }
        };
        let done = tokio::select! {
            biased;
            _ = cut => None,
            done = hub_moving::import(&store, &from, morning(), &mut progress) => Some(done),
        };
        assert!(done.is_none(), "it ended before it was cut");
        store.close().await;
        let hub = PostgresStore::connect(there.options.clone(), there.keyring(), support::profiles()).await;
        assert!(matches!(hub, Err(ConnectError::HalfImported(id)) if id == from.id()));
    }
    let (target, taken) = import(&there, &out).await.unwrap();
    assert_eq!(
        (taken, content(&target, &mut |_| {}).await.unwrap()),
        (moved.clone(), moved)
    );
}
