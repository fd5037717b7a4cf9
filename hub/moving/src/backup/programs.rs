//! PostgreSQL's own programs: how they get to a database, and what they say when they fail.

use crate::error::{MoveError, Result};
use hub_store_postgres::{Cluster, ClusterOptions, PgConnectOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Most of what a program says that is kept, in bytes.
const SAID_MAX: u64 = 16 * 1024;

/// A database to back up or to restore into, and how PostgreSQL's programs get to it.
#[derive(Debug, Clone)]
pub struct BackupDatabase {
    pub(super) options: PgConnectOptions,
    /// A connection URL without a password.
    url: String,
    password: Option<String>,
    programs: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

impl BackupDatabase {
    /// The hub's own cluster, which runs.
    pub fn own(cluster: &Cluster, state_dir: &Path, options: &ClusterOptions) -> Self {
        Self {
            options: cluster.connect_options(),
            url: cluster.url(),
            password: None,
            programs: options.bin_dir.clone(),
            state_dir: Some(state_dir.to_owned()),
        }
    }

    /// A given database. Its password goes to the programs by their environment, not by their command line.
    ///
    /// # Errors
    ///
    /// Where the URL is none.
    pub fn given(url: &str, options: &ClusterOptions) -> std::result::Result<Self, sqlx::Error> {
        let (bare, password) = without_password(url);
        Ok(Self {
            options: url.parse()?,
            url: bare,
            password,
            programs: options.bin_dir.clone(),
            state_dir: None,
        })
    }

    /// The beginning of a command: the program, and the database that it works on.
    pub(super) async fn command(&self, program: &'static str, server_major: u32) -> Result<Command> {
        let options = ClusterOptions {
            bin_dir: self.programs.clone(),
        };
        let found = Cluster::find_program(self.state_dir.as_deref(), options, program, server_major).await;
        let mut command = Command::new(found.ok_or(MoveError::NoProgram {
            program,
            major: server_major,
        })?);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
            .env("LC_ALL", "C")
            .env("PGAPPNAME", "forecall")
            .arg(format!("--dbname={}", self.url))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// Splits the password off a connection URL (RFC 3986 section 3.2.1).
fn without_password(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    match user.split_once(':') {
        Some((user, password)) => (format!("{scheme}://{user}@{host}{path}"), Some(decode(password))),
        None => (url.to_owned(), None),
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits
            .and_then(|two| u8::from_str_radix(two, 16).ok())
            .filter(|_| *first == b'%')
        {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn start(mut command: Command, program: &'static str) -> Result<Child> {
    command.spawn().map_err(|error| MoveError::Program {
        program,
        output: error.to_string(),
    })
}

pub(super) async fn ended(mut child: Child, program: &'static str) -> Result<()> {
    let said = tokio::spawn(words(child.stderr.take()));
    let failed = |output: String| MoveError::Program { program, output };
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    let output = said.await.unwrap_or_default();
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("{status} {output}")))
    }
}

/// The beginning of what a program says; the rest is read and forgotten, so that it does not wait.
pub(super) async fn words(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut kept = Vec::new();
    let _ = (&mut from).take(SAID_MAX).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_not_on_the_command_line() {
        let split = |url| without_password(url);
        assert_eq!(
            split("postgres://hub:p%40ss%2F@db.example:5432/forecall?sslmode=require"),
            (
                "postgres://hub@db.example:5432/forecall?sslmode=require".to_owned(),
                Some("p@ss/".to_owned())
            )
        );
        for url in [
            "postgres://hub@db/forecall",
            "postgres:///forecall?host=/tmp",
            "postgres://db/a@b:c",
        ] {
            assert_eq!(split(url), (url.to_owned(), None));
        }
    }
}
