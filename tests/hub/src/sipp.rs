//! A carrier that nobody here wrote: SIPp as the trunk's far side.

use crate::hub::project;
use crate::ports;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// SIPp as a trunk that demands digest authentication (407), answers, and sends a digit by RFC 4733.
pub struct Carrier {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
    log: PathBuf,
}

/// How long after the answer the owner presses 1.
const KEY_AFTER_MS: u32 = 4_000;
/// A wrong argument ends SIPp within this time.
const STARTS_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);
/// The password given to the hub. SIPp 3.6 checks user, realm and nonce; it cannot verify a Proxy-Authorization.
pub const PASSWORD: &str = "a-trunk-password";

impl Carrier {
    /// Starts it; messages are logged into `dir`.
    pub async fn start(dir: &Path) -> Result<Self> {
        let (addr, media) = (ports::udp()?, ports::udp()?);
        let log = dir.join("sipp-messages.log");
        let scenario = project().join("tests/sip/uas-digest-digits.xml");
        let mut child = Command::new("sipp")
            .args([
                "-sf",
                scenario.to_str().context("path")?,
                "-i",
                "127.0.0.1",
                "-mi",
                "127.0.0.1",
                "-nostdin",
            ])
            .args(["-p", &addr.port().to_string(), "-mp", &media.port().to_string()])
            .args(["-key", "digits", "1", "-d", &KEY_AFTER_MS.to_string(), "-rtp_echo"])
            .args(["-trace_msg", "-message_file", log.to_str().context("path")?])
            .current_dir(project().join("tests/sip"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start sipp; install it: apt-get install sip-tester")?;
        tokio::time::sleep(STARTS_WITHIN).await;
        ensure!(
            child.try_wait()?.is_none(),
            "sipp ended at once: run it by hand as in tests/sip/README.md"
        );
        Ok(Self { child, addr, log })
    }

    /// How many INVITEs with credentials came, each dialogue counted once.
    pub fn calls(&self) -> Result<usize> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut ids: Vec<&str> = Vec::new();
        for message in text.split("-----------------------------------------------") {
            let is_invite = message.contains("received")
                && message.contains("\nINVITE ")
                && message.contains("Proxy-Authorization:");
            if let (true, Some(id)) = (is_invite, message.lines().find_map(|l| l.strip_prefix("Call-ID:"))) {
                ids.push(id.trim());
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids.len())
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        ensure!(
            self.child.try_wait()?.is_none(),
            "sipp ended by itself; see {}",
            self.log.display()
        );
        self.child.kill().await?;
        Ok(())
    }
}
