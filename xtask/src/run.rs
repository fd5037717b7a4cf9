//! Child processes: announced before they start, refused with the exact command when they fail.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Prints the command, runs it with this terminal's input and output, and fails unless it exits 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = display(command);
    println!("$ {shown}");
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// Which of a child's two outputs [`run_reading`] looks at; the other goes to the terminal untouched.
#[derive(Clone, Copy)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Like [`run`], but hands each line of one output to `line`, which says whether it is printed. Returns whether the child
/// exited 0.
pub fn run_reading(command: &mut Command, output: Output, mut line: impl FnMut(&str) -> bool) -> Result<bool> {
    let shown = display(command);
    println!("$ {shown}");
    match output {
        Output::Stdout => command.stdout(Stdio::piped()),
        Output::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().with_context(|| format!("could not start `{shown}`"))?;
    if let Some(stdout) = child.stdout.take() {
        each_line(BufReader::new(stdout), &mut line)?;
    } else if let Some(stderr) = child.stderr.take() {
        each_line(BufReader::new(stderr), &mut line)?;
    }
    Ok(child.wait()?.success())
}

fn each_line(mut reader: impl BufRead, line: &mut impl FnMut(&str) -> bool) -> Result<()> {
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        if line(text.trim_end()) {
            print!("{text}");
        }
        bytes.clear();
    }
    Ok(())
}

/// Whether the command exits 0; its output is not shown. `false` also when it cannot be started.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Standard output of a command that must exit 0.
pub fn output_of(command: &mut Command) -> Result<String> {
    let shown = display(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start `{shown}`"))?;
    ensure!(output.status.success(), "`{shown}` failed ({})", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed text that is not UTF-8"))
}

/// The first executable of this name on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
}

/// Whether the path is a file that somebody may execute.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The cargo that runs this program, or the one on `PATH`, in the environment of a person's shell: what `cargo run` has
/// told this program about its own package is left out. Build scripts look at it (ring's does), and everything above them
/// would be compiled again each time a person and a chore take turns.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if of_the_running_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn of_the_running_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

fn display(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Output, of_the_running_package, run_reading};
    use std::process::Command;

    #[test]
    fn what_a_person_has_set_is_kept() {
        assert!(of_the_running_package("CARGO_PKG_NAME") && of_the_running_package("CARGO_MANIFEST_DIR"));
        assert!(!of_the_running_package("CARGO_TARGET_DIR") && !of_the_running_package("CARGO_HOME"));
    }

    #[test]
    fn reads_every_line_and_tells_how_the_child_ended() {
        let mut lines = Vec::new();
        let mut child = Command::new("sh");
        child.args(["-c", "printf 'one\\n\\377two' >&2; exit 3"]);
        let held = run_reading(&mut child, Output::Stderr, |line| {
            lines.push(line.to_owned());
            line.is_empty()
        })
        .unwrap();
        assert!(!held);
        assert_eq!(lines, ["one", "\u{fffd}two"]);
    }
}
