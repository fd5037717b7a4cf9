//! Why telemetry JSON is refused: the place, and what stands there.

use super::{MAX_JSON_BYTES, MAX_NAME_BYTES};
use crate::{MAX_CHANNELS, MAX_SAMPLES};
use serde_json::Value;

/// Characters of a message that a reason shows.
const SHOWN: usize = 24;

/// Why a JSON message is refused.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Longer than [`MAX_JSON_BYTES`].
    #[error("longer than {MAX_JSON_BYTES} bytes")]
    TooLong,
    /// Not JSON; the source says why.
    #[error("not JSON: line {line}, column {column}, {found}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What stands there, with characters that cannot be seen written out.
        found: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Neither an object nor an array of objects.
    #[error("sample {0} is not an object")]
    NotAnObject(usize),
    /// No sample, or more than [`MAX_SAMPLES`].
    #[error("{0} samples: 1 to {MAX_SAMPLES} are allowed")]
    Samples(usize),
    /// Nothing in it.
    #[error("sample {0} is empty: it holds no value")]
    Empty(usize),
    /// More than [`MAX_CHANNELS`] values.
    #[error("sample {sample} has {count} values: at most {MAX_CHANNELS} are allowed")]
    Values {
        /// Counted from 0.
        sample: usize,
        /// How many there are.
        count: usize,
    },
    /// `ts` without `values`, or not a whole number of milliseconds, or something beside them.
    #[error("sample {sample}: \"ts\" must be whole milliseconds, with \"values\" beside it and nothing else: {found}")]
    Ts {
        /// Counted from 0.
        sample: usize,
        /// What is there.
        found: String,
    },
    /// A name is empty or longer than [`MAX_NAME_BYTES`].
    #[error("sample {0}: a name is empty or longer than {MAX_NAME_BYTES} bytes")]
    Name(usize),
    /// The message holds no number and no boolean at all; the place is that of its first value.
    #[error("sample {sample}: value of \"{name}\" is neither a number nor true or false")]
    Value {
        /// Counted from 0.
        sample: usize,
        /// The name it stands under.
        name: String,
    },
}

impl JsonError {
    pub(super) fn syntax(bytes: &[u8], source: serde_json::Error) -> Self {
        let (line, column) = (source.line(), source.column());
        let found = if source.is_eof() {
            "where it ends".to_owned()
        } else {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            let of_line = lines.nth(line.saturating_sub(1)).unwrap_or_default();
            let rest = of_line.get(column.saturating_sub(1)..).unwrap_or_default();
            format!("at \"{}\"", shown(&String::from_utf8_lossy(rest)))
        };
        Self::Syntax {
            line,
            column,
            found,
            source,
        }
    }

    pub(super) fn ts(sample: usize, ts: &Value) -> Self {
        let found = format!("it is {}", shown(&ts.to_string()));
        Self::Ts { sample, found }
    }

    pub(super) fn beside(sample: usize, name: &str) -> Self {
        let found = format!("there is \"{}\"", shown(name));
        Self::Ts { sample, found }
    }
}

/// The beginning of a text, so that all of it can be seen.
fn shown(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && c != '\u{FEFF}';
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        if is_plain(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_debug());
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
