//! `xtask test`: everything a stranger or a CI needs to know that this checkout works.

mod bed;
mod counts;
mod times;

use crate::run::{Output, cargo, run, run_reading, succeeds};
use crate::workspace::{self, Workspace};
use crate::{setup, tidy};
use anyhow::{Result, ensure};
use bed::Bed;
use counts::{Counts, Runner};
use std::collections::BTreeSet;
use std::path::Path;
use times::Times;

/// Sets up, builds, runs all tests and doc tests, tidies, and closes with where the time went and with
/// `N passed, N failed, N skipped`.
pub fn test() -> Result<()> {
    let mut times = Times::start();
    setup::setup(setup::Purpose::Test)?;
    times.end("set-up");
    // Everything at once, so that tests which start the program find it built, with the same features.
    run(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
    times.end("build");
    if !Path::new("../shared/data/skab").is_dir() {
        println!("test: no recorded data at ../shared/data: the tests that replay them do nothing and count as passed");
    }
    let workspace = Workspace::load()?;
    let mut counts = Counts::default();
    let tests_held = run_tests(&workspace, &mut counts, &mut times)?;
    times.end("tests");
    let docs_held = run_doc_tests(&workspace, &mut counts)?;
    times.end("doc tests");
    let tidy_result = tidy::tidy();
    times.end("house rules");
    for line in times.lines() {
        println!("{line}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.skipped
    );
    tidy_result?;
    ensure!(tests_held && docs_held, "tests failed: see above");
    ensure!(counts.passed > 0, "no test ran");
    Ok(())
}

fn run_tests(workspace: &Workspace, counts: &mut Counts, times: &mut Times) -> Result<bool> {
    let bed = Bed::make(&workspace.target_directory.join("debug/examples"))?;
    let is_nextest_here = succeeds(&mut cargo(&["nextest", "--version"]));
    let (mut command, runner, output) = if is_nextest_here {
        // Every test's line is read for its time; those of tests that passed are not printed.
        let command = cargo(&["nextest", "run", "--workspace", "--status-level", "pass"]);
        (command, Runner::Nextest, Output::Stderr)
    } else {
        // One thread: tests on loopback measure deadlines, and only nextest can hold just those apart.
        let arguments = ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"];
        let mut command = cargo(&arguments);
        command.args(["--", "--test-threads", "1"]);
        (command, Runner::Cargo, Output::Stdout)
    };
    command.envs(bed.variables());
    run_reading(&mut command, output, |line| {
        if let Some(found) = Counts::parse(runner, line) {
            counts.add(found);
        }
        !times.note(line)
    })
}

/// Crates without an example in their documentation are not built once more to find that out.
fn run_doc_tests(workspace: &Workspace, counts: &mut Counts) -> Result<bool> {
    let documented = with_doc_tests(workspace)?;
    if documented.is_empty() {
        println!("test: no crate has examples in its documentation");
        return Ok(true);
    }
    let mut command = cargo(&["test", "--doc"]);
    for package in documented {
        command.args(["--package", &package]);
    }
    run_reading(&mut command, Output::Stdout, |line| {
        if let Some(found) = Counts::parse(Runner::Cargo, line) {
            counts.add(found);
        }
        true
    })
}

fn with_doc_tests(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let root = &workspace.workspace_root;
    let mut found = BTreeSet::new();
    for file in workspace::files(root)? {
        let is_rust = file.extension().is_some_and(|extension| extension == "rs");
        if !is_rust || !std::fs::read_to_string(root.join(&file)).is_ok_and(|text| has_example(&text)) {
            continue;
        }
        let owners = workspace.packages.iter().filter(|package| file.starts_with(package.folder(root)));
        found.extend(owners.map(|package| package.name.clone()));
    }
    Ok(found)
}

fn has_example(source: &str) -> bool {
    source
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("//"))
        .filter_map(|comment| comment.strip_prefix(['/', '!']))
        .any(|doc| doc.trim_start().starts_with("```"))
}

#[cfg(test)]
mod tests {
    use super::has_example;

    #[test]
    fn an_example_is_a_fence_in_a_doc_comment() {
        assert!(has_example("/// Adds.\n///\n/// ```\n/// assert!(true);\n/// ```\nfn add() {}"));
        assert!(has_example("    //! ```text"));
        assert!(!has_example("// ``` is no doc comment\nlet fence = \"```\";"));
    }
}
