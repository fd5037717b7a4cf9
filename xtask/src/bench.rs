//! `xtask bench`: every example of the workspace whose name starts with `bench_`, so that no list can go stale; or those
//! that are named.

use crate::run::{cargo, run};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// Runs the benchmarks of these names, or all; also after one missed its bar. Fails at the end if any did.
pub fn bench(names: &[String]) -> Result<()> {
    setup::setup(setup::Purpose::Test)?;
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
    let benchmarks = chosen(benchmarks, names)?;
    // Benchmarks run the program, and peers, as processes of their own, so they must be the ones of this source.
    run(&mut cargo(&["build", "--quiet", "--package", "hub-server"]))?;
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--package",
        "tests-bench",
        "--examples",
    ]))?;
    let mut missed = Vec::new();
    for (package, example) in &benchmarks {
        println!("{example}");
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

fn chosen<'a>(all: Vec<(&'a str, &'a str)>, names: &[String]) -> Result<Vec<(&'a str, &'a str)>> {
    if all.is_empty() {
        bail!("no benchmark found: add an example named bench_… to the crate it measures");
    }
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(_, known)| known == name)) {
        let known: Vec<&str> = all.iter().map(|(_, example)| *example).collect();
        bail!("no benchmark {unknown}; there are {}", known.join(", "));
    }
    let wanted = |(_, example): &(&str, &str)| names.is_empty() || names.iter().any(|name| name == example);
    Ok(all.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn all_or_those_that_are_named() {
        let all = || vec![("a", "bench_x"), ("b", "bench_y")];
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &["bench_y".into()]).unwrap(), [("b", "bench_y")]);
        assert!(chosen(all(), &["bench_z".into()]).is_err());
        assert!(chosen(Vec::new(), &[]).is_err());
    }
}
