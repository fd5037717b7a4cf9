//! minimq, an MQTT client that nobody here wrote, built and linked as the device agent is.

use super::link::Linker;
use crate::run::{cargo, run};
use crate::workspace::Workspace;
use anyhow::{Context, Result};

const MANIFEST: &str = "agent-sdk/firmware/minimq-size/Cargo.toml";
const TARGET: &str = "thumbv7em-none-eabihf";
/// What a program calls.
const FUNCTIONS: [&str; 2] = ["minimq_run", "minimq_tick"];

/// Its code, constants, and first values of globals.
///
/// # Errors
///
/// It does not build or link.
pub fn flash_bytes(workspace: &Workspace, linker: &Linker, emulation: &str) -> Result<u64> {
    let boards = workspace.target_directory.join("boards");
    let folder = boards.to_str().context("the target folder's name is not UTF-8")?;
    let mut command = cargo(&["build", "--quiet", "--release", "--manifest-path", MANIFEST]);
    command
        .args(["--target", TARGET, "--target-dir", folder])
        .current_dir(&workspace.workspace_root);
    run(&mut command)?;
    let library = boards.join(TARGET).join("release/libminimq_size.a");
    Ok(linker.link(emulation, &library, &FUNCTIONS)?.flash_bytes)
}
