//! A database that has lived through every schema: migration after migration, and after each one rows in every table
//! that came with it (`fixtures/`).

use super::server::Database;
use hub_core::profile::{ApplianceProfile, Channel};
use hub_store::lease::LeaseStore;
use hub_store_postgres::{Keyring, Migrations, PostgresStore};
use sqlx::{ConnectOptions, Executor, PgConnection};
use std::collections::BTreeMap;
use std::path::Path;

/// Every schema that there ever was, this program's included.
pub fn versions() -> Vec<i64> {
    Migrations::all().iter().map(|migration| migration.version).collect()
}

/// Brings a database to `version`, as a program of that time did.
pub async fn migrate_to(conn: &mut PgConnection, version: i64) {
    Migrations::up_to(version).run(conn).await.unwrap();
}

/// Fills the tables that came with `version`.
pub async fn fill(conn: &mut PgConnection, version: i64) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/upgrade/fixtures/{version:04}.sql"));
    if let Ok(rows) = std::fs::read_to_string(file) {
        conn.execute(rows.as_str()).await.unwrap();
    }
}

/// A database that a program of schema `version` has used, and one of each schema before.
pub async fn lived_in(database: &Database, version: i64) {
    let mut conn = database.options.clone().connect().await.unwrap();
    for step in versions().into_iter().filter(|&step| step <= version) {
        migrate_to(&mut conn, step).await;
        fill(&mut conn, step).await;
    }
}

/// This program's hub on it.
pub async fn hub(database: &Database) -> PostgresStore {
    let keyring = Keyring::open_or_create(&database.file("keyring")).unwrap();
    PostgresStore::connect(database.options.clone(), keyring, profiles())
        .await
        .unwrap()
}

pub fn profiles() -> BTreeMap<String, ApplianceProfile> {
    let channel = |id: u8, name: &str| Channel {
        id,
        name: name.into(),
        unit: "A".into(),
        decimals: 3,
        min: -1_000.0,
        max: 1_000.0,
    };
    let profile = ApplianceProfile {
        name: "washing-machine".into(),
        version: 1,
        channels: vec![channel(1, "one"), channel(2, "two"), channel(3, "three")],
    };
    [("washing-machine".to_owned(), profile)].into()
}

/// Makes it the hub that may write; one before may just be ending.
pub async fn take_lease(store: &PostgresStore) {
    let now = "2026-03-02T02:00:00Z".parse().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while store.take_lease(now).await.unwrap().is_none() {
        assert!(std::time::Instant::now() < until, "another hub has this database");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
