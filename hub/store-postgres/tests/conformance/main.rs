//! Every case of the list on PostgreSQL: on the hub's own cluster; on TimescaleDB in WebAssembly where that is installed;
//! and on the server that `TEST_DATABASE_URL` names, if it names one. Few tests of many cases each: a runner that gives
//! each test a process of its own starts a server in WebAssembly for each.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../server/mod.rs"]
mod server;

use async_trait::async_trait;
use hub_store::Store;
use hub_store::conformance::{Capability, Harness, Place, run, scene};
use hub_store_postgres::{Keyring, PostgresStore};
use server::{Database, Kind, Server};
use std::sync::Arc;

struct Postgres(&'static Server);

#[async_trait(?Send)]
impl Harness for Postgres {
    async fn empty(&self) -> Box<dyn Place> {
        Box::new(Base(self.0.fresh().await))
    }

    fn can(&self, what: Capability) -> bool {
        match what {
            // There, all clients share one session.
            Capability::Concurrent => self.0.kind != Kind::Bridge,
            Capability::Restart => true,
        }
    }
}

struct Base(Database);

impl Base {
    async fn connect(&self) -> PostgresStore {
        let keyring = Keyring::open_or_create(&self.0.file("keyring")).unwrap();
        PostgresStore::connect(self.0.options.clone(), keyring, scene::profiles())
            .await
            .unwrap()
    }
}

#[async_trait(?Send)]
impl Place for Base {
    async fn hub(&self) -> Arc<dyn Store> {
        let store = self.connect().await;
        scene::take_lease(&store).await;
        Arc::new(store)
    }

    async fn beside(&self) -> Arc<dyn Store> {
        Arc::new(self.connect().await)
    }
}

/// The groups of the list in three parts of about the same length.
const PARTS: [&[&str]; 3] = [
    &["telemetry", "reading", "retention", "session", "device", "quarantine"],
    &[
        "lease",
        "prediction",
        "budget",
        "release",
        "contact",
        "household",
        "stream",
    ],
    &["site", "access", "claim", "tenants", "ticket", "appointment"],
];

async fn check(server: Option<&'static Server>, part: usize) {
    let Some(server) = server else { return };
    let mut failed = Vec::new();
    for group in PARTS[part] {
        match run(&Postgres(server), group).await {
            Ok(ran) => eprintln!("{:?}: {ran} cases of {group}", server.kind),
            Err(names) => failed.push(names),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

macro_rules! on {
    ($($name:ident, $server:expr, $part:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            check($server, $part).await;
        })*
    };
}

on! {
    devices_on_the_own_cluster, Some(Server::own().await), 0;
    tickets_on_the_own_cluster, Some(Server::own().await), 1;
    access_on_the_own_cluster, Some(Server::own().await), 2;
    devices_on_timescale, Server::bridge().await, 0;
    tickets_on_timescale, Server::bridge().await, 1;
    access_on_timescale, Server::bridge().await, 2;
    devices_on_the_given_server, Server::given().await, 0;
    tickets_on_the_given_server, Server::given().await, 1;
    access_on_the_given_server, Server::given().await, 2;
}

#[test]
fn every_group_is_run() {
    let listed: std::collections::BTreeSet<_> = hub_store::conformance::ALL.iter().map(|case| case.group).collect();
    let run: std::collections::BTreeSet<_> = PARTS.iter().copied().flatten().copied().collect();
    assert_eq!(listed, run);
}
