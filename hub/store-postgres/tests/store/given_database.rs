//! A given database: over TLS, with the least rights, behind a network that swallows packets.

use crate::given::{Given, Network, least_rights};
use crate::support::{appliance, morning, profiles, repeated, site, take_lease, telemetry};
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::{CLOSE_LIMIT, ConnectError, Keyring, PostgresStore};
use sqlx::{Connection, Executor, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

async fn connect(folder: &std::path::Path, url: &str) -> Result<PostgresStore, ConnectError> {
    let keyring = Keyring::open_or_create(&folder.join("keyring")).unwrap();
    PostgresStore::connect(url.parse().unwrap(), keyring, profiles()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_with_least_rights_and_behind_a_network_that_swallows() {
    let Some(given) = Given::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let admin = given.url("admin", "administrators", "localhost", given.port, "verify-full");
    let mut admin = PgConnection::connect(&admin).await.unwrap();
    admin.execute(least_rights().as_str()).await.unwrap();
    let network = Network::before(given.port).await;
    let url = |host, mode| given.url("forecall_hub", "choose-one", host, network.port, mode);

    // The certificate is for another name, and of an authority that nobody knows.
    let other_name = connect(folder.path(), &url("127.0.0.1", "verify-full")).await;
    assert!(
        matches!(other_name, Err(ConnectError::Unreachable(_))),
        "{other_name:?}"
    );
    let unknown = url("localhost", "verify-full");
    let (unknown, _) = unknown.split_once("&sslrootcert").unwrap();
    let unknown = connect(folder.path(), unknown).await;
    assert!(matches!(unknown, Err(ConnectError::Unreachable(_))), "{unknown:?}");
    let plain = connect(folder.path(), &url("localhost", "disable")).await;
    assert!(matches!(plain, Err(ConnectError::Unreachable(_))), "{plain:?}");

    let store = connect(folder.path(), &url("localhost", "verify-full")).await.unwrap();
    let facts = store.facts().await.unwrap();
    assert!(!facts.superuser && facts.may_create && facts.encoding == "UTF8" && facts.connections_free > 10);
    take_lease(&store).await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    assert_eq!(store.ingest(&[telemetry(id, 1, 0, 5)]).await.unwrap()[0].stored, 5);
    swallow(&store, &network, id).await;
    swallow_what_all_wait_for(&store, &network).await;
    let tls: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) where a.usename = 'forecall_hub' and not s.ssl",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(tls, 0);
    let (rows, distinct): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct (appliance, boot, lane, seq)) from forecall_hub.telemetry")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!((rows, distinct), (5 + 4 * 2, 5 + 4 * 2));
    // No connection that is open at the end is silent: the store would give up one that is, after the whole limit.
    let closed = tokio::time::timeout(CLOSE_LIMIT / 2, store.close()).await;
    closed.expect("every connection answers at the end");
}

/// More than the pool has connections.
const ASKING: usize = 20;
/// Until all connections are in use.
const ASKED: u32 = 100;

/// The network stops while every connection of the pool is in use: none of them may be waited for, or kept, without end.
async fn swallow_what_all_wait_for(store: &PostgresStore, network: &Network) {
    // More than would leave a pool that loses some each time with any.
    for _ in 0..6 {
        let asked = AtomicU32::new(0);
        let ask = async || {
            while let Ok(Ok(_)) = tokio::time::timeout(Duration::from_secs(2), store.facts()).await {
                if asked.fetch_add(1, Ordering::SeqCst) == ASKED {
                    network.swallow(true);
                }
            }
        };
        futures::future::join_all((0..ASKING).map(|_| ask())).await;
        let asked = asked.load(Ordering::SeqCst);
        assert!(asked > ASKED, "the network was not stopped: {asked} asked");
        network.swallow(false);
        let back = Instant::now();
        let all = async || futures::future::join_all((0..ASKING).map(|_| store.facts())).await;
        while all().await.iter().any(Result::is_err) {
            assert!(back.elapsed() < Duration::from_secs(30), "the pool does not come back");
        }
    }
}

/// At every point of a batch the network stops to carry anything: the batch is given up, as its caller does, and done
/// once when the network is back.
async fn swallow(store: &PostgresStore, network: &Network, id: hub_core::id::ApplianceId) {
    for round in 0..4u64 {
        let batch = [telemetry(id, 1, 5 + round * 2, 2)];
        match round {
            0 => network.swallow(true),
            _ => network.swallow_after_the_next_words(),
        }
        let given_up = tokio::time::timeout(Duration::from_secs(2), store.ingest(&batch)).await;
        assert!(!matches!(given_up, Ok(Ok(_))), "{given_up:?}");
        assert!(store.ingest_fails());
        // Nobody who asks waits without end, and what was asked takes no connection along.
        let asked = tokio::time::timeout(Duration::from_secs(2), store.healthy()).await;
        assert!(!matches!(asked, Ok(Ok(()))), "{asked:?}");
        network.swallow(false);
        let back = Instant::now();
        loop {
            let again = tokio::time::timeout(Duration::from_secs(5), store.ingest(&batch)).await;
            if let Ok(Ok(answers)) = again {
                assert_eq!(answers[0].stored + answers[0].repeated, 2);
                break;
            }
            assert!(
                back.elapsed() < Duration::from_secs(30),
                "it does not come back: {again:?}"
            );
        }
        assert_eq!(store.ingest(&batch).await.unwrap(), [repeated(2)]);
        assert!(!store.ingest_fails());
        while store.healthy().await.is_err() {
            assert!(back.elapsed() < Duration::from_secs(30), "the pool does not come back");
        }
    }
}
