//! What nobody here wrote, built and linked as the device agent is: minimq, an MQTT client, and embedded-tls.

use super::link::Linker;
use crate::run::{cargo, run};
use crate::workspace::Workspace;
use anyhow::{Context, Result};

const MANIFEST: &str = "agent-sdk/firmware/foreign-size/Cargo.toml";
const TARGET: &str = "thumbv7em-none-eabihf";

/// Flash of each: code, constants, and first values of globals.
///
/// # Errors
///
/// One does not build or link.
pub fn flash_bytes(workspace: &Workspace, linker: &Linker, emulation: &str) -> Result<Foreign> {
    let boards = workspace.target_directory.join("boards");
    let folder = boards.to_str().context("the target folder's name is not UTF-8")?;
    let mut command = cargo(&["build", "--quiet", "--release", "--manifest-path", MANIFEST]);
    command
        .args(["--target", TARGET, "--target-dir", folder])
        .current_dir(&workspace.workspace_root);
    run(&mut command)?;
    let library = boards.join(TARGET).join("release/libforeign_size.a");
    // What a program calls.
    let linked = |functions: &[&str]| Ok::<_, anyhow::Error>(linker.link(emulation, &library, functions)?.flash_bytes);
    Ok(Foreign {
        minimq: linked(&["minimq_run", "minimq_tick"])?,
        tls: linked(&["tls_run"])?,
    })
}

/// In bytes.
pub struct Foreign {
    /// minimq.
    pub minimq: u64,
    /// embedded-tls by a key that both sides have.
    pub tls: u64,
}
