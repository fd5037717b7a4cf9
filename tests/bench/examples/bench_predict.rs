//! Prediction on one thread: rows a second of `forecall score` beside one window a run, the network alone beside onnxruntime,
//! and a simulated hour of 100,000 and of 1,000,000 appliances under family `generic`. Exit code 0 only if every bar is held.
//!
//! `--quick`: some seconds with few rows and appliances, no bar.

use anyhow::Result;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let held = tests_bench::predict::main(std::env::args().nth(1).as_deref())?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
