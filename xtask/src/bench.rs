//! `xtask bench`: every example of the workspace whose name starts with `bench_`, so that no list can go stale.

use crate::run::{cargo, run};
use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// Runs all benchmarks, also after one missed its bar; fails at the end if any did.
pub fn bench() -> Result<()> {
    let workspace = Workspace::load()?;
    let benchmarks: Vec<(&str, &str)> = workspace
        .packages
        .iter()
        .flat_map(|package| {
            package
                .targets
                .iter()
                .map(move |target| (package.name.as_str(), target))
        })
        .filter(|(_, target)| target.name.starts_with("bench_") && target.kind.iter().any(|kind| kind == "example"))
        .map(|(package, target)| (package, target.name.as_str()))
        .collect();
    if benchmarks.is_empty() {
        bail!("no benchmark found: add an example named bench_… to the crate it measures");
    }
    // Benchmarks run the program as a process of its own, so it must be the one of this source.
    run(&mut cargo(&["build", "--quiet", "--package", "hub-server"]))?;
    let mut missed = Vec::new();
    for (package, example) in &benchmarks {
        if run(&mut cargo(&[
            "run",
            "--quiet",
            "--package",
            package,
            "--example",
            example,
        ]))
        .is_err()
        {
            missed.push(*example);
        }
    }
    if !missed.is_empty() {
        bail!(
            "{} of {} benchmarks failed or missed their bar: {}",
            missed.len(),
            benchmarks.len(),
            missed.join(", ")
        );
    }
    println!("{} benchmarks: every bar held", benchmarks.len());
    Ok(())
}
