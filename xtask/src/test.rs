//! `xtask test`: everything a stranger or a CI needs to know that this checkout works; `xtask test-voice`: the telephone side's
//! part of it, and `xtask test-firmware`: the boards'.

mod bed;
mod counts;
mod times;

use crate::run::{Output, cargo, run, run_reading, succeeds};
use crate::workspace::Workspace;
use crate::{firmware, setup, tidy};
use anyhow::{Result, ensure};
use bed::Bed;
use counts::{Counts, Runner};
use std::path::Path;
use std::process::Command;
use times::Times;

/// Which tests are run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Every test and doc test, and the house rules.
    All,
    /// What stands between the hub and a telephone: the crate of calls with its peers, the lab's phones, and an owner who
    /// rings back to a whole hub.
    Voice,
    /// The device agent on boards in QEMU, against a hub; and that it cannot panic, and is as small as its bars say.
    Firmware,
}

/// The tests of [`Part::Voice`] in nextest's language.
const VOICE: &str = "package(hub-voice) + package(hub-lab) + (package(tests-hub) & test(/^inbound::/))";
/// The same for cargo: what stands before `--`, and what is passed to the tests.
const VOICE_BY_CARGO: [(&[&str], &[&str]); 2] = [
    (
        &["--package", "hub-voice", "--package", "hub-lab", "--lib", "--tests"],
        &[],
    ),
    (&["--package", "tests-hub", "--test", "hub"], &["inbound::"]),
];
/// The tests of [`Part::Firmware`] in nextest's language, and for cargo.
const FIRMWARE: &str = "package(tests-firmware)";
const FIRMWARE_BY_CARGO: [(&[&str], &[&str]); 1] = [(&["--package", "tests-firmware", "--tests"], &[])];
const ALL_BY_CARGO: [(&[&str], &[&str]); 1] = [(&["--workspace", "--lib", "--bins", "--tests"], &[])];

/// Sets up, builds, runs the tests of a part, and closes with where the time went and with `N passed, N failed, N skipped`. All
/// are followed by the doc tests and the house rules.
pub fn test(part: Part) -> Result<()> {
    let mut times = Times::start();
    setup::setup(setup::Purpose::Test)?;
    times.end("set-up");
    // Everything at once, so that tests which start the program find it built, with the same features.
    run(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
    times.end("build");
    if part != Part::Voice {
        firmware::firmware()?;
        firmware::images()?;
        times.end("firmware");
    }
    if part == Part::All && !Path::new("../shared/data/skab").is_dir() {
        println!("test: no recorded data at ../shared/data: the tests that replay them do nothing and count as passed");
    }
    let workspace = Workspace::load()?;
    let mut counts = Counts::default();
    let mut held = run_tests(part, &workspace, &mut counts, &mut times)?;
    times.end("tests");
    if part != Part::Voice {
        firmware::add_stacks(&workspace.target_directory)?;
    }
    let mut rules = Ok(());
    if part == Part::All {
        let doc_tests = cargo(&["test", "--workspace", "--doc"]);
        held &= run_read(doc_tests, Runner::Cargo, &mut counts, &mut times)?;
        times.end("doc tests");
        rules = tidy::tidy();
        times.end("house rules");
    }
    for line in times.lines() {
        println!("{line}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.skipped
    );
    rules?;
    ensure!(held, "tests failed: see above");
    ensure!(counts.passed > 0, "no test ran");
    Ok(())
}

fn run_tests(part: Part, workspace: &Workspace, counts: &mut Counts, times: &mut Times) -> Result<bool> {
    let bed = Bed::make(&workspace.target_directory.join("debug/examples"))?;
    let is_nextest_here = succeeds(&mut cargo(&["nextest", "--version"]));
    let (commands, runner) = if is_nextest_here {
        // Every test's line is read for its time; those of tests that passed are not printed.
        let mut command = cargo(&["nextest", "run", "--workspace", "--status-level", "pass"]);
        let filter = match part {
            Part::All => None,
            Part::Voice => Some(VOICE),
            Part::Firmware => Some(FIRMWARE),
        };
        if let Some(filter) = filter {
            command.args(["-E", filter]);
        }
        (vec![command], Runner::Nextest)
    } else {
        (by_cargo(part), Runner::Cargo)
    };
    let mut held = true;
    for mut command in commands {
        command.envs(bed.variables());
        held &= run_read(command, runner, counts, times)?;
    }
    Ok(held)
}

fn by_cargo(part: Part) -> Vec<Command> {
    let parts: &[(&[&str], &[&str])] = match part {
        Part::All => &ALL_BY_CARGO,
        Part::Voice => &VOICE_BY_CARGO,
        Part::Firmware => &FIRMWARE_BY_CARGO,
    };
    let command = |(chosen, passed): &(&[&str], &[&str])| {
        let mut command = cargo(&["test", "--no-fail-fast"]);
        command.args(*chosen);
        // One thread: tests on loopback measure deadlines, and only nextest can hold just those apart.
        command.args(["--", "--test-threads", "1"]).args(*passed);
        command
    };
    parts.iter().map(command).collect()
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
