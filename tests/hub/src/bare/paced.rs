//! The peer at the hub's pace: the rows of a stretch of time, with a commit wherever the hub had one, at the same moment
//! after the start.

use super::{Bare, TRAILER};
use crate::processes::Cpu;
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use sqlx::{Executor, Row};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// One commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// When, from the start of the stretch.
    pub after: Duration,
    /// How many rows.
    pub rows: usize,
}

/// What it took.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// Rows.
    pub rows: usize,
    /// Commits.
    pub commits: usize,
    /// From the start to the last commit.
    pub took: Duration,
    /// Processor seconds.
    pub cpu: Cpu,
    /// Bytes of write-ahead log, from a checkpoint on.
    pub wal_bytes: f64,
}

impl Paced {
    /// Processors that were busy: the database, and the one client that stands where the hub would.
    pub fn cores(&self) -> f64 {
        (self.cpu.database + self.cpu.client) / self.took.as_secs_f64()
    }

    /// Bytes of write-ahead log for each row.
    pub fn wal_a_row(&self) -> f64 {
        self.wal_bytes / self.rows as f64
    }
}

impl Bare {
    /// The cluster of a stopped hub, and the peer's table. With `filled_before` the table is as full as the hub's was at
    /// that moment, and was filled in the same order: a page that is written for the first time after a checkpoint goes
    /// into the log whole, so a full index costs more than an empty one, also by COPY.
    ///
    /// # Errors
    /// The database does not start, or is not durable.
    pub async fn open_paced(state: &Path, filled_before: Option<Timestamp>) -> Result<Self> {
        let mut bare = Self::open(state, "(select * from telemetry where false)").await?;
        if let Some(before) = filled_before {
            let fill = format!("insert into bare select * from telemetry where at < '{before}'");
            // The hub's table has been vacuumed when it is measured; the peer's must not be meanwhile.
            for statement in ["alter table bare set (autovacuum_enabled = off)", &fill] {
                bare.connection.execute(statement).await?;
            }
        }
        Ok(bare)
    }

    /// Loads once more what was measured in this stretch and stored by a running hub, as [`Commit`]s at their times.
    ///
    /// # Errors
    /// There are no such rows, or the database does not take them.
    pub async fn stretch(&mut self, from: Timestamp, to: Timestamp) -> Result<Paced> {
        let rows = format!("from telemetry where at >= '{from}' and at < '{to}'");
        let commits = self.commits(from, &rows).await?;
        // One process wrote, so numbers of transactions are in the order of the commits.
        self.read(&format!("(select * {rows} order by xmin::text::bigint, ctid)"))
            .await?;
        let expected: usize = commits.iter().map(|commit| commit.rows).sum();
        ensure!(
            expected > 0 && expected == self.rows(),
            "{expected} rows in commits, {} read",
            self.rows()
        );
        self.pace(&commits).await
    }

    async fn commits(&mut self, from: Timestamp, rows: &str) -> Result<Vec<Commit>> {
        let query = format!(
            "select count(*), (extract(epoch from max(received_at)) * 1000)::bigint {rows} \
             group by xmin::text::bigint order by xmin::text::bigint"
        );
        let commits = sqlx::query(&query).fetch_all(&mut self.connection).await?;
        let commit = |row: &sqlx::postgres::PgRow| {
            let after_ms = row.try_get::<i64, _>(1)? - from.as_millisecond();
            anyhow::Ok(Commit {
                after: Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)),
                rows: usize::try_from(row.try_get::<i64, _>(0)?)?,
            })
        };
        commits.iter().map(commit).collect()
    }

    async fn pace(&mut self, commits: &[Commit]) -> Result<Paced> {
        // Made before the clock starts: the peer is to be as cheap as it can be.
        let mut loads = Vec::with_capacity(commits.len());
        let mut next = 0;
        for commit in commits {
            let tuples = self.tuples.get(next..next + commit.rows).context("too few rows")?;
            next += commit.rows;
            loads.push((commit.after, [&self.header[..], &tuples.concat(), &TRAILER].concat()));
        }
        self.connection.execute("checkpoint").await?;
        let wal = self.wal().await?;
        let (before, begun) = (Cpu::now(&self.state)?, Instant::now());
        for (after, load) in loads {
            sleep_until(begun + after).await;
            let mut copy = self
                .connection
                .copy_in_raw("copy bare from stdin with (format binary)")
                .await?;
            copy.send(load).await?;
            copy.finish().await?;
        }
        Ok(Paced {
            rows: next,
            commits: commits.len(),
            took: begun.elapsed(),
            cpu: Cpu::now(&self.state)?.since(&before),
            wal_bytes: self.wal().await? - wal,
        })
    }

    async fn wal(&mut self) -> Result<f64> {
        let query = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8";
        Ok(sqlx::query_scalar(query).fetch_one(&mut self.connection).await?)
    }
}
