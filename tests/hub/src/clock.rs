//! The machine's civil clock as a program sees it, set by a test: the program itself is the real one.

use crate::hub::Lab;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

const SOURCE: &str = include_str!("clock.c");

/// The clock of a lab's hubs and commands; its database keeps the machine's.
pub struct SetClock(File);

impl SetClock {
    /// For all that is started in this lab from now on. Built with the compiler that links Rust programs, too.
    ///
    /// # Errors
    /// There is no C compiler.
    pub fn of(lab: &mut Lab) -> Result<Self> {
        let path = |name| lab.path().join(name);
        let (source, library, moved) = (path("clock.c"), path("clock.so"), path("clock"));
        std::fs::write(&source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .output()
            .context("no C compiler")?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        std::fs::write(&moved, 0_i64.to_ne_bytes())?;
        lab.set("LD_PRELOAD", library.display());
        lab.set("TEST_CLOCK", moved.display());
        let file = File::options().write(true).open(&moved)?;
        Ok(Self(file))
    }

    /// Sets it so far ahead of the machine's, or behind; programs that run see that at once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ahead_of_the_machine_s(&self, seconds: i64) -> Result<()> {
        Ok(self.0.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}
