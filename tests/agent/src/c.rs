//! Programs in C, with the device agent's library as cargo has built it for this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Compiles `source`, a file below `agent-sdk/ffi`, into `program`, with every warning an error. For tests of a package
/// that depends on `agent-sdk-ffi`, or is it: with those cargo builds the library. Panics where it fails.
pub fn build(source: &str, program: &Path) {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../agent-sdk/ffi");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(sdk.join("include"))
        .arg(sdk.join(source))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"])
        .arg(program)
        .status()
        .expect("there is a C compiler");
    assert!(compiled.success(), "{source} does not compile");
}

/// The newest of those that lie beside this test, or above it: cargo keeps one for each set of features.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let beside = test
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| folder.read_dir().expect("it holds this test"));
    let libraries = beside
        .map(|entry| entry.expect("it holds this test").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libagent_sdk_ffi") && name.ends_with(".a")
        });
    let written_at = |path: &PathBuf| path.metadata().and_then(|data| data.modified());
    let newest = libraries.max_by_key(|path| written_at(path).unwrap_or(SystemTime::UNIX_EPOCH));
    newest.expect("cargo builds the static library with the tests of what depends on it")
}
