//! psql as a person types it, with `\timing` on.

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnectOptions;
use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// One session may take this long.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Types these lines; answers with what `\timing` said of each, in milliseconds.
///
/// # Errors
/// psql is not there, or one of the lines failed.
pub async fn times(options: &PgConnectOptions, lines: &str) -> Result<Vec<f64>> {
    let input = format!("\\set ON_ERROR_STOP on\n{lines}\n");
    let mut url = sqlx::ConnectOptions::to_url_lossy(options);
    // Settings of another client.
    url.set_query(None);
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--no-password", "--dbname", url.as_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("psql does not start; install PostgreSQL's client (Debian: postgresql-client)")?;
    let mut stdin = child.stdin.take().context("psql has no input")?;
    let (written, output) = tokio::time::timeout(ENDS_WITHIN, async {
        let written = async {
            stdin.write_all(input.as_bytes()).await?;
            drop(stdin);
            Ok::<(), std::io::Error>(())
        };
        tokio::join!(written, child.wait_with_output())
    })
    .await
    .context("psql does not end")?;
    let output = output?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "psql failed: {said}");
    written.context("psql did not read everything")?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok())
        .collect())
}

/// Values a second of `\copy` from a file into a table.
///
/// # Errors
/// psql failed.
pub async fn copy(options: &PgConnectOptions, table: &str, file: &Path, values: usize) -> Result<f64> {
    let lines = format!("\\timing on\n\\copy {table} from '{}'", file.display());
    let spent = *times(options, &lines).await?.last().context("psql said no time")?;
    Ok(values as f64 / spent * 1e3)
}

/// How long a prepared statement takes, so many times in a row; its answers go nowhere.
///
/// # Errors
/// psql failed.
pub async fn prepared(
    options: &PgConnectOptions,
    types: &str,
    statement: &str,
    arguments: &str,
    often: usize,
) -> Result<Vec<f64>> {
    let mut lines = format!("prepare q ({types}) as {statement};\n\\o /dev/null\n\\timing on\n");
    for _ in 0..often {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "execute q ({arguments});");
    }
    let times = times(options, &lines).await?;
    ensure!(times.len() == often, "psql answered {} of {often} times", times.len());
    Ok(times)
}
