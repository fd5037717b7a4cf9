//! Why a file is refused: the place, what stands there, and what to do.

/// Characters of a field that a message shows.
const SHOWN: usize = 60;
/// Names that a message lists.
const LISTED: usize = 30;

/// Why a file cannot be read as telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file is not readable or not CSV.
    #[error("the file cannot be read as CSV")]
    Csv(#[from] csv::Error),
    /// Reading failed.
    #[error("the file cannot be read")]
    Read(#[from] std::io::Error),
    /// It is another kind of file.
    #[error("the file is {kind}, not CSV: open it with the program that made it, and save or export it as CSV")]
    NotText {
        /// What it is.
        kind: &'static str,
    },
    /// No time column.
    #[error(
        "no time column: name one `datetime` or `timestamp`, or two `date` and `time`; columns are parted by commas, \
         semicolons or tabs; found: {found}"
    )]
    NoTime {
        /// The columns that are there.
        found: String,
    },
    /// A channel has no column.
    #[error("column `{column}` is missing; found: {found}")]
    MissingColumn {
        /// The channel.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// Two columns of one name, of which one would be read.
    #[error("column `{column}` is there twice: delete one of the two, or give it another name")]
    Twice {
        /// Its name.
        column: String,
    },
    /// A line with more or fewer fields than the heading.
    #[error("line {line}: {found} fields, and the heading has {expected}; {advice}")]
    Fields {
        /// Line in the file, the first being 1.
        line: usize,
        /// How many are there.
        found: usize,
        /// How many the heading has.
        expected: usize,
        /// What to do.
        advice: &'static str,
    },
    /// Quotes that take in all that follows.
    #[error("line {line}: a quotation mark (\") opens here and takes in lines that follow: close it or delete it")]
    Quote {
        /// Line in the file, the first being 1.
        line: usize,
    },
    /// A time stamp that is not one.
    #[error("line {line}, column `{column}`: `{text}` is not a time; {advice}")]
    Time {
        /// Line in the file, the first being 1.
        line: usize,
        /// The column, or both.
        column: String,
        /// What is there.
        text: String,
        /// What to do.
        advice: &'static str,
    },
    /// A value that is not a number.
    #[error("line {line}, column `{column}`: `{text}` is not a number; {advice}")]
    Number {
        /// Line in the file, the first being 1.
        line: usize,
        /// The channel.
        column: String,
        /// What is there.
        text: String,
        /// What to do.
        advice: &'static str,
    },
}

/// The beginning of a field, so that all of it can be seen.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Names for a message, the first of them where there are many.
pub(crate) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(shown).collect();
    let (first, others) = names.split_at(names.len().min(LISTED));
    match others.len() {
        0 => first.join(", "),
        count => format!("{}, and {count} more", first.join(", ")),
    }
}
