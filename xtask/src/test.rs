//! `xtask test`: everything a stranger or a CI needs to know that this checkout works.

mod bed;
mod counts;
mod times;

use crate::run::{Output, cargo, run, run_reading, succeeds};
use crate::workspace::Workspace;
use crate::{setup, tidy};
use anyhow::{Result, ensure};
use bed::Bed;
use counts::{Counts, Runner};
use std::path::Path;
use std::process::Command;
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
    let docs_held = run_read(
        cargo(&["test", "--workspace", "--doc"]),
        Runner::Cargo,
        &mut counts,
        &mut times,
    )?;
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
    let (mut command, runner) = if is_nextest_here {
        // Every test's line is read for its time; those of tests that passed are not printed.
        let command = cargo(&["nextest", "run", "--workspace", "--status-level", "pass"]);
        (command, Runner::Nextest)
    } else {
        // One thread: tests on loopback measure deadlines, and only nextest can hold just those apart.
        let arguments = ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"];
        let mut command = cargo(&arguments);
        command.args(["--", "--test-threads", "1"]);
        (command, Runner::Cargo)
    };
    command.envs(bed.variables());
    run_read(command, runner, counts, times)
}

fn run_read(mut command: Command, runner: Runner, counts: &mut Counts, times: &mut Times) -> Result<bool> {
    let output = match runner {
        Runner::Cargo => Output::Stdout,
        Runner::Nextest => Output::Stderr,
    };
    run_reading(&mut command, output, |line| {
        if let Some(found) = Counts::parse(runner, line) {
            counts.add(found);
        }
        !times.note(line)
    })
}
