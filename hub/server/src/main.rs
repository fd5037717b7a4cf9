//! `forecall`: one program, many commands. Exit code 0 only when it did what it says.

use clap::Parser;
use hub_server::commands::Cli;
use hub_server::terminal::complain;
use std::time::Duration;

/// The system's allocator keeps what a round of alarms or a start took once, in one pool a thread (ADR 50).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// At the end, what still runs is waited for so long: a task that spins would keep the process from ending.
const LAST_WAIT: Duration = Duration::from_secs(3);

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("error: cannot start: {error}"));
            return std::process::ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(cli.run());
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("error: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}
