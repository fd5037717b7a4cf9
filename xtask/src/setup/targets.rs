//! The standard library for boards, by rustup: tests build the device agent for them.

use crate::firmware::TARGETS;
use crate::run::{output_of, run};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Installs what is missing for the rustc that builds this workspace.
///
/// # Errors
///
/// There is no rustup, or it cannot reach its server.
pub fn install() -> Result<()> {
    let mut missing = Vec::new();
    for target in TARGETS {
        if !is_present(target)? {
            missing.push(target);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    println!(
        "set-up: rustc cannot build for {}: tests build the device agent for boards",
        missing.join(", ")
    );
    run(Command::new("rustup").args(["target", "add"]).args(&missing)).with_context(|| {
        format!(
            "could not install; by hand, in this folder: rustup target add {}",
            missing.join(" ")
        )
    })
}

fn is_present(target: &str) -> Result<bool> {
    // The folder is named whether it is there or not.
    let folder = output_of(Command::new("rustc").args(["--print", "target-libdir", "--target", target]))?;
    Ok(Path::new(folder.trim()).is_dir())
}
