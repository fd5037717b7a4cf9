//! What all tests of one run share, made once instead of once a test: `cargo xtask test` starts this and gives the tests
//! the variables that it prints. Tests that run without it make their own.
//!
//! It prints `NAME=VALUE` for each variable, then an empty line; it ends, and clears up, when its input ends.
#![expect(clippy::print_stdout, reason = "talks to the program that started it")]

use anyhow::Result;
use std::io::Read;
use tests_hub::bed::Bed;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let bed = Bed::make().await?;
    for (name, value) in bed.variables() {
        println!("{name}={value}");
    }
    println!();
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = ended => {}
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    bed.clear().await?;
    // The thread that reads the input may not have ended.
    std::process::exit(0)
}
