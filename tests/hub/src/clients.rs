//! Clients that nobody here wrote, of MQTT and of HTTP, as processes: `cargo xtask setup test` installs them into `target/clients`.

use crate::hub::project;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What a client does takes less, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that does what a line of JSON says and tells in lines of JSON what happens to it.
pub struct Client {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// What happened while something else was waited for.
    unheard: VecDeque<Value>,
}

impl Client {
    /// paho-mqtt, from PyPI.
    pub fn paho() -> Result<Self> {
        Self::python("paho", "paho_client.py")
    }

    /// ThingsBoard's client for devices, from PyPI.
    pub fn thingsboard() -> Result<Self> {
        Self::python("thingsboard", "thingsboard_client.py")
    }

    /// MQTT.js, from npm.
    pub fn mqtt_js() -> Result<Self> {
        let mut command = Command::new("node");
        command.env("NODE_PATH", installed("node/node_modules")?);
        Self::start("MQTT.js", command, "mqttjs_client.cjs")
    }

    fn python(name: &'static str, script: &str) -> Result<Self> {
        let python = installed(name)?.join("bin/python");
        Self::start(name, Command::new(python), script)
    }

    fn start(name: &'static str, mut command: Command, script: &str) -> Result<Self> {
        let mut child = command
            .arg(project().join("tests/clients").join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            input: child.stdin.take().context("stdin")?,
            output: BufReader::new(child.stdout.take().context("stdout")?).lines(),
            child,
            unheard: VecDeque::new(),
        })
    }

    /// Has it do something and waits for what comes of it: the first event of a name in `events`.
    ///
    /// # Errors
    /// If that does not come in time, or the client cannot do it.
    pub async fn act(&mut self, act: Value, events: &[&str]) -> Result<Value> {
        self.say(&act).await?;
        self.wait(events)
            .await
            .with_context(|| format!("{} was told {act}", self.name))
    }

    /// Has it do something.
    ///
    /// # Errors
    /// If the client has ended.
    pub async fn say(&mut self, act: &Value) -> Result<()> {
        self.input.write_all(format!("{act}\n").as_bytes()).await?;
        self.input.flush().await.context("the client has ended")
    }

    /// The next event of a name in `events`; others are kept for later.
    ///
    /// # Errors
    /// If it does not come in time, or the client says that it failed.
    pub async fn wait(&mut self, events: &[&str]) -> Result<Value> {
        let wanted = |event: &Value| event["event"].as_str().is_some_and(|name| events.contains(&name));
        if let Some(at) = self.unheard.iter().position(wanted) {
            return self.unheard.remove(at).context("it was there");
        }
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.output.next_line().await? {
                let event: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
                if wanted(&event) {
                    return Ok(event);
                }
                ensure!(event["event"] != "failed", "the client failed: {event}");
                self.unheard.push_back(event);
            }
            bail!("the client ended")
        });
        let name = self.name;
        let waited = found.await;
        waited.with_context(|| format!("{name} did not tell {events:?}; it told {:?}", self.unheard))?
    }

    /// Publishes and waits for the acknowledgement; the reason code, 0 in MQTT 3.1.1.
    ///
    /// # Errors
    /// As [`Client::act`].
    pub async fn publish(&mut self, topic: &str, payload: &str, qos: u8) -> Result<u64> {
        let act = json!({ "do": "publish", "topic": topic, "payload": payload, "qos": qos });
        let published = self.act(act, &["published"]).await?;
        published["code"]
            .as_u64()
            .with_context(|| format!("no code in {published}"))
    }

    /// Subscribes; what was granted, or the reason why not.
    ///
    /// # Errors
    /// As [`Client::act`].
    pub async fn subscribe(&mut self, filter: &str, qos: u8) -> Result<u64> {
        let act = json!({ "do": "subscribe", "filter": filter, "qos": qos });
        let subscribed = self.act(act, &["subscribed"]).await?;
        subscribed["codes"][0]
            .as_u64()
            .with_context(|| format!("no code in {subscribed}"))
    }

    /// What has happened that nobody waited for, by name of the event.
    pub fn unheard(&self, event: &str) -> usize {
        self.unheard.iter().filter(|unheard| unheard["event"] == event).count()
    }

    /// kill -9.
    ///
    /// # Errors
    /// If it has ended already.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the client")
    }
}

/// Runs mosquitto_pub or mosquitto_sub to its end.
///
/// # Errors
/// If it cannot be started or does not end in time.
pub async fn mosquitto(program: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    ended
        .with_context(|| format!("{program} {arguments:?} does not end"))?
        .with_context(|| format!("cannot run {program}"))
}

/// Runs schemathesis in `dir` to its end, with the settings that lie beside its pins.
///
/// # Errors
/// If it is not installed, cannot be started or does not end within `patience`.
pub async fn schemathesis(dir: &Path, arguments: &[&str], patience: Duration) -> Result<Output> {
    let mut command = Command::new(installed("schemathesis")?.join("bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(project().join("tests/clients/schemathesis.toml"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(patience, command.output()).await;
    ended
        .with_context(|| format!("schemathesis does not end within {patience:?}"))?
        .context("cannot run schemathesis")
}

/// Starts mosquitto_sub, whose lines can be read as they come.
///
/// # Errors
/// If it cannot be started.
pub fn mosquitto_sub(arguments: &[&str]) -> Result<(Child, Lines<BufReader<ChildStdout>>)> {
    // It keeps some of its lines back when nobody watches it on a terminal.
    let mut child = Command::new("stdbuf")
        .args(["-oL", "mosquitto_sub"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start mosquitto_sub")?;
    let lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
    Ok((child, lines))
}

/// Starts Debian's mosquitto as a broker at `listen` for anybody, with more lines of settings; its settings lie in `dir`.
///
/// # Errors
/// If it is not installed, or cannot be started.
pub fn mosquitto_broker(dir: &Path, listen: SocketAddr, more: &str) -> Result<Child> {
    let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .context("mosquitto is not installed: apt-get install mosquitto")?;
    // Started by root it would become another user, who may not read here.
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?.map_or("root".into(), |user| user.name);
    let (ip, port) = (listen.ip(), listen.port());
    let settings = format!("listener {port} {ip}\nallow_anonymous true\nuser {user}\n{more}");
    let file = dir.join(format!("mosquitto-{port}.conf"));
    std::fs::write(&file, settings)?;
    Command::new(program)
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start mosquitto")
}

/// A part of `clients` in the target folder that this program was built in.
pub fn found(part: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut places = program.ancestors().map(|folder| folder.join("clients").join(part));
    places.find(|path| path.exists())
}

fn installed(part: &str) -> Result<PathBuf> {
    found(part).with_context(|| format!("target/clients/{part} is missing: run `cargo xtask setup test` first"))
}
