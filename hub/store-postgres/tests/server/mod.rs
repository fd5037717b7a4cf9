//! Servers that tests run on, and a database of its own for each test.
//!
//! `TEST_DATABASE_URL` names a server whose user may create databases; `TEST_STORE=timescale` asks for PostgreSQL with
//! TimescaleDB in WebAssembly (`tests/timescale`), one for each test program; otherwise it is a cluster as the hub runs it:
//! the one of the whole run where there is one (`cargo xtask test`), else one for each test program.
#![allow(dead_code, reason = "each test program uses what it needs")]

mod bridge;
mod given;

use hub_store_postgres::{Cluster, ClusterOptions, Migrations};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// URL of the cluster that all tests of a run share, with the database [`TEMPLATE`] (`tests/hub/src/bed.rs`).
const SHARED: &str = "FORECALL_TEST_CLUSTER";
/// A database of this program's schema, without a row.
const TEMPLATE: &str = "forecall_template";

/// Which server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A cluster as the hub runs it for itself.
    Own,
    /// Named by `TEST_DATABASE_URL`.
    Given,
    /// TimescaleDB in WebAssembly. All its clients share one session, so transactions run one after the other:
    /// a test must not wait for a second connection while it has a transaction open. No job runs by itself, no time
    /// limit of a statement is kept, and no query is cancelled.
    Bridge,
}

/// A running server.
pub struct Server {
    pub kind: Kind,
    /// Its database `postgres` or the given one, as a user who may create databases.
    pub options: PgConnectOptions,
    /// TimescaleDB is available: a database of [`Server::database`] has the extension.
    pub has_timescale: bool,
    databases: AtomicU32,
    /// On the own cluster: the template is made by the first test that wants a copy.
    has_template: OnceCell<()>,
    /// Where tests keep files beside the database.
    folder: TempDir,
    /// If this program has started it.
    cluster: Option<Cluster>,
}

/// Of this program alone: the number of a process can come again within a run, and its databases are still there.
static PROGRAM: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
static OWN: OnceCell<Server> = OnceCell::const_new();
static GIVEN: OnceCell<Option<Server>> = OnceCell::const_new();
static BRIDGE: OnceCell<Option<Server>> = OnceCell::const_new();

impl Server {
    /// The one that the environment asks for.
    pub async fn chosen() -> &'static Self {
        if let Some(given) = Self::given().await {
            return given;
        }
        match std::env::var("TEST_STORE").as_deref() {
            Ok("timescale") => Self::bridge()
                .await
                .expect("`cargo xtask setup test` installs TimescaleDB for tests"),
            Ok(other) => panic!("TEST_STORE knows `timescale`, not `{other}`"),
            Err(_) => Self::own().await,
        }
    }

    /// A cluster as the hub runs it.
    pub async fn own() -> &'static Self {
        OWN.get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            if let Ok(url) = std::env::var(SHARED) {
                end_with_this_program(&folder, None);
                let server = Self::new(Kind::Own, url.parse().unwrap(), false, folder);
                server.has_template.set(()).unwrap();
                return server;
            }
            let cluster = Cluster::start(&folder.path().join("state"), ClusterOptions::default())
                .await
                .unwrap();
            end_with_this_program(&folder, Some(&cluster));
            let mut server = Self::new(Kind::Own, cluster.connect_options(), false, folder);
            server.cluster = Some(cluster);
            server
        })
        .await
    }

    /// The server of `TEST_DATABASE_URL`, if that is set.
    pub async fn given() -> Option<&'static Self> {
        GIVEN.get_or_init(given::find).await.as_ref()
    }

    /// TimescaleDB in WebAssembly, if it is installed. Says so if it is not; in continuous integration it must be.
    pub async fn bridge() -> Option<&'static Self> {
        BRIDGE.get_or_init(bridge::start).await.as_ref()
    }

    fn new(kind: Kind, options: PgConnectOptions, has_timescale: bool, folder: TempDir) -> Self {
        Self {
            kind,
            options,
            has_timescale,
            databases: AtomicU32::new(0),
            has_template: OnceCell::new(),
            folder,
            cluster: None,
        }
    }

    /// Whether two transactions can be open at once. Says so if a test has to be left out for that.
    pub fn is_concurrent(&self, test: &str) -> bool {
        if self.kind == Kind::Bridge {
            eprintln!("{test}: left out, because all clients of this server share one session");
        }
        self.kind != Kind::Bridge
    }

    /// An empty database, with TimescaleDB in it where that is available.
    pub async fn database(&'static self) -> Database {
        self.create("").await
    }

    /// A database that a hub may start on: of this program's schema on the own cluster, where a copy costs less than the
    /// migrations; empty elsewhere, and migrated by the hub.
    pub async fn fresh(&'static self) -> Database {
        if self.kind != Kind::Own {
            return self.database().await;
        }
        self.has_template.get_or_init(|| self.make_template()).await;
        self.create(&format!(" template {TEMPLATE}")).await
    }

    async fn make_template(&self) {
        let mut conn = self.options.clone().connect().await.unwrap();
        conn.execute(format!("create database {TEMPLATE}").as_str())
            .await
            .unwrap();
        conn.close().await.unwrap();
        let mut template = self.options.clone().database(TEMPLATE).connect().await.unwrap();
        Migrations::all().run(&mut template).await.unwrap();
        template.close().await.unwrap();
    }

    async fn create(&'static self, from: &str) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        // Other programs may use that server.
        let name = format!("forecall_test_{}_{:016x}_{number}", std::process::id(), *PROGRAM);
        let mut conn = self.options.clone().connect().await.unwrap();
        conn.execute(format!("create database {name}{from}").as_str())
            .await
            .unwrap();
        conn.close().await.unwrap();
        let options = self.options.clone().database(&name);
        if self.has_timescale && self.kind == Kind::Given {
            given::add_timescale(&options).await;
        }
        Database {
            server: self,
            name,
            options,
        }
    }
}

/// A database of its own for one test.
pub struct Database {
    pub server: &'static Server,
    pub name: String,
    pub options: PgConnectOptions,
}

impl Database {
    /// A file beside it.
    pub fn file(&self, ending: &str) -> std::path::PathBuf {
        self.server.folder.path().join(format!("{}.{ending}", self.name))
    }
}

impl Drop for Database {
    /// The owner of a given server finds it as it was; the other servers end with this program.
    fn drop(&mut self) {
        if self.server.kind == Kind::Given {
            given::remove(&self.server.options, &self.name);
        }
    }
}

/// Statics are not dropped: a small shell waits for the end of this program, then stops the database and clears up.
#[expect(
    clippy::zombie_processes,
    reason = "it outlives this program, which is what it is for"
)]
fn end_with_this_program(folder: &TempDir, cluster: Option<&Cluster>) {
    let script = r#"cat >/dev/null; if [ $# = 2 ]; then p=$(head -n1 "$2/postmaster.pid"); kill -INT "$p"
        while kill -0 "$p" 2>/dev/null; do sleep 0.1; done; fi; rm -rf "$1""#;
    let child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder.path())
        .args(cluster.map(Cluster::data_dir))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Held open until this program ends.
    std::mem::forget(child.stdin);
}
