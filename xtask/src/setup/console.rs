//! The console's scripts: pinned, from npm, copied into an ignored folder. Optional: pages work without them.

use crate::run::{on_path, run};
use crate::workspace::root;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// What is copied out of the packages: source below `node_modules`, name below `console/vendor`.
const SCRIPTS: [(&str, &str); 2] = [
    ("htmx.org/dist/htmx.min.js", "htmx.min.js"),
    ("htmx.org/dist/ext/hx-sse.min.js", "hx-sse.min.js"),
];

/// Fetches the scripts unless those of the locked version are here. A failure is told, not fatal.
pub fn scripts() {
    let dashboards = root().join("dashboards");
    match fetch(&dashboards) {
        Ok(()) => {}
        Err(error) => println!("set-up: console scripts left out, pages work without them: {error:#}"),
    }
}

fn fetch(dashboards: &Path) -> Result<()> {
    let lock =
        std::fs::read(dashboards.join("package-lock.json")).context("could not read dashboards/package-lock.json")?;
    let vendor = dashboards.join("console/vendor");
    // A copy of the lock file beside the scripts says which versions they are.
    let stamp = vendor.join("package-lock.json");
    if std::fs::read(&stamp).is_ok_and(|stamped| stamped == lock) {
        return Ok(());
    }
    ensure!(on_path("npm").is_some(), "npm is not on PATH");
    println!("set-up: console scripts missing or old: htmx makes the pages live");
    run(Command::new("npm")
        .current_dir(dashboards)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    std::fs::create_dir_all(&vendor).with_context(|| format!("could not create {}", vendor.display()))?;
    for (from, to) in SCRIPTS {
        let source = dashboards.join("node_modules").join(from);
        std::fs::copy(&source, vendor.join(to)).with_context(|| format!("could not copy {}", source.display()))?;
    }
    std::fs::write(&stamp, lock).with_context(|| format!("could not write {}", stamp.display()))
}
