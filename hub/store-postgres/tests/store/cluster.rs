//! The hub's own cluster: it starts after whatever was done to it, once at a time, and it is durable.

use crate::server::Server;
use crate::support::{Base, profiles};
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_store::telemetry::TelemetryStore;
use hub_store_postgres::{Cluster, ClusterError, ClusterOptions, ConnectError, Keyring, PostgresStore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Executor};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

pub fn state() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn start(folder: &Path) -> Result<Cluster, ClusterError> {
    Cluster::start(&folder.join("state"), ClusterOptions::default()).await
}

pub fn processes(data: &Path) -> Vec<Pid> {
    let cwd = |pid: i32| std::fs::read_link(format!("/proc/{pid}/cwd")).ok();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| cwd(*pid).as_deref() == Some(data))
        .map(Pid::from_raw)
        .collect()
}

#[tokio::test]
async fn it_starts_again_after_a_kill_of_anything_and_keeps_what_was_committed() {
    let folder = state();
    let mut cluster = start(folder.path()).await.unwrap();
    let mut conn = cluster.connect_options().connect().await.unwrap();
    conn.execute("create table kept (n int)").await.unwrap();
    let data = cluster.data_dir().to_owned();
    for round in 0..3_i32 {
        let second = start(folder.path()).await.unwrap_err();
        assert!(matches!(second, ClusterError::SecondHub(_)), "{second}");
        let mut conn = cluster.connect_options().connect().await.unwrap();
        sqlx::query("insert into kept values ($1)")
            .bind(round)
            .execute(&mut conn)
            .await
            .unwrap();
        let all = processes(&data);
        assert!(all.len() > 3, "{all:?}");
        // All at once; the postmaster alone; nobody: the hub failed, and its database is just stopping.
        let postmaster = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let postmaster = Pid::from_raw(postmaster.lines().next().unwrap().parse().unwrap());
        match round {
            0 => all.iter().for_each(|pid| kill(*pid, Signal::SIGKILL).unwrap()),
            1 => kill(postmaster, Signal::SIGKILL).unwrap(),
            _ => {}
        }
        // What a hub that failed releases: its lock.
        drop(cluster);
        cluster = start(folder.path()).await.unwrap();
        let mut conn = cluster.connect_options().connect().await.unwrap();
        let kept: i64 = sqlx::query_scalar("select count(*) from kept")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(kept, i64::from(round) + 1);
    }
    cluster.stop().await.unwrap();
    assert_eq!(processes(&data), []);
    // The number in a stale file may belong to somebody else by now: here, to this program.
    std::fs::write(data.join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    // Nor does what somebody set permanently outlive a start.
    std::fs::write(
        data.join("postgresql.auto.conf"),
        "fsync = off\nlisten_addresses = '*'\n",
    )
    .unwrap();
    let cluster = start(folder.path()).await.unwrap();
    let mut conn = cluster.connect_options().connect().await.unwrap();
    let settings: Vec<String> = sqlx::query_scalar(
        "select current_setting(n) from unnest(array['fsync', 'listen_addresses', 'max_locks_per_transaction']) n",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(settings, ["on", "", "256"]);
    cluster.stop().await.unwrap();
    assert_eq!(processes(&data), []);
}

/// Only the database is killed: the hub brings it back, and the store goes on with what was acknowledged.
#[tokio::test]
async fn a_killed_database_is_revived_under_a_running_hub() {
    let folder = state();
    let cluster = start(folder.path()).await.unwrap();
    let keyring = Keyring::open_or_create(&folder.path().join("keyring")).unwrap();
    let store = PostgresStore::connect(cluster.connect_options(), keyring, profiles())
        .await
        .unwrap();
    crate::support::take_lease(&store).await;
    store
        .apply_site(&crate::support::site(), crate::support::morning(), false)
        .await
        .unwrap();
    let id = crate::support::appliance(&store, "acme", "wm-1").await;
    let batch = [crate::support::telemetry(id, 1, 0, 9)];
    assert_eq!(store.ingest(&batch).await.unwrap()[0].stored, 9);
    assert!(!cluster.revive().await.unwrap(), "it lives");
    for pid in processes(cluster.data_dir()) {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    let next = [crate::support::telemetry(id, 1, 9, 1)];
    assert!(store.ingest(&next).await.is_err());
    // The hub looks every second; a killed process may still be ending at the first look.
    let until = Instant::now() + Duration::from_secs(30);
    while !cluster.revive().await.unwrap() {
        assert!(Instant::now() < until, "it is not revived");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.ingest(&batch).await.unwrap()[0].repeated, 9);
    assert_eq!(store.ingest(&next).await.unwrap()[0].stored, 1);
    store.close().await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_state_directory_with_a_long_name_gets_a_short_socket() {
    let folder = state();
    let long = folder.path().join("x".repeat(120));
    let cluster = Cluster::start(&long, ClusterOptions::default()).await.unwrap();
    cluster.connect_options().connect().await.unwrap();
    let socket = cluster.url();
    let socket = socket.split(['@', ':']).nth(2).unwrap().replace("%2F", "/");
    assert!(Path::new(&socket).is_dir(), "{socket}");
    cluster.stop().await.unwrap();
    assert!(!Path::new(&socket).exists(), "{socket}");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let folder = state();
    let nowhere = ClusterOptions {
        bin_dir: Some("/nonexistent".into()),
    };
    let none = Cluster::start(&folder.path().join("state"), nowhere).await.unwrap_err();
    assert!(none.to_string().contains("apt-get install postgresql"), "{none}");
    let cluster = start(folder.path()).await.unwrap();
    let data = cluster.data_dir().to_owned();
    cluster.stop().await.unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let other = start(folder.path()).await.unwrap_err();
    assert!(matches!(other, ClusterError::WrongMajor { data: 9, .. }), "{other}");
    if nix::unistd::geteuid().is_root() {
        let closed = tempfile::tempdir().unwrap();
        std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let inside = closed.path().join("state");
        let unreachable = Cluster::start(&inside, ClusterOptions::default()).await.unwrap_err();
        assert!(unreachable.to_string().contains("chmod o+x"), "{unreachable}");
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_on_disk() {
    let base = Base::on(Server::own().await).await;
    let store = base.store().await;
    store.healthy().await.unwrap();
    let mut conn = base.sql().await;
    for (setting, wanted) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
    ] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(value, wanted, "{setting}");
    }
    // A database that would lose acknowledged readings is refused.
    let weak = base.options.clone().options([("synchronous_commit", "off")]);
    let refused = PostgresStore::connect(weak, base.keyring(), profiles())
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        ConnectError::NotDurable {
            setting: "synchronous_commit",
            ..
        }
    ));
}

#[tokio::test]
async fn a_newer_schema_another_one_and_another_keyring_are_refused() {
    let base = Base::new().await;
    base.store().await.close().await;
    base.store().await.close().await;
    let folder = tempfile::tempdir().unwrap();
    let other = Keyring::open_or_create(&folder.path().join("other")).unwrap();
    let refused = PostgresStore::connect(base.options.clone(), other, profiles())
        .await
        .unwrap_err();
    assert!(matches!(refused, ConnectError::WrongKeyring), "{refused}");
    base.sql()
        .await
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (999, 'of the future', true, '', 1)",
        )
        .await
        .unwrap();
    let refused = PostgresStore::connect(base.options.clone(), base.keyring(), profiles())
        .await
        .unwrap_err();
    assert!(matches!(refused, ConnectError::NewerSchema(999)), "{refused}");
    base.sql()
        .await
        .execute("delete from _sqlx_migrations where version = 999; update _sqlx_migrations set checksum = 'x' where version = 6")
        .await
        .unwrap();
    let refused = PostgresStore::connect(base.options.clone(), base.keyring(), profiles())
        .await
        .unwrap_err();
    assert!(matches!(refused, ConnectError::OtherSchema(6)), "{refused}");
}
