//! Commands beside a running hub, what a hub leaves behind that ends badly, and a root that may not look into processes.

use crate::cluster::{processes, state};
use crate::support::{Base, morning, profiles, site};
use hub_store::event::EventStore;
use hub_store::site::SiteStore;
use hub_store_postgres::{Cluster, ClusterError, ClusterOptions, ConnectError, Keyring, PostgresStore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Connection, Executor};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the folder of the hub that a test runs in a process of its own.
const FOLDER: &str = "FORECALL_TEST_FOLDER";

fn keyring(folder: &Path) -> Keyring {
    Keyring::open_or_create(&folder.join("keyring")).unwrap()
}

fn postmaster(data: &Path) -> Pid {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

/// This very program, with one of its helpers as its only test.
fn run_helper(program: &mut Command, name: &str, folder: &Path) -> Child {
    program
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn helper_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn wait_for(child: &mut Child, word: &str) {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line == word),
        "it never said {word}"
    );
}

#[tokio::test]
#[ignore = "a helper: the hub that another test runs and kills"]
async fn hub_that_is_killed() {
    let Some(folder) = helper_folder() else { return };
    let cluster = Cluster::start(&folder.join("state"), ClusterOptions::default())
        .await
        .unwrap();
    let store = PostgresStore::connect(cluster.connect_options(), keyring(&folder), profiles())
        .await
        .unwrap();
    store.healthy().await.unwrap();
    println!("\nup");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn commands_join_a_running_hub_and_adopt_what_a_killed_one_left() {
    let folder = state();
    let state = folder.path().join("state");
    assert!(!Cluster::is_running(&state).unwrap() && !Cluster::exists(&state).unwrap());
    assert!(
        Cluster::find_server(&state, ClusterOptions::default())
            .await
            .unwrap()
            .contains("PostgreSQL")
    );
    assert!(!state.exists(), "looking makes nothing");
    let mut program = Command::new(std::env::current_exe().unwrap());
    let mut hub = run_helper(&mut program, "cluster_beside::hub_that_is_killed", folder.path());
    wait_for(&mut hub, "up");
    assert!(Cluster::is_running(&state).unwrap() && Cluster::exists(&state).unwrap());
    let second = Cluster::start(&state, ClusterOptions::default()).await.unwrap_err();
    assert!(matches!(second, ClusterError::SecondHub(_)), "{second}");

    for round in 0..2 {
        let joined = Cluster::join_or_start(&state, ClusterOptions::default()).await.unwrap();
        assert!(joined.is_joined() && joined.server_version().contains("PostgreSQL"));
        let store = PostgresStore::connect_beside(joined.connect_options(), keyring(folder.path()), profiles())
            .await
            .unwrap();
        let changes = store.apply_site(&site(), morning(), false).await.unwrap();
        assert_eq!(changes.is_empty(), round == 1, "{changes:?}");
        store.close().await;
        let (running, options) = (postmaster(joined.data_dir()), joined.connect_options());
        assert!(!joined.revive().await.unwrap());
        // Neither a stop nor a drop of a joined one ends the hub's database.
        if round == 0 {
            joined.stop().await.unwrap();
        } else {
            drop(joined);
        }
        // A postmaster that has been told to stop takes nobody any more.
        let mut conn = options.connect().await.unwrap();
        conn.execute("select 1").await.unwrap();
        conn.close().await.unwrap();
        assert_eq!(
            postmaster(&state.join("postgres/data").canonicalize().unwrap()),
            running
        );
        assert_eq!(kill(running, None), Ok(()));
    }

    hub.kill().unwrap();
    hub.wait().unwrap();
    assert!(!Cluster::is_running(&state).unwrap());
    let started = Cluster::join_or_start(&state, ClusterOptions::default()).await.unwrap();
    assert!(!started.is_joined());
    let store = PostgresStore::connect(started.connect_options(), keyring(folder.path()), profiles())
        .await
        .unwrap();
    let kept = store.apply_site(&site(), morning(), true).await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
    store.close().await;
    let data = started.data_dir().to_owned();
    started.stop().await.unwrap();
    assert_eq!(processes(&data), []);
}

#[tokio::test]
async fn a_command_does_not_migrate_under_a_hub_of_another_version() {
    let base = Base::new().await;
    base.store().await.close().await;
    let mut conn = base.sql().await;
    conn.execute("delete from _sqlx_migrations").await.unwrap();
    let refused = PostgresStore::connect_beside(base.options.clone(), base.keyring(), profiles())
        .await
        .unwrap_err();
    assert!(matches!(refused, ConnectError::OlderSchema(1)), "{refused}");
    let rows: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(rows, 0, "it migrated");
}

#[tokio::test]
async fn a_cluster_that_is_dropped_takes_its_postmaster_along() {
    let folder = state();
    let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default())
        .await
        .unwrap();
    let data = cluster.data_dir().to_owned();
    assert!(!processes(&data).is_empty());
    drop(cluster);
    let until = Instant::now() + Duration::from_secs(20);
    while !processes(&data).is_empty() {
        assert!(Instant::now() < until, "{:?} are left", processes(&data));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!data.join("postmaster.pid").exists(), "it stopped in order");
}

#[test]
fn a_root_that_may_not_look_into_processes_leaves_a_live_database_alone() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root has a capability to give up");
        return;
    }
    let folder = state();
    let mut program = Command::new("setpriv");
    program
        .arg("--bounding-set=-sys_ptrace")
        .arg(std::env::current_exe().unwrap());
    let child = run_helper(&mut program, "cluster_beside::hub_that_is_half_blind", folder.path());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "a helper: runs without CAP_SYS_PTRACE"]
async fn hub_that_is_half_blind() {
    let Some(folder) = helper_folder() else { return };
    let cluster = Cluster::start(&folder.join("state"), ClusterOptions::default())
        .await
        .unwrap();
    let data = cluster.data_dir().to_owned();
    let first = postmaster(&data);
    assert!(
        std::fs::read_link(format!("/proc/{first}/cwd")).is_err(),
        "it sees what it should not"
    );
    for _ in 0..3 {
        assert!(!cluster.revive().await.unwrap());
        assert_eq!(postmaster(&data), first);
        let mut conn = cluster.connect_options().connect().await.unwrap();
        conn.execute("create table if not exists kept (n int)").await.unwrap();
    }
    kill(first, Signal::SIGKILL).unwrap();
    // Its orphans cannot be told from other servers' processes, and end by themselves; until then no start succeeds.
    let until = Instant::now() + Duration::from_secs(20);
    while !matches!(cluster.revive().await, Ok(true)) {
        assert!(Instant::now() < until, "it is not revived");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let second = postmaster(&data);
    assert_ne!(second, first);
    let mut conn = cluster.connect_options().connect().await.unwrap();
    conn.execute("insert into kept values (1)").await.unwrap();
    cluster.stop().await.unwrap();
    assert!(!data.join("postmaster.pid").exists());
}
