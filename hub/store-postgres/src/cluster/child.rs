//! Programs of PostgreSQL, each with a deadline.

use super::ClusterError;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Most of a program's words that go into an error, in characters.
const OUTPUT_MAX: usize = 2_000;

/// Runs to the end; answers with what it printed, or fails with what it said.
pub(super) async fn run(mut command: Command, program: &str, limit: Duration) -> Result<String, ClusterError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(program, &error.to_string())),
        Err(_) => {
            return Err(ClusterError::Deadline {
                program: program.to_owned(),
                seconds: limit.as_secs(),
            });
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(failed(program, &format!("{} {complained}{said}", output.status)))
}

fn failed(program: &str, output: &str) -> ClusterError {
    ClusterError::Program {
        program: program.to_owned(),
        output: end_of(output).to_owned(),
    }
}

/// The end of a text, which is where the reason stands.
pub(super) fn end_of(text: &str) -> &str {
    let text = text.trim();
    let from = text.char_indices().rev().nth(OUTPUT_MAX).map_or(0, |(at, _)| at);
    &text[from..]
}
