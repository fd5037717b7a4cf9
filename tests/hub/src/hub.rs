//! The program as a process.

use crate::approval::Approvals;
use crate::{bed, ports, processes};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A start takes this long at most, on a loaded machine with crash recovery of the database.
const START_MAX: Duration = Duration::from_secs(90);
/// Between two looks at the memory of a command.
const LOOK: Duration = Duration::from_millis(10);

/// Directory and addresses of one hub; survives the hub's process.
pub struct Lab {
    dir: TempDir,
    /// Where devices connect.
    pub mqtt: SocketAddr,
    /// Console and API.
    pub http: SocketAddr,
    /// The hub's SIP user agent.
    pub sip: SocketAddr,
    models: PathBuf,
    path_first: Option<PathBuf>,
    settings: Vec<(String, String)>,
    password: std::sync::Mutex<Option<String>>,
    approvals: std::sync::Mutex<Option<Approvals>>,
}

/// A command that has ended well.
#[derive(Debug)]
pub struct Ran {
    /// What it printed.
    pub said: String,
    /// From its start to its end.
    pub took: Duration,
    /// The most memory that it had in RAM, in bytes.
    pub peak_bytes: u64,
}

/// A running hub. Stopped or killed, it must not have logged an error, unless the test said that errors are right.
pub struct RunningHub {
    child: Child,
    log: PathBuf,
    /// Bytes of the log that hubs before it have written.
    log_before: usize,
    errors_expected: bool,
}

impl Lab {
    /// A fresh directory and free ports. Where the run has a prepared state directory, the hub finds a copy of it: its
    /// first start makes no database.
    ///
    /// # Errors
    /// The directory cannot be made, or no port is free.
    pub fn new() -> Result<Self> {
        let lab = Self::bare()?;
        bed::copy_state(&lab.state())?;
        Ok(lab)
    }

    /// The same without a state directory.
    ///
    /// # Errors
    /// As [`Lab::new`].
    pub fn bare() -> Result<Self> {
        let dir = open_folder()?;
        Ok(Self {
            mqtt: ports::tcp()?,
            http: ports::tcp()?,
            sip: ports::udp()?,
            dir,
            models: project().join("models"),
            path_first: None,
            settings: Vec::new(),
            password: std::sync::Mutex::new(None),
            approvals: std::sync::Mutex::new(None),
        })
    }

    /// The directory for files of the test.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The state directory of the hub.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Programs in this directory are found before all others by hubs started from now on.
    pub fn path_first(&mut self, dir: &Path) {
        self.path_first = Some(dir.to_owned());
    }

    /// Hubs started from now on read their models and profiles there.
    pub fn models(&mut self, dir: PathBuf) {
        self.models = dir;
    }

    /// Hubs, commands and scripts started from now on have this in their environment.
    pub fn set(&mut self, variable: &str, value: impl ToString) {
        self.settings.push((variable.to_owned(), value.to_string()));
    }

    /// Runs a shell script in the lab's directory, with `forecall` in its path and set up as the hub's own commands are.
    /// It ends at the first command that fails; what it said, or an error with that.
    pub async fn script(&self, text: &str) -> Result<String> {
        let output = self.shell(text).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "the script ended with {}\n{said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// The same script, to be started.
    pub fn shell(&self, text: &str) -> Command {
        let mut path = program()
            .parent()
            .map(|dir| dir.display().to_string())
            .unwrap_or_default();
        if let Some(before) = std::env::var_os("PATH") {
            path = format!("{path}:{}", before.to_string_lossy());
        }
        let mut shell = self.set_up(Command::new("bash"));
        shell.args(["-euc", text]).env("PATH", path).current_dir(self.path());
        shell
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.set_up(Command::new(program()));
        command.args(args);
        command
    }

    fn set_up(&self, mut command: Command) -> Command {
        if let Some(dir) = &self.path_first {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", dir.display()));
        }
        command
            .env("FORECALL_STATE_DIR", self.state())
            .env("FORECALL_MODELS_DIR", &self.models)
            .env("FORECALL_MQTT", self.mqtt.to_string())
            .env("FORECALL_HTTP", self.http.to_string())
            .env("FORECALL_SIP", self.sip.to_string())
            .env("RUST_LOG", "info,sqlx=warn,rsipstack=warn,tract=warn")
            .env_remove("DATABASE_URL")
            .envs(self.settings.iter().map(|(variable, value)| (variable, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command of the program to its end; its output, or an error with all it said.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.command(args).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "forecall {args:?} failed\n{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// The same, with how long it took and how much memory.
    pub async fn run_measured(&self, args: &[&str]) -> Result<Ran> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
        let child = command.spawn().context("cannot start forecall")?;
        let pid = child.id().context("it has ended already")?;
        let mut peak_bytes = 0;
        let output = child.wait_with_output();
        tokio::pin!(output);
        let output = loop {
            tokio::select! {
                output = &mut output => break output?,
                // The kernel keeps the highest, but not beyond the process's end.
                () = tokio::time::sleep(LOOK) => peak_bytes = processes::peak_memory(pid).unwrap_or(peak_bytes),
            }
        };
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "forecall {args:?} failed\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(Ran { said, took, peak_bytes })
    }

    /// Starts a command of the program, which is killed with -9 when it is dropped.
    pub fn spawn(&self, args: &[&str]) -> Result<Child> {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("cannot start forecall")
    }

    /// Applies a site file.
    pub async fn apply(&self, site: &str) -> Result<String> {
        let file = self.dir.path().join("site.toml");
        std::fs::write(&file, site)?;
        self.run(&["apply", "-f", file.to_str().context("path")?]).await
    }

    /// Starts `forecall serve` and waits until it says that it is ready.
    pub async fn serve(&self) -> Result<RunningHub> {
        self.serve_until("ready").await
    }

    /// The same on a database that another hub works on: waits until it says that it stands by.
    pub async fn serve_beside(&self) -> Result<RunningHub> {
        self.serve_until("standing by").await
    }

    async fn serve_until(&self, said: &str) -> Result<RunningHub> {
        let log = self.dir.path().join("hub.log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let log_before = usize::try_from(file.metadata()?.len())?;
        let mut child = self
            .command(&["serve"])
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .context("cannot start forecall")?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(rest) = line.strip_prefix("first log-in") {
                    let password = rest.split_whitespace().nth(2).map(str::to_owned);
                    *self.password.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = password;
                }
                if line.starts_with(said) {
                    return Ok(());
                }
            }
            bail!(
                "the hub ended before it was ready:\n{}",
                std::fs::read_to_string(&log).unwrap_or_default()
            )
        };
        tokio::time::timeout(START_MAX, ready)
            .await
            .context("the hub was not ready in time")??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(RunningHub {
            child,
            log,
            log_before,
            errors_expected: false,
        })
    }

    /// From now on a simulated administrator approves every call that is ready to ring, for as long as there is this lab: for tests that
    /// expect a telephone to ring. The hub runs.
    ///
    /// # Errors
    /// The administrator gets no account.
    pub async fn approve_calls(&self) -> Result<()> {
        let approvals = Approvals::start(self).await?;
        *self.approvals.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(approvals);
        Ok(())
    }

    /// The password that the first start printed.
    pub fn password(&self) -> String {
        self.password
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
            .unwrap_or_default()
    }

    /// kill -9 of every process of the hub's own database; how many there were.
    pub fn kill_database(&self) -> usize {
        self.signal_database(Signal::SIGKILL)
    }

    /// A signal to every process of the hub's own database; how many got it.
    pub fn signal_database(&self, signal: Signal) -> usize {
        let processes = processes::all().unwrap_or_default();
        let database = processes::database(&processes, &self.state());
        let told =
            |p: &&processes::Process| i32::try_from(p.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), signal).is_ok());
        database.into_iter().filter(told).count()
    }
}

impl RunningHub {
    /// Waits for the process's end; its exit code.
    pub async fn ended(mut self, limit: Duration) -> Result<Option<i32>> {
        let status = tokio::time::timeout(limit, self.child.wait())
            .await
            .context("the hub did not end")??;
        Ok(status.code())
    }

    /// kill -9 of the hub's process.
    ///
    /// # Errors
    /// There is no such process, or it logged an error that is not expected.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await?;
        self.check_log()
    }

    /// Number of the hub's process.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the hub has ended already")
    }

    /// SIGTERM, and waits for the clean end.
    ///
    /// # Errors
    /// It does not end in time or not cleanly, or it logged an error that is not expected.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the hub has ended already")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait())
            .await
            .context("the hub did not stop")??;
        ensure!(status.success(), "the hub ended with {status}");
        self.check_log()
    }

    /// From now on errors are right, because of what the test does to the hub or its database.
    ///
    /// # Errors
    /// It has logged one already.
    pub fn expect_errors(&mut self) -> Result<()> {
        self.check_log()?;
        self.errors_expected = true;
        Ok(())
    }

    fn check_log(&self) -> Result<()> {
        let errors = self.errors();
        ensure!(
            self.errors_expected || errors.is_empty(),
            "the hub logged errors: {errors:#?}"
        );
        Ok(())
    }

    /// Lines at ERROR so far: each means that a person must look.
    pub fn errors(&self) -> Vec<String> {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let own = String::from_utf8_lossy(log.get(self.log_before..).unwrap_or_default()).into_owned();
        own.lines()
            .filter(|line| line.contains("ERROR"))
            .map(str::to_owned)
            .collect()
    }
}

/// A temporary folder that the database's processes can enter, which may run as another user than the test.
///
/// # Errors
/// It cannot be made.
pub fn open_folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("forecall-test-").tempdir()?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// The project's root.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// The recorded data, where they are present.
pub fn recorded_data() -> Option<PathBuf> {
    let dir = project().join("../shared/data");
    dir.join("skab").is_dir().then_some(dir)
}

/// The program, as cargo built it beside this test.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let found = test
        .ancestors()
        .skip(1)
        .map(|dir| dir.join("forecall"))
        .find(|path| path.is_file());
    found.expect("the program forecall is built first: cargo build -p hub-server")
}
