//! The images that tests run on boards in QEMU: the device agent in Rust and in C, and minimq beside them. They are put into
//! `boards` of cargo's target folder.

use super::{Board, build};
use crate::run::{cargo, run};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const RUST: &str = "agent-sdk/firmware/qemu-mps2/Cargo.toml";
const C: &str = "agent-sdk/firmware/c-demo";

/// What is built for a processor.
struct Set {
    target: &'static str,
    /// Arguments of cargo.
    images: &'static [&'static str],
}

const SETS: [Set; 2] = [
    Set {
        target: "thumbv7m-none-eabi",
        images: &["--bins", "--features", "foreign"],
    },
    Set {
        target: "thumbv7em-none-eabihf",
        images: &["--bin", "agent"],
    },
];

/// The C program for a processor.
struct CImage {
    board: Board,
    /// As the C compiler calls the processor.
    flags: &'static str,
    /// Of cargo's target folder.
    folder: &'static str,
}

/// The second one is the demo's.
const C_IMAGES: [CImage; 2] = [
    CImage {
        board: Board {
            target: "thumbv7m-none-eabi",
            emulation: "armelf",
            is_gated: false,
        },
        flags: "-mcpu=cortex-m3",
        folder: "boards/c-demo-m3",
    },
    CImage {
        board: Board {
            target: "thumbv7em-none-eabihf",
            emulation: "armelf",
            is_gated: true,
        },
        flags: "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
        folder: "boards/c-demo",
    },
];

/// Builds all of them.
///
/// # Errors
///
/// One does not build; the C program also if the agent in it could panic.
pub fn images() -> Result<()> {
    let workspace = Workspace::load()?;
    let boards = workspace.target_directory.join("boards");
    for set in &SETS {
        let folder = boards.to_str().context("the target folder's name is not UTF-8")?;
        let mut command = cargo(&["build", "--quiet", "--release", "--manifest-path", RUST]);
        command
            .args(["--target", set.target, "--target-dir", folder])
            .args(set.images)
            .current_dir(&workspace.workspace_root);
        run(&mut command)?;
    }
    for image in &C_IMAGES {
        c(&workspace, image)?;
    }
    Ok(())
}

/// Builds the C program, and starts the demo with it in the first home's washing machine.
///
/// # Errors
///
/// It does not build, or the demo does not come to its end.
pub fn demo() -> Result<()> {
    setup::setup(setup::Purpose::DemoFirmware)?;
    let workspace = Workspace::load()?;
    let [_, image] = &C_IMAGES;
    let image = c(&workspace, image)?;
    run(
        cargo(&["run", "--package", "hub-server", "--bin", "forecall", "--", "demo"])
            .arg("--firmware")
            .arg(image)
            .arg("--qemu")
            .arg(setup::qemu(&workspace.target_directory)),
    )
}

/// Builds the C program; gives its image.
fn c(workspace: &Workspace, image: &CImage) -> Result<PathBuf> {
    // Built last for this board with a panic planted, perhaps.
    let library = build(workspace, &image.board, "no-panic-proof")?;
    let folder = workspace.target_directory.join(image.folder);
    cmake(&workspace.workspace_root, &folder, &library, image.flags)?;
    Ok(folder.join("c-demo.elf"))
}

fn cmake(root: &Path, folder: &Path, library: &Path, flags: &str) -> Result<()> {
    // It may have been made by another clone, which cmake refuses.
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    let set = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    let source = root.join(C);
    run(Command::new("cmake")
        .arg("-S")
        .arg(&source)
        .arg("-B")
        .arg(folder)
        .arg("-DCMAKE_BUILD_TYPE=MinSizeRel")
        .arg(format!("-DBOARD_FLAGS={flags}"))
        .arg(set("CMAKE_TOOLCHAIN_FILE", &source.join("arm-none-eabi.cmake")))
        .arg(set("forecall-agent_DIR", &root.join("agent-sdk/ffi/cmake")))
        .arg(set("FORECALL_AGENT_LIBRARY", library)))?;
    run(Command::new("cmake").arg("--build").arg(folder))
}
