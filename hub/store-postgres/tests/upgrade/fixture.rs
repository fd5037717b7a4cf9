//! A database as an earlier commit left it, kept in `fixtures/` under the name of that commit: what pg_dump wrote of it,
//! and how many rows of what content that is.

use super::contents::digests;
use super::life;
use super::server::{Database, Server};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a fixture may be: its readings lie in native partitions, as on a server without TimescaleDB.
pub async fn server() -> &'static Server {
    match Server::chosen().await {
        chosen if chosen.has_timescale => Server::own().await,
        chosen => chosen,
    }
}

pub struct Fixture {
    folder: PathBuf,
}

impl Fixture {
    /// The one of a commit.
    pub fn of(commit: &str) -> Self {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/fixtures");
        Self::at(&fixtures.join(commit))
    }

    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// A line a table: its name, how many rows it has, and a hash of them.
    pub fn rows(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("rows.txt")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Fills an empty database with it, and puts the keyring beside.
    pub async fn load(&self, database: &Database) {
        let dump = std::fs::read_to_string(self.folder.join("database.dump")).unwrap();
        // The dump changes settings of its session.
        let mut conn = database.options.clone().connect().await.unwrap();
        let (mut statements, mut lines) = (String::new(), dump.lines());
        while let Some(line) = lines.next() {
            if !line.starts_with("COPY ") {
                statements.extend([line, "\n"]);
                continue;
            }
            conn.execute(std::mem::take(&mut statements).as_str()).await.unwrap();
            let rows = lines.by_ref().take_while(|row| *row != "\\.");
            let rows: String = rows.flat_map(|row| [row, "\n"]).collect();
            let mut copy = conn.copy_in_raw(line).await.unwrap();
            copy.send(rows.as_bytes()).await.unwrap();
            copy.finish().await.unwrap();
        }
        conn.execute(statements.as_str()).await.unwrap();
        conn.close().await.unwrap();
        life::put_keyring(&database.file("keyring"), usize::MAX);
    }

    /// Writes a database of the hub's own cluster, with which nobody works, as a new fixture.
    pub async fn write(&self, database: &Database) {
        std::fs::create_dir_all(&self.folder).unwrap();
        let mut conn = database.options.clone().connect().await.unwrap();
        let rows = digests(&mut conn).await;
        std::fs::write(self.folder.join("rows.txt"), rows.join("\n") + "\n").unwrap();
        let dump = dump(database, &program(&mut conn).await);
        std::fs::write(self.folder.join("database.dump"), dump).unwrap();
    }
}

/// The pg_dump of the server's own version where Debian has it, else that of the path.
async fn program(conn: &mut PgConnection) -> PathBuf {
    let major: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int / 10000")
        .fetch_one(conn)
        .await
        .unwrap();
    let of_debian = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/pg_dump"));
    if of_debian.is_file() {
        of_debian
    } else {
        "pg_dump".into()
    }
}

/// Plain SQL without anything that only psql understands, or that belongs to one server.
fn dump(database: &Database, program: &Path) -> String {
    let options = &database.options;
    let output = Command::new(program)
        .args(["--format=plain", "--no-owner", "--no-privileges", "--no-comments"])
        .arg("--host")
        .arg(options.get_socket().expect("the hub's own cluster has a socket"))
        .arg("--port")
        .arg(options.get_port().to_string())
        .arg("--username")
        .arg(options.get_username())
        .arg("--dbname")
        .arg(options.get_database().unwrap())
        .env("LC_ALL", "C")
        .env("PGTZ", "UTC")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let of_psql = |line: &&str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    let lines = text.lines().filter(|line| !of_psql(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}
