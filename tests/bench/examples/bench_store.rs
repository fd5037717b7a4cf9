//! What the store costs beside bare PostgreSQL: values a second by number of devices, bytes a value, and how long queries
//! take as the history grows; and whether a grown history takes in as much as a new one, also with roll-up and aggregates
//! beside ingest and autovacuum off. Exit code 0 only if every bar is held.
//!
//! On a cluster like the hub's own, or on the server of `BENCH_DATABASE_URL` or `TEST_DATABASE_URL` (whose user may create
//! databases). `--quick`: some seconds with few values, no bars.

use anyhow::Result;
use std::process::ExitCode;

// One thread, as psql: an answer wakes nobody else.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let held = tests_bench::store::main(std::env::args().nth(1).as_deref()).await?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
