//! The hub's own database cluster: one directory, a Unix socket, no TCP port, started and stopped with the hub.
//!
//! Starting always begins from a known state: whatever a kill -9 of the hub or of any database process left behind is
//! ended first. A lock file keeps a second hub away.

mod binaries;
mod child;
mod data_dir;
mod identity;
mod leftovers;

use binaries::Binaries;
use data_dir::Layout;
use identity::Identity;
use nix::fcntl::{Flock, FlockArg};
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
/// One connection, right after the start.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// What may be chosen.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    /// Folder with `postgres`, `initdb` and `pg_ctl`; searched for if `None`.
    pub bin_dir: Option<PathBuf>,
}

/// Why the cluster does not run.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server was found (looked for postgres, initdb and pg_ctl in {looked_in}); install it with \
         `apt-get install postgresql`, or give DATABASE_URL"
    )]
    NoBinaries {
        /// Where.
        looked_in: String,
    },
    /// The data belong to another major version.
    #[error(
        "{data_dir} was written by PostgreSQL {data}, found here: {found}; install PostgreSQL {data}, or move the data with pg_upgrade"
    )]
    WrongMajor {
        /// Which data.
        data_dir: PathBuf,
        /// Their major version.
        data: u32,
        /// Major versions found.
        found: String,
    },
    /// Root, and nobody to become.
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` to run it as; create one with \
         `useradd --system postgres`, or start the hub as an ordinary user"
    )]
    NoUser,
    /// This user has no name.
    #[error("user id {0} has no entry in the user database, which PostgreSQL needs; add one, or give DATABASE_URL")]
    NamelessUser(u32),
    /// The database's user cannot get to its files.
    #[error(
        "user {user} cannot enter {folder}, which holds the state directory; choose another, such as /var/lib/forecall, \
         or run `chmod o+x {folder}`"
    )]
    Unreachable {
        /// Who.
        user: String,
        /// What is closed to them.
        folder: PathBuf,
    },
    /// The data belong to another user.
    #[error("{data_dir} belongs to user id {uid}; start the hub as that user")]
    OtherOwner {
        /// Which data.
        data_dir: PathBuf,
        /// Whose.
        uid: u32,
    },
    /// A folder for the socket that somebody else made.
    #[error("{folder} is not a folder of user {user} with mode 0700; remove it")]
    SocketFolder {
        /// Which folder.
        folder: PathBuf,
        /// Whose it should be.
        user: String,
    },
    /// Another hub is running.
    #[error("another hub runs on {0}; stop it, or choose another state directory")]
    SecondHub(PathBuf),
    /// A file or folder.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// What it said, or the end of its log.
        output: String,
    },
    /// A program of PostgreSQL did not end in time.
    #[error("{program} did not end within {seconds} s")]
    Deadline {
        /// Which.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// Processes of an earlier run do not end.
    #[error("processes {0:?} of an earlier database do not end; end them and start again")]
    Undead(Vec<i32>),
    /// It started, but does not take a connection.
    #[error("the database started but takes no connection")]
    Connect(#[source] sqlx::Error),
}

impl ClusterError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A running cluster. Stop it with [`Cluster::stop`]; if the hub is killed instead, the next start ends it.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    identity: Identity,
    layout: Layout,
    /// Released when the hub ends, however it ends.
    _lock: Flock<File>,
}

impl Cluster {
    /// Starts the cluster in `state_dir`, making both if they do not exist. As root it runs as the user `postgres`, or
    /// as the user whose data it finds; else as the caller.
    pub async fn start(state_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let state_dir = identity::make_state_dir(state_dir)?;
        let lock = lock(&state_dir)?;
        let identity = Identity::choose(&state_dir.join("postgres/data"))?;
        identity.check_can_enter(&state_dir)?;
        let layout = Layout::prepare(&state_dir, &identity)?;
        let binaries = binaries::find(options.bin_dir.as_deref(), &identity, &layout).await?;
        leftovers::end(&binaries, &identity, &layout).await?;
        layout.initialise(&binaries, &identity).await?;
        layout.configure(&identity)?;
        let cluster = Self {
            binaries,
            identity,
            layout,
            _lock: lock,
        };
        cluster.run().await?;
        cluster.create_database().await?;
        tracing::info!(
            version = cluster.server_version(),
            data_dir = %cluster.layout.data.display(),
            "database started"
        );
        Ok(cluster)
    }

    /// How to connect to the hub's database.
    pub fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.layout.socket)
            .port(PORT)
            .username(NAME)
            .database(NAME)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The same as a connection URL, for people and for programs such as `psql`.
    pub fn url(&self) -> String {
        let socket = self
            .layout
            .socket
            .to_string_lossy()
            .replace('%', "%25")
            .replace('/', "%2F");
        format!("postgresql://{NAME}@{socket}:{PORT}/{NAME}")
    }

    /// What the server says of itself, e.g. `postgres (PostgreSQL) 15.20`.
    pub fn server_version(&self) -> &str {
        &self.binaries.version
    }

    /// The folder of the data.
    pub fn data_dir(&self) -> &Path {
        &self.layout.data
    }

    /// Starts it again if somebody killed its postmaster; whether that was so. Connections made before are lost, those
    /// of the store come back by themselves.
    pub async fn revive(&self) -> Result<bool, ClusterError> {
        if leftovers::postmaster_lives(&self.layout) {
            return Ok(false);
        }
        tracing::warn!("the database's postmaster is gone; starting it again");
        leftovers::end(&self.binaries, &self.identity, &self.layout).await?;
        self.run().await?;
        Ok(true)
    }

    /// Stops it: open transactions are rolled back, everything committed stays. Close the store first.
    pub async fn stop(self) -> Result<(), ClusterError> {
        leftovers::stop(&self.binaries, &self.identity, &self.layout, STOP_LIMIT).await?;
        // One with a short name elsewhere would be litter. It is made anew at the next start.
        let _ = std::fs::remove_dir(&self.layout.socket);
        tracing::info!("database stopped");
        Ok(())
    }

    async fn run(&self) -> Result<(), ClusterError> {
        let seconds = START_LIMIT.as_secs().to_string();
        let mut command = self
            .identity
            .command(&self.binaries.program("pg_ctl"), &self.layout.home);
        command
            .args(["start", "-w", "-s", "-t", &seconds, "-D"])
            .arg(&self.layout.data);
        command.arg("-l").arg(self.layout.start_log());
        let _ = std::fs::remove_file(self.layout.start_log());
        let started = child::run(command, "pg_ctl start", START_LIMIT + Duration::from_secs(5)).await;
        started.map(drop).map_err(|error| match error {
            ClusterError::Program { program, .. } => ClusterError::Program {
                program,
                output: self.layout.end_of_logs(),
            },
            other => other,
        })
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

fn lock(state_dir: &Path) -> Result<Flock<File>, ClusterError> {
    let path = state_dir.join("hub.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(ClusterError::file(&path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => ClusterError::SecondHub(state_dir.to_owned()),
        other => ClusterError::File {
            path,
            source: other.into(),
        },
    })
}
