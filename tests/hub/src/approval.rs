//! Who approves calls: a simulated administrator in the test's own process, or a model that needs no approval.

use crate::hub::{Lab, project};
use anyhow::{Context, Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use hub_lab::administrator::{Administrator, NAME};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Between two looks at what is ready to ring.
const LOOK: Duration = Duration::from_millis(100);

/// Approves every call that is ready to ring, also after the hub was away, until it is dropped.
#[derive(Debug)]
pub(crate) struct Approvals(AbortHandle);

impl Approvals {
    /// From now on, at the running hub of this lab: the simulated administrator gets an account of its own.
    ///
    /// # Errors
    /// The account cannot be made.
    pub(crate) async fn start(lab: &Lab) -> Result<Self> {
        let said = lab.run(&["account", "add", NAME, "--role", "administrator"]).await?;
        let (_, rest) = said.split_once(" with ").context("no password")?;
        let password = rest.split_whitespace().next().context("no password")?.to_owned();
        let http = lab.http;
        let approves = tokio::spawn(async move {
            loop {
                let run = u64::try_from(SystemClock.now().as_nanosecond()).unwrap_or_default();
                // After the hub was away it logs in once more.
                if let Ok(mut administrator) = Administrator::log_in(http, NAME, &password, run).await {
                    while administrator.approve().await.is_ok() {
                        sleep(LOOK).await;
                    }
                }
                sleep(LOOK).await;
            }
        });
        Ok(Self(approves.abort_handle()))
    }
}

impl Drop for Approvals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A copy of the project's models in which the pump rig's states that a fleet has found it right: its calls need no approval. Made up, for
/// tests of how soon a telephone rings.
///
/// # Errors
/// The models cannot be read or written.
pub fn released_models(lab: &Lab) -> Result<PathBuf> {
    const FAMILY: &str = "pump-rig";
    let (from, to) = (project().join("models"), lab.path().join("released-models"));
    std::fs::create_dir_all(to.join(FAMILY))?;
    for entry in std::fs::read_dir(&from)? {
        let name = entry?.file_name();
        if name != FAMILY {
            std::os::unix::fs::symlink(from.join(&name), to.join(&name))?;
        }
    }
    for entry in std::fs::read_dir(from.join(FAMILY))? {
        let name = entry?.file_name();
        std::fs::copy(from.join(FAMILY).join(&name), to.join(FAMILY).join(&name))?;
    }
    state_a_fleet(&to.join(FAMILY).join("manifest.toml"))?;
    Ok(to)
}

fn state_a_fleet(manifest: &Path) -> Result<()> {
    const LABORATORY: &str = "kind = \"laboratory\"";
    const FLEET: &str = "kind = \"fleet\"\nverdicts = { flow_loss = { right = 100, wrong = 0 }, \
        rotor_imbalance = { right = 100, wrong = 0 }, hot_water = { right = 100, wrong = 0 } }";
    let text = std::fs::read_to_string(manifest)?;
    ensure!(text.contains(LABORATORY), "{} states another kind", manifest.display());
    std::fs::write(manifest, text.replacen(LABORATORY, FLEET, 1))?;
    Ok(())
}
