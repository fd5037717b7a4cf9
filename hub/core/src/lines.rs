//! Lines of log that strangers can cause. Each kind is shown a few times a second; what goes beyond that is counted, for one
//! line with the number, so that an attack fills no disk. What a stranger wrote is shown cut and in one line.
//!
//! Knows neither log nor clock: callers bring the moment and write the lines.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of one kind in one [`WINDOW`], where nothing else is said.
pub const LINES_MAX: u64 = 10;
/// How long lines of a kind are counted together. What was not shown is asked for this often.
pub const WINDOW: Duration = Duration::from_secs(1);
/// Characters of a stranger's text that are shown.
pub const TEXT_MAX: usize = 200;

#[derive(Debug)]
struct Window {
    since: Instant,
    seen: u64,
}

/// Lines by kind. Kinds are a small fixed set (labels, places in the code), never a stranger's word: so the table is bounded.
#[derive(Debug)]
pub struct Lines<K = &'static str> {
    max: u64,
    windows: Mutex<BTreeMap<K, Window>>,
}

impl<K: Ord + Copy> Default for Lines<K> {
    fn default() -> Self {
        Self::showing(LINES_MAX)
    }
}

impl<K: Ord + Copy> Lines<K> {
    /// Shows `max` lines of each kind in a [`WINDOW`].
    pub fn showing(max: u64) -> Self {
        Self {
            max,
            windows: Mutex::default(),
        }
    }

    /// Whether a line of this kind is to be written now. If not, it is counted for [`Lines::over`].
    pub fn shows(&self, kind: K, now: Instant) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(kind).or_insert(Window { since: now, seen: 0 });
        window.seen += 1;
        window.seen <= self.max
    }

    /// Closes the windows that are over; gives how many lines of each kind were not shown in them. To be asked once a
    /// [`WINDOW`]: until then a kind that has had its lines stays silent.
    pub fn over(&self, now: Instant) -> Vec<(K, u64)> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hidden = Vec::new();
        windows.retain(|kind, window| {
            let open = now.duration_since(window.since) < WINDOW;
            if !open && window.seen > self.max {
                hidden.push((*kind, window.seen - self.max));
            }
            open
        });
        hidden
    }
}

/// A stranger's text as a log shows it: at most [`TEXT_MAX`] characters, then how long it was, and nothing in it that moves a
/// cursor, ends a line or turns the direction of writing.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(TEXT_MAX) {
            if acts(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        match characters.next() {
            Some(_) => write!(f, "… ({} bytes)", self.0.len()),
            None => Ok(()),
        }
    }
}

/// Whether a character does something instead of being seen: control characters, separators of lines, and marks of direction
/// (Unicode Standard Annex #9, table 4).
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_cut_and_does_nothing() {
        let shown = |text: &str| Shown(text).to_string();
        assert_eq!(shown("/tickets/门"), "/tickets/门");
        assert_eq!(shown("a\r\nb\u{1b}[2J\0"), r"a\r\nb\u{1b}[2J\u{0}");
        let marks = shown("\u{85}\u{202e}x\u{2066}\u{2028}");
        assert_eq!(marks, r"\u{85}\u{202e}x\u{2066}\u{2028}");
        assert_eq!(shown(&"门".repeat(TEXT_MAX)), "门".repeat(TEXT_MAX));
        let long = shown(&"A".repeat(64_000));
        assert!(long.starts_with("AAAA") && long.ends_with("A… (64000 bytes)"), "{long}");
        assert_eq!(long.chars().count(), TEXT_MAX + "… (64000 bytes)".chars().count());
        // Escaped, each takes eight characters at most.
        assert!(shown(&"\u{202e}".repeat(64_000)).len() < 10 * TEXT_MAX);
    }
}
