//! The chores of this repository: set-up, checks, tests. `Makefile` only names them.
//!
//! Depends on no other crate of the workspace, so that set-up starts after seconds of compiling.

#![expect(
    clippy::print_stdout,
    reason = "a command line tool talks to the person who started it"
)]

mod bench;
mod check;
mod eval;
mod firmware;
mod results;
mod run;
mod setup;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Chores of the Forecall workspace.
#[derive(Parser)]
#[command(name = "xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what is missing on this machine, saying what and why.
    Setup {
        /// What the machine must be able to do.
        #[arg(value_enum)]
        purpose: setup::Purpose,
    },
    /// Set up, build, run every test, then tidy.
    Test,
    /// Set up, build, run the tests of the telephone side, and say how long they took.
    TestVoice,
    /// Build the device agent for boards: it cannot panic, and is as small as its bars say.
    Firmware,
    /// Set up, and build what boards run in QEMU.
    Images,
    /// Set up, build, and start the demo with firmware in C in the first home's washing machine, on a board in QEMU.
    DemoFirmware,
    /// Set up, build, run what boards do against a hub, and the chore `firmware`.
    TestFirmware,
    /// Fast checks: format, lints, unit tests, tidy.
    Check,
    /// Run every benchmark: each example of the workspace named `bench_*`; or those named here.
    Bench {
        /// Names of examples.
        names: Vec<String>,
    },
    /// Score the models on recorded and simulated appliances, and write the page of results.
    Eval {
        /// In place of all others the long one: so many months that false calls can be counted.
        #[arg(long)]
        long: bool,
    },
    /// Write the page of results from the figures that the evaluations left.
    Results,
    /// The house rules no compiler checks: layering, bans, documents.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Setup { purpose } => setup::setup(purpose),
        Chore::Test => test::test(test::Part::All),
        Chore::TestVoice => test::test(test::Part::Voice),
        Chore::Firmware => firmware::firmware(),
        Chore::Images => setup::setup(setup::Purpose::Test).and_then(|()| firmware::images()),
        Chore::DemoFirmware => firmware::demo(),
        Chore::TestFirmware => test::test(test::Part::Firmware),
        Chore::Check => check::check(),
        Chore::Bench { names } => bench::bench(&names),
        Chore::Eval { long } => eval::eval(long),
        Chore::Results => results::results(),
        Chore::Tidy => tidy::tidy(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace that `RUST_BACKTRACE` would add: nobody debugs the chores.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
