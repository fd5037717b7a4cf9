//! How far a long command is: on a terminal in one line that is written over, else in lines from time to time.

use hub_store_postgres::Progress;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines in a log.
const LOG_PAUSE: Duration = Duration::from_secs(5);
/// Between two changes on a terminal.
const TERMINAL_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub struct Teller {
    terminal: bool,
    told: Option<Instant>,
}

impl Teller {
    /// Tells on standard error.
    pub fn on_standard_error() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            told: None,
        }
    }

    /// Tells, unless it did just now.
    pub fn tell(&mut self, progress: Progress<'_>) {
        let pause = if self.terminal { TERMINAL_PAUSE } else { LOG_PAUSE };
        if self.told.is_some_and(|told| told.elapsed() < pause) {
            return;
        }
        self.told = Some(Instant::now());
        let line = line(progress);
        // Nobody has to listen.
        let _ = if self.terminal {
            write!(std::io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(std::io::stderr(), "{line}")
        };
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.terminal && self.told.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(progress: Progress<'_>) -> String {
    let Progress { what, done, all, unit } = progress;
    match all {
        Some(all) if all > 0 => {
            let percent = done.saturating_mul(100) / all;
            format!("{what}: {done} of {all} {unit} ({}%)", percent.min(100))
        }
        _ => format!("{what}: {done} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_much_of_what() {
        let progress = |done, all| Progress {
            what: "telemetry",
            done,
            all,
            unit: "rows",
        };
        assert_eq!(line(progress(5, Some(20))), "telemetry: 5 of 20 rows (25%)");
        assert_eq!(line(progress(21, Some(20))), "telemetry: 21 of 20 rows (100%)");
        assert_eq!(line(progress(5, None)), "telemetry: 5 rows");
    }
}
