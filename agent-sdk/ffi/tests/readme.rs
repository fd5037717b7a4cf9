//! The example in C that agent-sdk/README.md shows.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const WARNINGS: [&str; 5] = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"];

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_readme_shows_the_example() {
    let readme = include_str!("../../README.md");
    let shown = include_str!("../examples/machine.c");
    assert!(
        readme.contains(shown.trim()),
        "agent-sdk/README.md does not show agent-sdk/ffi/examples/machine.c as it is"
    );
}

/// A C compiler takes it with every warning an error, and it works with the library as cargo has built it for this machine.
#[test]
fn the_example_runs() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine");
    let compiled = Command::new("cc")
        .args(WARNINGS)
        .arg("-I")
        .arg(folder().join("include"))
        .arg(folder().join("tests/machine.c"))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"])
        .arg(&program)
        .status()
        .unwrap();
    assert!(compiled.success());
    let ran = Command::new(&program).status().unwrap();
    assert_eq!(ran.code(), Some(0), "the number of the check in tests/machine.c");
}

/// The newest of those that lie beside this test, or above it: cargo keeps one for each set of features.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| folder.read_dir().unwrap());
    let libraries = beside.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libagent_sdk_ffi") && name.ends_with(".a")
    });
    let written_at = |path: &PathBuf| path.metadata().and_then(|data| data.modified());
    let newest = libraries.max_by_key(|path| written_at(path).unwrap_or(SystemTime::UNIX_EPOCH));
    newest.expect("cargo builds the static library with the tests")
}
