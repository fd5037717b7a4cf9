//! Numbers as people and programs write them, with a point or a comma.

/// Words for a value that is not there, whatever the case of their letters.
const MISSING: [&str; 20] = [
    "-", "--", "---", "–", "—", "?", ".", "na", "n/a", "n.a.", "#n/a", "#nv", "null", "(null)", "none", "nil", "\\n",
    "empty", "missing", "#null!",
];

const NOT_ONE: &str = "write the number alone, without a unit, and leave the field empty where there is no value";
const THOUSANDS: &str = "write it without separators of thousands, as in 1234.5";
const TWO_WAYS: &str =
    "it may be a decimal comma or a separator of thousands: write 1.234 or 1234, or put semicolons between the columns";
const MIXED: &str =
    "lines above write their decimals the other way: use either the point or the comma in all of the file";

/// How a file writes its numbers, as far as it has been read.
pub(crate) struct Numbers {
    delimiter: u8,
    /// Its decimal mark, once a number had one.
    mark: Option<char>,
}

impl Numbers {
    /// Of a file whose columns are parted so.
    pub(crate) fn new(delimiter: u8) -> Self {
        Self { delimiter, mark: None }
    }

    /// The value of a field, `None` where it says that there is none. What it says of one that cannot be read is what to do.
    pub(crate) fn read(&mut self, text: &str) -> Result<Option<f64>, &'static str> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(value) = text.parse::<f64>() {
            if text.contains('.') {
                self.note('.')?;
            }
            return Ok(Some(value).filter(|value| value.is_finite()));
        }
        if MISSING.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Ok(None);
        }
        match text.to_ascii_lowercase().as_str() {
            "true" => return Ok(Some(1.0)),
            "false" => return Ok(Some(0.0)),
            _ => {}
        }
        self.with_comma(&text.replace('\u{2212}', "-"))
    }

    fn with_comma(&mut self, text: &str) -> Result<Option<f64>, &'static str> {
        let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
        if let Some(value) = number(text) {
            return Ok(Some(value));
        }
        // Spaces and apostrophes stand between thousands too.
        let bare: String = text
            .chars()
            .filter(|c| !matches!(c, ',' | '.' | '\'' | '’') && !c.is_whitespace())
            .collect();
        if number(&bare).is_none() {
            return Err(NOT_ONE);
        }
        let decimals = text.split_once(',').filter(|(_, decimals)| !decimals.contains(','));
        let Some((whole, decimals)) = decimals else {
            return Err(THOUSANDS);
        };
        let Some(value) = number(&format!("{whole}.{decimals}")) else {
            return Err(THOUSANDS);
        };
        if self.delimiter != b';' && self.mark != Some(',') && may_be_thousands(whole, decimals) {
            return Err(TWO_WAYS);
        }
        self.note(',')?;
        Ok(Some(value))
    }

    fn note(&mut self, mark: char) -> Result<(), &'static str> {
        match self.mark.replace(mark) {
            Some(before) if before != mark => Err(MIXED),
            _ => Ok(()),
        }
    }
}

/// Three digits behind a comma, and one to three before it that do not begin with a zero.
fn may_be_thousands(whole: &str, decimals: &str) -> bool {
    let whole = whole.trim_start_matches(['+', '-']);
    decimals.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
}
