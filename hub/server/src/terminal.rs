//! What is said to the person at the terminal: results on standard output; on standard error the log, and how far a long command
//! is. Knows no command and no part of the hub.

mod log;
mod progress;

pub use log::log;
pub use progress::Teller;

/// Prints a line of a command's result. A closed pipe is no error worth a panic.
pub fn say(line: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
