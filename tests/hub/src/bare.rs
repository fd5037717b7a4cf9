//! The peer: nothing but COPY and commit, over one connection, of the rows that the hub has stored.

mod paced;

pub use paced::{Commit, Paced};

use crate::processes::Cpu;
use anyhow::{Context, Result, ensure};
use hub_store_postgres::{Cluster, ClusterOptions};
use sqlx::{Connection, Executor, PgConnection};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Signature, flags and length of the extension (PostgreSQL manual, COPY, "Binary Format").
const HEADER_BYTES: usize = 19;
/// End of the data.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// A plain table: logged, with what the hub's table has, and nothing else.
const BARE: [&str; 2] = [
    "drop table if exists bare",
    "create table bare (like telemetry including indexes)",
];
/// What a durable commit needs.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Rows of everything that the hub has stored.
pub const ALL_ROWS: &str = "telemetry";

/// Work done in a time.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// How much.
    pub rows: usize,
    /// How long.
    pub took: Duration,
    /// At what cost.
    pub cpu: Cpu,
}

impl Measured {
    /// Rows a second.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64()
    }
}

/// The hub's cluster with the hub's own settings: joined where a hub runs, started again where it has stopped.
pub struct Bare {
    cluster: Cluster,
    connection: PgConnection,
    state: PathBuf,
    header: Vec<u8>,
    tuples: Vec<Vec<u8>>,
}

impl Bare {
    /// Finds the cluster and reads the rows as COPY gives them: of [`ALL_ROWS`], or of a query in parentheses.
    ///
    /// # Errors
    /// The cluster cannot be reached, is not durable, or has no such rows.
    pub async fn open(state: &Path, of: &str) -> Result<Self> {
        let cluster = Cluster::join_or_start(state, ClusterOptions::default()).await?;
        let mut connection = PgConnection::connect_with(&cluster.connect_options()).await?;
        for setting in DURABLE {
            let value: String = sqlx::query_scalar(&format!("show {setting}"))
                .fetch_one(&mut connection)
                .await?;
            ensure!(value == "on", "{setting} is {value}");
        }
        for statement in BARE {
            connection.execute(statement).await?;
        }
        let mut bare = Self {
            cluster,
            connection,
            state: state.to_owned(),
            header: Vec::new(),
            tuples: Vec::new(),
        };
        bare.read(of).await?;
        Ok(bare)
    }

    /// Reads other rows, in place of those that were read before; those that were loaded stay.
    ///
    /// # Errors
    /// There are none such.
    async fn read(&mut self, of: &str) -> Result<()> {
        let data = read_all(&mut self.connection, of).await?;
        self.header = data.get(..HEADER_BYTES).context("COPY gave no header")?.to_vec();
        self.tuples = tuples(&data)?;
        Ok(())
    }

    /// How many rows were read.
    pub fn rows(&self) -> usize {
        self.tuples.len()
    }

    /// Loads some of the rows, so many with each commit.
    ///
    /// # Errors
    /// There are not so many, or the database does not take them.
    pub async fn load(&mut self, range: Range<usize>, rows_a_commit: usize) -> Result<Measured> {
        let tuples = self.tuples.get(range).context("too few rows")?;
        // Made before the clock starts: the peer is to be as fast as it can be.
        let loads: Vec<Vec<u8>> = tuples
            .chunks(rows_a_commit)
            .map(|chunk| [&self.header[..], &chunk.concat(), &TRAILER].concat())
            .collect();
        let (before, begun) = (Cpu::now(&self.state)?, Instant::now());
        for load in loads {
            // Each COPY is a transaction of its own.
            let mut copy = self
                .connection
                .copy_in_raw("copy bare from stdin with (format binary)")
                .await?;
            copy.send(load).await?;
            copy.finish().await?;
        }
        Ok(Measured {
            rows: tuples.len(),
            took: begun.elapsed(),
            cpu: Cpu::now(&self.state)?.since(&before),
        })
    }

    /// Drops the table, and stops the cluster if no hub runs on it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn close(mut self) -> Result<()> {
        self.connection.execute("drop table bare").await?;
        self.connection.close().await?;
        Ok(self.cluster.stop().await?)
    }
}

/// In the order in which they were stored.
async fn read_all(connection: &mut PgConnection, of: &str) -> Result<Vec<u8>> {
    use futures::TryStreamExt;
    let copy = connection
        .copy_out_raw(&format!("copy {of} to stdout with (format binary)"))
        .await?;
    let data = copy.try_fold(Vec::new(), |mut all, part| async move {
        all.extend_from_slice(&part);
        Ok(all)
    });
    Ok(data.await?)
}

/// Each row with its count of fields and their lengths, as it stands in the data.
fn tuples(data: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut tuples = Vec::new();
    let mut from = HEADER_BYTES;
    loop {
        let fields = i16::from_be_bytes(bytes(data, from)?);
        if fields < 0 {
            return Ok(tuples);
        }
        let mut to = from + 2;
        for _ in 0..fields {
            // Null is a length of -1 and no bytes.
            let length = i32::from_be_bytes(bytes(data, to)?);
            to += 4 + usize::try_from(length).unwrap_or(0);
        }
        tuples.push(data.get(from..to).context("COPY's data are cut off")?.to_vec());
        from = to;
    }
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N]> {
    let found = data.get(at..at + N).context("COPY's data are cut off")?;
    Ok(found.try_into()?)
}
