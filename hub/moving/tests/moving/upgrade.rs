//! An upgrade begins with a backup, or does not happen; and the backup brings back what was before.

use super::backup::{database, empty};
use crate::server::Server;
use crate::support::{Base, morning, profiles};
use hub_moving::{MoveError, Upgraded, restore, upgrade};
use hub_store_postgres::{ClusterOptions, ConnectError, Migrations, PostgresStore, schema_version};
use sqlx::Executor;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The last migration that the older program knew.
const OLD: i64 = 20;
/// What it wrote.
const TENANT: &str = "insert into tenant (id, brand, contact_plan, visit_price) values ('acme', '{}', '{}', '{}')";
/// A program of PostgreSQL that does nothing but fail.
const FULL: &str = "#!/bin/sh
if [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) 99.1'; exit; fi
echo 'no space left' >&2
exit 1
";

/// A database that an older program wrote, on the hub's own cluster: programs of its version are here.
async fn old() -> Base {
    let base = Base::on(Server::own().await).await;
    let mut conn = base.sql().await;
    Migrations::up_to(OLD).run(&mut conn).await.unwrap();
    conn.execute(TENANT).await.unwrap();
    sqlx::query("insert into keyring (fingerprint) values ($1)")
        .bind(&base.keyring().fingerprint()[..])
        .execute(&mut conn)
        .await
        .unwrap();
    base
}

async fn version(of: &Base) -> i64 {
    of.number("select max(version) from _sqlx_migrations").await
}

async fn bring_up(base: &Base, folder: &Path) -> Result<Option<Upgraded>, MoveError> {
    bring_up_with(base, folder, &ClusterOptions::default()).await
}

async fn bring_up_with(base: &Base, folder: &Path, programs: &ClusterOptions) -> Result<Option<Upgraded>, MoveError> {
    let database = database(base, programs);
    upgrade(&database, &base.keyring(), folder, morning(), &mut |_| {}).await
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn an_upgrade_is_backed_up_first_and_can_be_taken_back() {
    let base = old().await;
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("state-backups");
    let done = bring_up(&base, &backups).await.unwrap().unwrap();
    assert_eq!((done.from, done.to), (OLD, schema_version()));
    assert_eq!(version(&base).await, schema_version());
    assert_eq!(std::fs::metadata(&done.backup.file).unwrap().len(), done.backup.bytes);
    let within = done.backup.file.parent().unwrap();
    assert_eq!(within, backups.join("schema-20-20260302T020000Z"));
    // Once.
    assert_eq!(bring_up(&base, &backups).await.unwrap(), None);
    assert_eq!(entries(&backups), 1);

    // Back to the program of before, whose tables these are.
    let before = empty(&base).await;
    restore(
        &database(&before, &ClusterOptions::default()),
        &before.keyring(),
        within,
    )
    .await
    .unwrap();
    assert_eq!(version(&before).await, OLD);
    let kept = "select count(*) from tenant where id = 'acme' and contact_plan = '{}'";
    assert_eq!(before.number(kept).await, 1);
    // And forth again.
    let again = bring_up(&before, &folder.path().join("again")).await.unwrap();
    assert!(again.is_some());
    let hub = PostgresStore::connect(before.options.clone(), before.keyring(), profiles()).await;
    hub.unwrap().close().await;
}

#[tokio::test]
async fn a_new_database_needs_no_backup() {
    let base = Base::on(Server::own().await).await;
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(bring_up(&base, folder.path()).await.unwrap(), None);
    assert_eq!(version(&base).await, schema_version());
    assert_eq!(entries(folder.path()), 0);
}

#[tokio::test]
async fn without_a_backup_nothing_is_migrated() {
    let base = old().await;
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.txt");
    std::fs::write(&letter, "mine").unwrap();
    let refused = bring_up(&base, &letter).await.unwrap_err();
    assert!(
        refused.to_string().contains("the database stays at schema version 20"),
        "{refused}"
    );
    assert!(matches!(reason(&refused), MoveError::File { .. }), "{refused:?}");

    let programs = folder.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    std::fs::write(programs.join("pg_dump"), FULL).unwrap();
    std::fs::set_permissions(programs.join("pg_dump"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let programs = ClusterOptions {
        bin_dir: Some(programs),
    };
    let backups = folder.path().join("backups");
    let refused = bring_up_with(&base, &backups, &programs).await.unwrap_err();
    assert!(
        reason(&refused).to_string().contains("pg_dump failed")
            && reason(&refused).to_string().contains("no space left"),
        "{refused:?}"
    );
    assert_eq!((version(&base).await, entries(&backups)), (OLD, 0));
}

fn reason(refused: &MoveError) -> &MoveError {
    match refused {
        MoveError::NotBackedUp { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_no_backup_of_what_did_not_change() {
    let base = old().await;
    let folder = tempfile::tempdir().unwrap();
    let strange = "alter table tenant rename column contact_plan to something";
    base.sql().await.execute(strange).await.unwrap();
    for _ in 0..2 {
        let refused = bring_up(&base, folder.path()).await.unwrap_err();
        assert!(
            matches!(refused, MoveError::Connect(ConnectError::Migration(_))),
            "{refused:?}"
        );
        assert_eq!((version(&base).await, entries(folder.path())), (OLD, 0));
    }
}

#[tokio::test]
async fn a_program_that_is_too_old_names_the_way_back() {
    let base = old().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999, 'of the future', true, '', 1)";
    base.sql().await.execute(newer).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = bring_up(&base, folder.path()).await.unwrap_err();
    let MoveError::Connect(refused @ ConnectError::NewerSchema(999)) = refused else {
        panic!("{refused:?}");
    };
    assert!(refused.to_string().contains("`forecall restore --from`"), "{refused}");
    assert_eq!(entries(folder.path()), 0);
}
