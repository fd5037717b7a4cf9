//! What all tests of a run share: one database server and prepared files, made by the example `test_bed` of `tests/hub`.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running bed; ended when it is dropped.
pub struct Bed {
    child: Child,
    variables: Vec<(String, String)>,
}

impl Bed {
    /// Starts the example in the folder of built examples, and waits until it has said what tests need to know: a line
    /// `NAME=VALUE` for each variable of their environment, then an empty line.
    ///
    /// # Errors
    /// It does not start, or ends before that.
    pub fn make(examples: &Path) -> Result<Self> {
        let program = examples.join("test_bed");
        println!("$ {}", program.display());
        let mut child = Command::new(&program)
            // Held open until the end of this program, however it ends: then the bed ends too.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("the bed has no output")?).lines();
        let mut variables = Vec::new();
        loop {
            let line = lines.next().transpose()?;
            match line.as_deref() {
                Some("") => return Ok(Self { child, variables }),
                Some(line) => {
                    let (name, value) = line.split_once('=').context("a line of the bed without `=`")?;
                    variables.push((name.to_owned(), value.to_owned()));
                }
                None => bail!("{} ended before it was ready: {}", program.display(), child.wait()?),
            }
        }
    }

    /// What tests find in their environment.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Drop for Bed {
    /// Waits until its server has stopped and its files are gone.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => {}
            other => println!("test: the bed did not clear up: {other:?}"),
        }
    }
}
