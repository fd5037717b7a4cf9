//! An empty database for each test, the site to play on, and what several tests say or wait for.

use crate::server::{Database, Server};
use hub_core::id::ApplianceId;
use hub_core::telemetry::Identity;
pub use hub_store::conformance::scene::{
    PHONES, after, alarm, appliance, message, morning, profile, profiles, repeated, rolled_up, seen, site, stored,
    take_lease, telemetry, tenant,
};
use hub_store::session::KeptSession;
use hub_store::site::SiteStore;
use hub_store::telemetry::Ingest;
use hub_store_postgres::{Keyring, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor};
use std::time::{Duration, Instant};

/// Connections of a store's pool: a new one has to be told a statement first.
pub const POOL: u32 = 12;
/// What comes at all has come by then.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A database of its own, with the keyring that opens it.
pub struct Base {
    pub options: PgConnectOptions,
    pub database: Database,
}

impl Base {
    pub async fn new() -> Self {
        Self::on(Server::chosen().await).await
    }

    pub async fn on(server: &'static Server) -> Self {
        Self::of(server.database().await)
    }

    fn of(database: Database) -> Self {
        Self {
            options: database.options.clone(),
            database,
        }
    }

    pub fn keyring(&self) -> Keyring {
        Keyring::open_or_create(&self.database.file("keyring")).unwrap()
    }

    /// The hub on this database; one before must be closed or just have ended.
    pub async fn store(&self) -> PostgresStore {
        let store = self.beside().await;
        take_lease(&store).await;
        store
    }

    /// Another program on this database, which may not do what takes the lease.
    pub async fn beside(&self) -> PostgresStore {
        PostgresStore::connect(self.options.clone(), self.keyring(), profiles())
            .await
            .unwrap()
    }

    pub async fn sql(&self) -> PgConnection {
        self.options.clone().connect().await.unwrap()
    }

    /// The first number that a query answers with.
    pub async fn number(&self, query: &str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.sql().await)
            .await
            .unwrap()
    }
}

/// A database with the site in it.
pub async fn played() -> (Base, PostgresStore) {
    played_on(Server::chosen().await).await
}

/// The same on a server.
pub async fn played_on(server: &'static Server) -> (Base, PostgresStore) {
    let base = Base::of(server.fresh().await);
    let store = base.store().await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    (base, store)
}

/// Ends every connection to the database but this one.
pub async fn end_others(sql: &mut PgConnection) {
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()";
    sql.execute(others).await.unwrap();
}

/// Waits until it holds, for [`PATIENCE`] at most.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session with one filter.
pub fn session(filter: &str, expiry_s: u32) -> KeptSession {
    KeptSession {
        expiry_s,
        subscriptions: vec![(filter.into(), 1)],
        unreleased: vec![],
    }
}

/// One reading of a second, in JSON.
pub fn json(id: ApplianceId, second: u64) -> Ingest {
    let mut message = message(id, 0, second, 1);
    message.identity = Identity::Content(vec![true]);
    Ingest::Telemetry(message)
}
