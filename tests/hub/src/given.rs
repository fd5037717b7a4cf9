//! A database that is given to hubs, as far as they know, and the way there, which a test can cut.

use crate::hub::{Lab, open_folder};
use crate::soak::{Stored, count};
use crate::{bed, processes};
use anyhow::{Context, Result};
use hub_store_postgres::{Cluster, ClusterOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// See the module.
pub struct Given {
    /// The database.
    pub cluster: Cluster,
    folder: TempDir,
}

impl Given {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let folder = open_folder()?;
        let state = folder.path().join("state");
        bed::copy_state(&state)?;
        let cluster = Cluster::start(&state, ClusterOptions::default()).await?;
        Ok(Self { cluster, folder })
    }

    /// A hub on it; all have one keyring. Devices reach hubs with the same `mqtt` under one address.
    pub fn lab(&self, mqtt: Option<SocketAddr>) -> Result<Lab> {
        let mut lab = Lab::new()?;
        lab.mqtt = mqtt.unwrap_or(lab.mqtt);
        lab.set("DATABASE_URL", self.cluster.url());
        let state = self.folder.path().join("state");
        lab.set("FORECALL_KEY_FILE", bed::keyring_file(&state).display());
        Ok(lab)
    }

    /// A connection.
    pub async fn sql(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.cluster.connect_options()).await?)
    }

    /// Rows of telemetry.
    pub async fn count(&self) -> Result<Stored> {
        count(&mut self.sql().await?).await
    }

    /// kill -9 of every process; how many there were.
    pub fn kill(&self) -> Result<usize> {
        let processes = processes::all()?;
        let killed = |p: &&processes::Process| {
            i32::try_from(p.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
        };
        let of_it = processes::database(&processes, &self.folder.path().join("state"));
        Ok(of_it.into_iter().filter(killed).count())
    }

    /// Puts a wire between this database and a hub that is started from now on.
    pub async fn wire(&self, lab: &mut Lab) -> Result<Arc<Wire>> {
        let options = self.cluster.connect_options();
        let name = format!(".s.PGSQL.{}", options.get_port());
        let database = options.get_socket().context("the database has a socket")?.join(&name);
        let folder = self.folder.path().join("wire");
        std::fs::create_dir_all(&folder)?;
        let listener = UnixListener::bind(folder.join(&name))?;
        let wire = Arc::new(Wire::default());
        tokio::spawn(Arc::clone(&wire).listen(listener, database));
        let folder = folder.to_string_lossy().replace('/', "%2F");
        let (user, database) = (options.get_username(), options.get_database().unwrap_or_default());
        lab.set(
            "DATABASE_URL",
            format!("postgresql://{user}@{folder}:{}/{database}", options.get_port()),
        );
        Ok(wire)
    }
}

/// What a client says to commit.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Carries connections, and cuts them where it is told to: at a commit, before or after the database hears of it.
#[derive(Default)]
pub struct Wire {
    /// Commits to cut; every second one after the database has been told.
    left: AtomicU32,
    cut: AtomicU32,
}

impl Wire {
    /// Cuts the next commits, so many.
    pub fn cut_commits(&self, count: u32) {
        self.left.store(count, Ordering::SeqCst);
    }

    /// How many were cut.
    pub fn cut(&self) -> u32 {
        self.cut.load(Ordering::SeqCst)
    }

    async fn listen(self: Arc<Self>, listener: UnixListener, database: PathBuf) {
        while let Ok((client, _)) = listener.accept().await {
            if let Ok(database) = UnixStream::connect(&database).await {
                tokio::spawn(Arc::clone(&self).carry(client, database));
            }
        }
    }

    async fn carry(self: Arc<Self>, client: UnixStream, database: UnixStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_database, mut to_database) = database.into_split();
        let back = tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_database, &mut to_client).await;
        });
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let data = &buffer[..read];
            let less = |left: u32| left.checked_sub(1);
            let cut =
                data.ends_with(COMMIT) && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
            if cut {
                // No answer comes through from here on.
                back.abort();
                let before = self.cut.fetch_add(1, Ordering::SeqCst);
                if before % 2 == 1 {
                    let _ = to_database.write_all(data).await;
                }
                return;
            }
            if to_database.write_all(data).await.is_err() {
                return;
            }
        }
    }
}
