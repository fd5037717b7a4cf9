//! The hub's own database cluster: one directory, a Unix socket, no TCP port, started and stopped with the hub.
//!
//! Starting always begins from a known state: whatever a kill -9 of the hub or of any database process left behind is
//! ended first. A lock file keeps a second hub away.

mod binaries;
mod child;
mod data_dir;
mod error;
mod identity;
mod join;
mod leftovers;
mod lock;
mod own;
mod paths;
mod process;

pub use error::ClusterError;
pub use own::make_state_dir;

use binaries::Binaries;
use identity::Identity;
use nix::fcntl::Flock;
use nix::unistd::AccessFlags;
use paths::ClusterPaths;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the role and of the database.
pub(crate) const NAME: &str = "forecall";
/// The socket's number; no TCP port goes with it.
pub(crate) const PORT: u16 = 5432;
/// Starting may take this long: after a kill the log is replayed first.
const START_LIMIT: Duration = Duration::from_secs(120);
/// A fast shutdown may take this long; then an immediate one follows, which loses nothing that was committed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// A running hub's database answers within this time: its log may have to be replayed first.
const JOIN_LIMIT: Duration = START_LIMIT;
const JOIN_PAUSE: Duration = Duration::from_millis(100);
/// One connection, right after the start.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// What may be chosen.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Folder with `postgres`, `initdb` and `pg_ctl`; searched for if `None`.
    pub bin_dir: Option<PathBuf>,
}

/// A running cluster: started here, or a running hub's that was joined. Stop it with [`Cluster::stop`]. One that was
/// started here and is dropped instead is told to stop, without waiting; if the hub is killed, the next start ends it.
#[derive(Debug)]
pub struct Cluster {
    paths: ClusterPaths,
    version: String,
    /// The process that started it may stop it; `None` if it was joined.
    owner: Option<Owner>,
}

#[derive(Debug)]
struct Owner {
    binaries: Binaries,
    identity: Identity,
    /// Released when the hub ends, however it ends.
    _lock: Flock<File>,
}

impl Cluster {
    /// Starts the cluster in `state_dir`, making both if they do not exist. As root it runs as the user `postgres`, or
    /// as the user whose data it finds; else as the caller. Where a hub runs it fails with [`ClusterError::SecondHub`].
    pub async fn start(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let state_dir = make_state_dir(state_dir)?;
        let lock = lock::take(&state_dir).await?;
        Self::start_locked(&state_dir, options, lock).await
    }

    /// Joins the cluster of the hub that runs on `state_dir`; where none runs, starts it. For commands that work beside
    /// a hub and without one. A hub that is just starting or stopping is waited for.
    pub async fn join_or_start(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let state_dir = make_state_dir(state_dir)?;
        let until = tokio::time::Instant::now() + JOIN_LIMIT;
        loop {
            match lock::try_take(&state_dir) {
                Ok(lock) => return Self::start_locked(&state_dir, options, lock).await,
                Err(ClusterError::SecondHub(_)) => {}
                Err(other) => return Err(other),
            }
            match join::join(&state_dir).await {
                Err(ClusterError::NotJoined(_)) if tokio::time::Instant::now() < until => {
                    tokio::time::sleep(JOIN_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    /// Whether a hub (or a command that needs the database) runs on `state_dir`. Makes nothing.
    pub fn is_running(state_dir: &Path) -> Result<bool, ClusterError> {
        lock::held(state_dir)
    }

    /// Whether `state_dir` holds a database. Makes nothing.
    pub fn exists(state_dir: &Path) -> Result<bool, ClusterError> {
        ClusterPaths::of(state_dir).major().map(|major| major.is_some())
    }

    /// Whether anything lies where `state_dir` keeps its data, a whole database or what is left of one. Makes nothing.
    pub fn holds_data(state_dir: &Path) -> Result<bool, ClusterError> {
        ClusterPaths::of(state_dir).exists()
    }

    /// Whether the database's user would get to `state_dir`, which may not be there yet, and this program could make it. Makes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Unreachable`] with each folder that is closed to the user; `File` where nothing can be made.
    pub fn check_reach(state_dir: &Path) -> Result<(), ClusterError> {
        let full = std::path::absolute(state_dir).map_err(ClusterError::file(state_dir))?;
        let there = full.ancestors().find(|folder| folder.exists()).unwrap_or(&full);
        let real = there.canonicalize().map_err(ClusterError::file(there))?;
        nix::unistd::access(&real, AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|errno| ClusterError::file(&real)(errno.into()))?;
        // The state directory itself is opened by the start, as far as it must be.
        let above = if there == full { 1 } else { 0 };
        Identity::choose(&ClusterPaths::of(state_dir).data)?.check_can_pass(real.ancestors().skip(above))
    }

    /// What the server that would run on `state_dir` says of itself; an error if there is none. Makes nothing.
    pub async fn find_server(state_dir: &Path, options: ClusterOptions) -> Result<String, ClusterError> {
        let paths = ClusterPaths::of(state_dir);
        let identity = Identity::choose(&paths.data)?;
        let binaries = binaries::find(options.bin_dir.as_deref(), &identity, &paths).await?;
        Ok(binaries.version)
    }

    /// Where a program of PostgreSQL's is: beside the server that runs on `state_dir`, else wherever one of this major
    /// version or later is found.
    pub async fn find_program(
        state_dir: Option<&Path>,
        options: ClusterOptions,
        program: &'static str,
        major: u32,
    ) -> Option<PathBuf> {
        if let Some(paths) = state_dir.map(ClusterPaths::of)
            && let Ok(identity) = Identity::choose(&paths.data)
            && let Ok(binaries) = binaries::find(options.bin_dir.as_deref(), &identity, &paths).await
            && binaries.program(program).is_file()
        {
            return Some(binaries.program(program));
        }
        binaries::find_program(options.bin_dir.as_deref(), program, major).await
    }

    async fn start_locked(state_dir: &Path, options: ClusterOptions, lock: Flock<File>) -> Result<Self, ClusterError> {
        let paths = ClusterPaths::of(state_dir);
        let identity = Identity::choose(&paths.data)?;
        identity.check_can_enter(state_dir)?;
        paths.prepare(&identity)?;
        let binaries = binaries::find(options.bin_dir.as_deref(), &identity, &paths).await?;
        leftovers::end(&binaries, &identity, &paths).await?;
        paths.initialise(&binaries, &identity).await?;
        let compression = paths.compression(&binaries, &identity).await;
        paths.configure(&identity, compression)?;
        let version = binaries.version.clone();
        let owner = Owner {
            binaries,
            identity,
            _lock: lock,
        };
        // Made before it runs: dropped on an error from here on, it takes its postmaster along.
        let cluster = Self {
            paths,
            version,
            owner: Some(owner),
        };
        if let Some(owner) = &cluster.owner {
            owner.run(&cluster.paths).await?;
        }
        cluster.create_database().await?;
        tracing::info!(
            version = cluster.server_version(),
            data_dir = %cluster.paths.data.display(),
            "database started"
        );
        Ok(cluster)
    }

    /// How to connect to the hub's database.
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.paths)
    }

    /// The same as a connection URL, for people and for programs such as `psql`.
    pub fn url(&self) -> String {
        let socket = self
            .paths
            .socket
            .to_string_lossy()
            .replace('%', "%25")
            .replace('/', "%2F");
        format!("postgresql://{NAME}@{socket}:{PORT}/{NAME}")
    }

    /// What the server says of itself, e.g. `postgres (PostgreSQL) 15.20`.
    pub fn server_version(&self) -> &str {
        &self.version
    }

    /// Whether it is a running hub's, which started it and alone stops and migrates it.
    pub fn is_joined(&self) -> bool {
        self.owner.is_none()
    }

    /// The folder of the data.
    pub fn data_dir(&self) -> &Path {
        &self.paths.data
    }

    /// Starts it again if somebody killed its postmaster; whether that was so. Connections made before are lost, those
    /// of the store come back by themselves. A joined one is left to its hub.
    pub async fn revive(&self) -> Result<bool, ClusterError> {
        let Some(owner) = &self.owner else {
            return Ok(false);
        };
        if !leftovers::postmaster_is_gone(&self.paths).await? {
            return Ok(false);
        }
        tracing::warn!("the database's postmaster is gone; starting it again");
        leftovers::end(&owner.binaries, &owner.identity, &self.paths).await?;
        owner.run(&self.paths).await?;
        Ok(true)
    }

    /// Stops it: open transactions are rolled back, everything committed stays. Close the store first. A joined one
    /// goes on.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        let Some(owner) = &self.owner else {
            return Ok(());
        };
        leftovers::stop(&owner.binaries, &owner.identity, &self.paths, STOP_LIMIT).await?;
        // One with a short name elsewhere would be litter. It is made again at the next start.
        let _ = std::fs::remove_dir(&self.paths.socket);
        self.owner = None;
        tracing::info!("database stopped");
        Ok(())
    }

    async fn create_database(&self) -> Result<(), ClusterError> {
        let options = self.connect_options().database("postgres");
        let create = async {
            let mut conn = options.connect().await?;
            let known: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(NAME)
                .fetch_one(&mut conn)
                .await?;
            if !known {
                sqlx::query(&format!("create database {NAME}"))
                    .execute(&mut conn)
                    .await?;
            }
            conn.close().await
        };
        match tokio::time::timeout(CONNECT_LIMIT, create).await {
            Ok(created) => created.map_err(ClusterError::Connect),
            Err(_) => Err(ClusterError::Deadline {
                program: "the first connection".to_owned(),
                seconds: CONNECT_LIMIT.as_secs(),
            }),
        }
    }
}

impl Drop for Cluster {
    /// A caller that fails after the start leaves no postmaster behind.
    fn drop(&mut self) {
        if self.owner.is_some() {
            leftovers::dismiss(&self.paths);
        }
    }
}

impl Owner {
    async fn run(&self, paths: &ClusterPaths) -> Result<(), ClusterError> {
        let seconds = START_LIMIT.as_secs().to_string();
        let mut command = self.identity.command(&self.binaries.program("pg_ctl"), &paths.home);
        command
            .args(["start", "-w", "-s", "-t", &seconds, "-D"])
            .arg(&paths.data);
        command.arg("-l").arg(paths.start_log());
        let _ = std::fs::remove_file(paths.start_log());
        let started = child::run(command, "pg_ctl start", START_LIMIT + Duration::from_secs(5)).await;
        started.map(drop).map_err(|error| match error {
            ClusterError::Program { program, .. } => ClusterError::Program {
                program,
                output: paths.end_of_logs(),
            },
            other => other,
        })
    }
}

fn connect_options(paths: &ClusterPaths) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&paths.socket)
        .port(PORT)
        .username(NAME)
        .database(NAME)
        .ssl_mode(PgSslMode::Disable)
}
