//! A database as it is given: a server of its own with TCP, TLS and passwords, and a network that can be stopped.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A running server. Ended when it is dropped.
pub struct Given {
    pub port: u16,
    pub authority: PathBuf,
    bin: PathBuf,
    folder: TempDir,
}

impl Given {
    /// Starts one from Debian's programs; `None`, said plainly, where there are none.
    pub fn start() -> Option<Self> {
        let Some(bin) = debian() else {
            eprintln!("skipped: there is no PostgreSQL in /usr/lib/postgresql");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let given = Self {
            port,
            authority: folder.path().join("ca.pem"),
            bin,
            folder,
        };
        let data = given.data();
        std::fs::write(given.folder.path().join("password"), "administrators\n").unwrap();
        std::fs::set_permissions(
            given.folder.path().join("password"),
            std::fs::Permissions::from_mode(0o644),
        )
        .unwrap();
        given.run("initdb", |c| {
            c.args(["--encoding=UTF8", "--no-locale", "-A", "scram-sha-256", "-U", "admin"])
                .arg(format!("--pwfile={}", given.folder.path().join("password").display()))
                .arg("-D")
                .arg(&data)
        });
        given.certificate();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nssl = on\n\
             ssl_cert_file = '{0}/server.pem'\nssl_key_file = '{0}/server.key'\nmax_connections = 120\n",
            given.folder.path().display()
        );
        let mut conf = std::fs::read_to_string(data.join("postgresql.conf")).unwrap();
        conf.push_str(&settings);
        std::fs::write(data.join("postgresql.conf"), conf).unwrap();
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        given.run("pg_ctl", |c| {
            c.args(["start", "-w", "-s", "-D"])
                .arg(&data)
                .arg("-l")
                .arg(data.join("log"))
        });
        Some(given)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server's certificate is for `localhost` alone.
    fn certificate(&self) {
        let authority = rcgen::KeyPair::generate().unwrap();
        let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&authority).unwrap();
        let issuer = rcgen::Issuer::new(root, authority);
        let key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();
        std::fs::write(&self.authority, root_certificate.pem()).unwrap();
        std::fs::write(self.folder.path().join("server.pem"), server.pem()).unwrap();
        let file = self.folder.path().join("server.key");
        std::fs::write(&file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some(user) = user() {
            nix::unistd::chown(&file, Some(user.uid), Some(user.gid)).unwrap();
        }
    }

    fn run<'a>(&self, program: &str, arguments: impl FnOnce(&'a mut Command) -> &'a mut Command) {
        // Lives as long as the test: a builder's reference cannot be returned otherwise.
        let command = Box::leak(Box::new(Command::new(self.bin.join(program))));
        command
            .current_dir(self.folder.path())
            .stdout(std::process::Stdio::null());
        if let Some(user) = user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let command = arguments(command);
        assert!(command.status().unwrap().success(), "{program} failed");
    }

    /// How to connect over an address that leads to the server.
    pub fn url(&self, user: &str, password: &str, host: &str, port: u16, mode: &str) -> String {
        let authority = self.authority.display();
        format!("postgresql://{user}:{password}@{host}:{port}/postgres?sslmode={mode}&sslrootcert={authority}")
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let data = self.data();
        self.run("pg_ctl", |c| c.args(["stop", "-m", "immediate", "-s", "-D"]).arg(data));
    }
}

/// PostgreSQL does not run as root.
fn user() -> Option<nix::unistd::User> {
    nix::unistd::geteuid()
        .is_root()
        .then(|| nix::unistd::User::from_name("postgres").unwrap().unwrap())
}

fn debian() -> Option<PathBuf> {
    let majors = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    majors
        .map(|major| major.path().join("bin"))
        .find(|bin| bin.join("initdb").is_file())
}

/// Carries connections to an address, or swallows everything on them without a word.
pub struct Network {
    pub port: u16,
    swallows: AtomicBool,
    /// Set to swallow from the next commit on.
    at_commit: AtomicBool,
}

impl Network {
    pub async fn before(server: u16) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Arc::new(Self {
            port: listener.local_addr().unwrap().port(),
            swallows: AtomicBool::new(false),
            at_commit: AtomicBool::new(false),
        });
        let shared = Arc::clone(&network);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = SocketAddr::from(([127, 0, 0, 1], server));
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else {
                        return;
                    };
                    let (client_reads, client_writes) = client.into_split();
                    let (server_reads, server_writes) = server.into_split();
                    tokio::join!(
                        Arc::clone(&shared).carry(client_reads, server_writes, true),
                        shared.carry(server_reads, client_writes, false)
                    );
                });
            }
        });
        network
    }

    pub fn swallow(&self, all: bool) {
        self.swallows.store(all, Ordering::SeqCst);
    }

    /// Swallows from the answer to the next thing on that a client says, which is carried.
    pub fn swallow_after_the_next_words(&self) {
        self.at_commit.store(true, Ordering::SeqCst);
    }

    async fn carry(
        self: Arc<Self>,
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
        of_client: bool,
    ) {
        let mut buffer = vec![0; 65_536];
        let mut swallowed = false;
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            // What was swallowed once is lost permanently on this connection.
            swallowed |= self.swallows.load(Ordering::SeqCst);
            if swallowed {
                continue;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
            if of_client && self.at_commit.swap(false, Ordering::SeqCst) {
                self.swallow(true);
            }
        }
        if swallowed {
            // Neither side hears of the other's end.
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
    }
}

/// The statements that the page for administrators gives.
pub fn least_rights() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/database.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```sql\n").unwrap();
    let (sql, _) = rest.split_once("```").unwrap();
    sql.replace("database forecall", "database postgres")
}
