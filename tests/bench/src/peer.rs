//! Other brokers as processes of their own: Debian's mosquitto, and rumqttd with its own listener.

use crate::broker::{Broker, Proof};
use crate::client::Identity;
use crate::tls::Certificate;
use anyhow::{Context, Result, bail, ensure};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests_hub::ports;
use tokio::process::{Child, Command};

/// From a start to the first connection.
const START_MAX: Duration = Duration::from_secs(20);
/// Where Debian puts it; not on everybody's path.
const MOSQUITTO: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// What mosquitto does about a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    Off,
    /// What Debian's package sets: what it has in memory is written when it ends and every 30 minutes. A message that is
    /// acknowledged in between is lost with the machine's power.
    Periodic,
    /// The whole of it is written again after each change; acknowledgements do not wait for that either.
    EachChange,
}

/// A peer that runs until this is dropped.
pub struct Peer {
    /// How to load it.
    pub broker: Broker,
    command: Box<dyn Fn() -> Command + Send>,
    child: Child,
    _dir: TempDir,
}

impl Peer {
    /// Debian's mosquitto on a free port, with bounds off so that it drops nothing.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn mosquitto(name: &'static str, persistence: Persistence) -> Result<Self> {
        let clean_session = persistence == Persistence::Off;
        Self::mosquitto_with(name, clean_session, |dir| {
            Ok(match persistence {
                Persistence::Off => "allow_anonymous true\n".into(),
                Persistence::Periodic => format!("allow_anonymous true\n{}", location(dir)),
                Persistence::EachChange => format!(
                    "allow_anonymous true\n{}autosave_on_changes true\nautosave_interval 1\n",
                    location(dir)
                ),
            })
        })
        .await
    }

    /// The same without persistence, for these users with their passwords only, or over TLS too.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn mosquitto_with_users(name: &'static str, users: &[Identity]) -> Result<Self> {
        Self::mosquitto_with(name, true, |dir| {
            let file = dir.join("passwords");
            write_passwords(&file, users)?;
            Ok(format!("allow_anonymous false\npassword_file {}\n", file.display()))
        })
        .await
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn mosquitto_with_tls(name: &'static str, certificate: &Certificate) -> Result<Self> {
        let lines = format!(
            "allow_anonymous true\ncertfile {}\nkeyfile {}\n",
            certificate.chain.display(),
            certificate.key.display()
        );
        Self::mosquitto_with(name, true, |_| Ok(lines)).await
    }

    async fn mosquitto_with(
        name: &'static str,
        clean_session: bool,
        settings: impl FnOnce(&Path) -> Result<String>,
    ) -> Result<Self> {
        let program = MOSQUITTO
            .iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())
            .context("mosquitto is not installed: apt-get install mosquitto")?;
        let dir = directory()?;
        let address = ports::tcp()?;
        let file = dir.path().join("mosquitto.conf");
        std::fs::write(&file, mosquitto_settings(address) + &settings(dir.path())?)?;
        let command = move || {
            let mut command = Command::new(&program);
            command.arg("-c").arg(&file);
            command
        };
        Self::start(
            name,
            address,
            dir,
            Proof::Delivered { clean_session },
            Box::new(command),
        )
        .await
    }

    /// rumqttd as it comes.
    ///
    /// # Errors
    /// The example `stock_rumqttd` is not built, or does not start.
    pub async fn rumqttd(name: &'static str) -> Result<Self> {
        let program = stock_rumqttd()?;
        let address = ports::tcp()?;
        let command = move || {
            let mut command = Command::new(&program);
            command.arg(address.to_string());
            command
        };
        let proof = Proof::Delivered { clean_session: true };
        Self::start(name, address, directory()?, proof, Box::new(command)).await
    }

    async fn start(
        name: &'static str,
        address: SocketAddr,
        dir: TempDir,
        proof: Proof,
        command: Box<dyn Fn() -> Command + Send>,
    ) -> Result<Self> {
        let child = spawn(&*command)?;
        let pid = child.id().with_context(|| format!("{name} has ended already"))?;
        let broker = Broker {
            name,
            address,
            pid,
            state: None,
            proof,
        };
        let mut peer = Self {
            broker,
            command,
            child,
            _dir: dir,
        };
        peer.listening().await?;
        Ok(peer)
    }

    /// kill -9.
    ///
    /// # Errors
    /// There is no such process.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// A new process at the same address; when it listens.
    ///
    /// # Errors
    /// It does not start again.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&*self.command)?;
        self.broker.pid = self.child.id().context("it has ended already")?;
        self.listening().await
    }

    async fn listening(&mut self) -> Result<()> {
        let until = Instant::now() + START_MAX;
        while TcpStream::connect(self.broker.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} instead of listening", self.broker.name);
            }
            if Instant::now() > until {
                bail!("{} does not listen after {START_MAX:?}", self.broker.name);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn spawn(command: &(dyn Fn() -> Command + Send)) -> Result<Child> {
    let mut command = command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.as_std().get_program()))
}

/// Without bounds that would make it drop something, and as fast as it can be.
fn mosquitto_settings(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    // Started by root it would become another user, who may not write into this directory.
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten()
        .map_or("root".into(), |user| user.name);
    format!(
        "listener {port} {ip}\nuser {user}\nlog_dest none\nset_tcp_nodelay true\n\
         max_queued_messages 0\nmax_inflight_messages 0\n"
    )
}

fn location(dir: &Path) -> String {
    format!("persistence true\npersistence_location {}/\n", dir.display())
}

/// Hashed by mosquitto's own program.
fn write_passwords(file: &Path, users: &[Identity]) -> Result<()> {
    let lines: Vec<String> = users
        .iter()
        .map(|who| format!("{}:{}\n", who.user_name, who.secret))
        .collect();
    std::fs::write(file, lines.concat())?;
    let status = std::process::Command::new("mosquitto_passwd")
        .arg("-U")
        .arg(file)
        .status()
        .context("mosquitto_passwd")?;
    ensure!(status.success(), "mosquitto_passwd ended with {status}");
    Ok(())
}

fn directory() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("forecall-bench-").tempdir()?)
}

/// Beside the examples, which a test of this crate finds one directory further.
fn stock_rumqttd() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    this.ancestors()
        .skip(1)
        .flat_map(|dir| [dir.join("stock_rumqttd"), dir.join("examples/stock_rumqttd")])
        .find(|path| path.is_file())
        .context("the peer is built first: cargo build -p tests-bench --example stock_rumqttd")
}
