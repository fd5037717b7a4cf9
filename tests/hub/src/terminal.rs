//! A terminal at which a test follows a document: a shell whose lines are read as they come, and at which keys are typed.

use crate::hub::Lab;
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

/// See the module. What runs in it is killed when it is dropped.
pub struct Terminal {
    child: Child,
    group: Pid,
    keys: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    /// Starts a shell script in the lab's directory, as [`Lab::script`] does, and goes on while it runs.
    ///
    /// # Errors
    /// It does not start.
    pub fn open(lab: &Lab, text: &str) -> Result<Self> {
        let mut child = lab
            .shell(text)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            group: Pid::from_raw(i32::try_from(child.id().context("it has ended already")?)?),
            keys: child.stdin.take().context("stdin")?,
            lines: BufReader::new(child.stdout.take().context("stdout")?).lines(),
            child,
        })
    }

    /// Waits for a line with `words`; the line.
    ///
    /// # Errors
    /// None comes in time, or everything that runs in it ends before.
    pub async fn shows(&mut self, words: &str, patience: Duration) -> Result<String> {
        let mut shown = Vec::new();
        let look = async {
            while let Some(line) = self.lines.next_line().await? {
                shown.push(line.clone());
                if line.contains(words) {
                    return Ok(line);
                }
            }
            bail!("it ended")
        };
        let found = timeout(patience, look)
            .await
            .context("not in time")
            .and_then(|found| found);
        found.with_context(|| format!("no line with `{words}`, but:\n{}", shown.join("\n")))
    }

    /// Types keys, as they are.
    ///
    /// # Errors
    /// Nobody reads them any more.
    pub async fn type_keys(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).await?;
        Ok(self.keys.flush().await?)
    }

    /// Ctrl-C to everything that runs in it; waits until all has ended.
    ///
    /// # Errors
    /// Something goes on.
    pub async fn interrupt(mut self, patience: Duration) -> Result<()> {
        killpg(self.group, Signal::SIGINT)?;
        let ends = async { while let Ok(Some(_)) = self.lines.next_line().await {} };
        timeout(patience, ends).await.context("it goes on after Ctrl-C")?;
        timeout(patience, self.child.wait())
            .await
            .context("its shell goes on")??;
        Ok(())
    }

    /// Waits for the end of the script; what it still said.
    ///
    /// # Errors
    /// It goes on, or its last command failed.
    pub async fn ends(mut self, patience: Duration) -> Result<String> {
        let rest = async {
            let mut said = String::new();
            while let Some(line) = self.lines.next_line().await? {
                said.push_str(&line);
                said.push('\n');
            }
            anyhow::Ok((said, self.child.wait().await?))
        };
        let (said, status) = timeout(patience, rest).await.context("it goes on")??;
        ensure!(status.success(), "it ended with {status}\n{said}");
        Ok(said)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The number of one that was waited for may be another's by now.
        if self.child.id().is_some() {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}
