//! What the own cluster does with data that are damaged or not its own: it says so, and never pretends.

use crate::cluster::{processes, state};
use crate::support::{appliance, morning, profiles, site, take_lease, telemetry};
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::{Cluster, ClusterError, ClusterOptions, Keyring, PostgresStore};
use std::os::unix::fs::FileExt;
use std::path::Path;

async fn start(folder: &Path) -> Result<Cluster, ClusterError> {
    Cluster::start(&folder.join("state"), ClusterOptions::default()).await
}

async fn open(folder: &Path, cluster: &Cluster) -> PostgresStore {
    let keyring = Keyring::open_or_create(&folder.join("keyring")).unwrap();
    let store = PostgresStore::connect(cluster.connect_options(), keyring, profiles())
        .await
        .unwrap();
    take_lease(&store).await;
    store
}

#[tokio::test]
async fn a_damaged_page_is_found_and_counted() {
    let folder = state();
    let cluster = start(folder.path()).await.unwrap();
    let store = open(folder.path(), &cluster).await;
    store.apply_site(&site(), morning(), false).await.unwrap();
    let id = appliance(&store, "acme", "wm-1").await;
    store.ingest(&[telemetry(id, 1, 0, 50)]).await.unwrap();
    assert_eq!(store.facts().await.unwrap().damaged_pages, 0);
    let mut sql = sqlx::ConnectOptions::connect(&cluster.connect_options()).await.unwrap();
    let file: String = sqlx::query_scalar("select pg_relation_filepath('appliance_status')")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    let file = cluster.data_dir().join(file);
    drop(sql);
    store.close().await;
    cluster.stop().await.unwrap();
    let page = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    page.write_all_at(&[0xA5; 64], 4096).unwrap();
    let cluster = start(folder.path()).await.unwrap();
    let store = open(folder.path(), &cluster).await;
    let told = store.roll_up(100).await;
    assert!(told.is_err(), "{told:?}");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while store.facts().await.unwrap().damaged_pages == 0 {
        assert!(std::time::Instant::now() < until, "the damaged page is not counted");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    store.close().await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn data_that_are_foreign_or_torn_are_refused_and_left_as_they_are() {
    let folder = state();
    let cluster = start(folder.path()).await.unwrap();
    let data = cluster.data_dir().to_owned();
    cluster.stop().await.unwrap();
    let without = |name: &str| std::fs::rename(data.join(name), folder.path().join("aside")).unwrap();
    let back = |name: &str| std::fs::rename(folder.path().join("aside"), data.join(name)).unwrap();
    for name in ["PG_VERSION", "postgresql.conf"] {
        without(name);
        let refused = start(folder.path()).await.unwrap_err();
        assert!(matches!(refused, ClusterError::Foreign(_)), "{name}: {refused}");
        assert!(!data.join(name).exists());
        back(name);
    }
    without("global/pg_control");
    let refused = start(folder.path()).await.unwrap_err();
    assert!(
        matches!(&refused, ClusterError::Program { output, .. } if output.contains("pg_control")),
        "{refused}"
    );
    assert_eq!(processes(&data), []);
    back("global/pg_control");
    std::fs::write(data.join("PG_VERSION"), "99\n").unwrap();
    let newer = start(folder.path()).await.unwrap_err();
    assert!(matches!(newer, ClusterError::WrongMajor { data: 99, .. }), "{newer}");
}
