//! An empty database for each test, and the site to play on.

use crate::server::{Database, Server};
pub use hub_store::conformance::scene::{
    PHONES, after, alarm, appliance, message, morning, profile, profiles, repeated, rolled_up, seen, site, stored,
    take_lease, telemetry, tenant,
};
use hub_store::site::SiteStore;
use hub_store_postgres::{Keyring, PostgresStore};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};

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
