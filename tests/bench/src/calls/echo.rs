//! Whom the hub is compared with: SIPp, which answers and sends every packet of audio back to where it came from.
//!
//! SIPp echoes at one media port (`-mp`) for all calls: one socket and one thread, and nothing but a receive and a send a
//! packet. The hub has two sockets a call, makes its own packets and listens for keys, so the comparison is not in its favour.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tests_hub::hub::project;
use tests_hub::ports;
use tokio::process::{Child, Command};

/// A wrong argument ends SIPp within this time, and it listens after it.
const STARTS_WITHIN: Duration = Duration::from_millis(500);

/// See the module. It runs until this is dropped.
pub(super) struct Echo {
    child: Child,
    /// Where it is rung.
    pub address: SocketAddr,
}

impl Echo {
    /// Starts it; what it writes goes into `dir`.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        let (address, media) = (ports::udp()?, ports::udp()?);
        let mut child = Command::new("sipp")
            .arg("-sf")
            .arg(project().join("tests/sip/uas-echo.xml"))
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-rtp_echo"])
            .args(["-p", &address.port().to_string(), "-mp", &media.port().to_string()])
            .current_dir(dir)
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
        Ok(Self { child, address })
    }

    /// Number of its process.
    ///
    /// # Errors
    /// It has ended.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("sipp has ended already")
    }
}
