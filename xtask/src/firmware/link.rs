//! The linker that comes with rustc, on a static library and nothing else: no start-up code, no C library.

use super::elf::Image;
use super::read;
use crate::run::{output_of, run};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a panic would call, and nobody defines: agent-sdk/ffi/src/proof.rs.
const PANIC: &str = "fc_agent_can_panic";

/// What Arm's tables for unwinding name and a C library has. A program that ends where it panics leaves the tables out.
const UNWINDING: [&str; 2] = ["__aeabi_unwind_cpp_pr0=0", "__aeabi_unwind_cpp_pr1=0"];

/// LLVM's linker, which links for every board.
pub struct Linker {
    program: PathBuf,
}

impl Linker {
    /// The one beside the standard library of the rustc that builds this workspace.
    ///
    /// # Errors
    ///
    /// There is none: this rustc was not installed by rustup.
    pub fn find() -> Result<Self> {
        let folder = output_of(Command::new("rustc").args(["--print", "target-libdir"]))?;
        let folder = Path::new(folder.trim()).parent().context("rustc has no folder")?;
        let program = folder.join("bin/rust-lld");
        ensure!(
            program.is_file(),
            "rustc's own linker is not at {}: install Rust by rustup",
            program.display()
        );
        Ok(Self { program })
    }

    /// Links these symbols and all that they need.
    ///
    /// # Errors
    ///
    /// Something that they need is not defined, as what a panic would call; or one of them is not in the library.
    pub fn link(&self, emulation: &str, library: &Path, symbols: &[&str]) -> Result<Image> {
        let file = library.with_extension("elf");
        run(&mut self.command(emulation, library, symbols, &file))
            .with_context(|| format!("if `{PANIC}` is undefined, the agent can panic where the lines above say"))?;
        let image = read(&file)?;
        let missing = symbols.iter().find(|symbol| !image.defines(symbol));
        ensure!(
            missing.is_none(),
            "{} is not in {}",
            missing.unwrap_or(&""),
            library.display()
        );
        Ok(image)
    }

    /// Sees that a library which can panic does not link, and for no other reason.
    ///
    /// # Errors
    ///
    /// It links, or fails to for another reason.
    pub fn refuses_panic(&self, emulation: &str, library: &Path, symbols: &[&str]) -> Result<()> {
        let file = library.with_extension("planted.elf");
        let output = self
            .command(emulation, library, symbols, &file)
            .output()
            .context("could not start the linker")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success(),
            "{} links with a panic planted: the link proves nothing",
            library.display()
        );
        let errors: Vec<&str> = said.lines().filter(|line| line.contains("error:")).collect();
        let is_panic = |line: &&str| line.contains("undefined symbol") && line.contains(PANIC);
        ensure!(
            !errors.is_empty() && errors.iter().all(is_panic),
            "{} does not link with a panic planted, but for another reason:\n{said}",
            library.display()
        );
        Ok(())
    }

    fn command(&self, emulation: &str, library: &Path, symbols: &[&str], file: &Path) -> Command {
        let mut command = Command::new(&self.program);
        // The entry is a number, because there is no start-up code to name.
        command.args(["-flavor", "gnu", "-m", emulation, "--gc-sections", "--entry", "0"]);
        for definition in UNWINDING {
            command.args(["--defsym", definition]);
        }
        for symbol in symbols {
            command.args(["--undefined", symbol]);
        }
        command.arg("-o").arg(file).arg(library);
        command
    }
}
