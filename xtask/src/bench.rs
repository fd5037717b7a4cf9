//! `xtask bench`: every example of the workspace whose name starts with `bench_`, so that no list can go stale; or those
//! that are named.

use crate::run::{cargo, run};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::Command;

/// The benchmark that stands beside onnxruntime, where that can be installed.
const BESIDE_ONNXRUNTIME: &str = "bench_predict";

/// Runs the benchmarks of these names, or all; also after one missed its bar. Fails at the end if any did.
pub fn bench(names: &[String]) -> Result<()> {
    setup::setup(setup::Purpose::Test)?;
    let workspace = Workspace::load()?;
    let benchmarks: Vec<&str> = workspace
        .packages
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.name.starts_with("bench_") && target.kind.iter().any(|kind| kind == "example"))
        .map(|target| target.name.as_str())
        .collect();
    let benchmarks = chosen(benchmarks, names)?;
    if benchmarks.contains(&BESIDE_ONNXRUNTIME)
        && let Err(error) = setup::install_onnxruntime(&workspace.target_directory)
    {
        println!("set-up: {BESIDE_ONNXRUNTIME} runs without its peer: {error:#}");
    }
    // Benchmarks run the program, and peers, as processes of their own, so they must be the ones of this source. As part of
    // the workspace: for one package alone every crate would be compiled again, with fewer features. In release, as the
    // peers beside them are built.
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--release",
        "--workspace",
        "--bins",
        "--examples",
    ]))?;
    let examples = workspace.target_directory.join("release/examples");
    let mut missed = Vec::new();
    for name in &benchmarks {
        println!("{name}");
        if run(&mut Command::new(examples.join(name))).is_err() {
            missed.push(*name);
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

fn chosen<'a>(all: Vec<&'a str>, names: &[String]) -> Result<Vec<&'a str>> {
    if all.is_empty() {
        bail!("no benchmark found: add an example named bench_… to the crate it measures");
    }
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("no benchmark {unknown}; there are {}", all.join(", "));
    }
    let wanted = |example: &&str| names.is_empty() || names.iter().any(|name| name == example);
    Ok(all.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn all_or_those_that_are_named() {
        let all = || vec!["bench_x", "bench_y"];
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &["bench_y".into()]).unwrap(), ["bench_y"]);
        assert!(chosen(all(), &["bench_z".into()]).is_err());
        assert!(chosen(Vec::new(), &[]).is_err());
    }
}
