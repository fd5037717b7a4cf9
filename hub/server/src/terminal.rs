//! What is said to the person at the terminal: results on standard output; on standard error the log, and how far a long command
//! is. Knows no command and no part of the hub.

mod log;
mod progress;

pub use log::log;
pub use progress::Teller;

use std::fmt::Display;
use std::io::Write;

/// Prints a line of a command's result. A closed pipe is no error worth a panic.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line to standard error, where nobody need listen either.
pub fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
