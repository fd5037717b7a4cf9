//! A life that begins in one database and goes on in another leaves rows in every table. Asked for, it is written as a fixture
//! that upgrades start from (`hub/store-postgres/tests/upgrade/fixtures/README.md`).

use crate::contents::{empty, rows};
use crate::fixture::{self, Fixture};
use crate::server::Database;
use crate::{keeps, life};
use hub_moving::{ExportFolder, ExportOptions};
use hub_store_postgres::PostgresStore;
use sqlx::ConnectOptions;
use std::path::Path;

/// Where a life is written to as a new fixture, if anywhere.
const WRITE_TO: &str = "FORECALL_FIXTURE_TO";

#[tokio::test]
async fn a_life_leaves_rows_in_every_table() {
    let server = fixture::server().await;
    let (first, database) = (server.database().await, server.database().await);
    let store = life::first_week(&first).await;
    move_to(&store, &first, &database).await;
    store.close().await;
    life::other_weeks(&database).await;
    let mut conn = database.options.clone().connect().await.unwrap();
    assert_eq!(empty(&rows(&mut conn).await), Vec::<&str>::new());
    if let Some(folder) = std::env::var_os(WRITE_TO) {
        Fixture::at(Path::new(&folder)).write(&database).await;
    }
    // What fixtures are asked for holds for it.
    let store = PostgresStore::connect(database.options.clone(), life::keyring(&database), life::profiles())
        .await
        .unwrap();
    keeps::everything(&store).await;
    store.close().await;
}

async fn move_to(store: &PostgresStore, from: &Database, to: &Database) {
    let folder = from.file("export");
    let options = ExportOptions {
        file_rows: 100,
        now: life::at(6, 700),
    };
    hub_moving::export(store, &folder, options, &mut |_| {}).await.unwrap();
    life::put_keyring(&to.file("keyring"), 1);
    let target = PostgresStore::connect_for_import(to.options.clone(), life::keyring(to))
        .await
        .unwrap();
    let export = ExportFolder::open(&folder, &life::keyring(to)).unwrap();
    let moved = hub_moving::import(&target, &export, life::at(6, 710), &mut |_| {}).await;
    moved.unwrap();
    target.close().await;
}
