//! What the device agent costs, as a table: printed, and written to a file of the target folder, which a CI may keep.

use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// In the target folder.
const FILE: &str = "firmware-sizes.md";
/// Where tests note how deep stacks went, beside the images: a file `stack-{image}.txt` with a number each.
const BOARDS: &str = "boards";

/// One line of the table: a figure for each board.
pub struct Row {
    /// What is measured.
    pub what: &'static str,
    /// Of each board.
    pub bytes: Vec<u64>,
    /// No more than this, where it is gated.
    pub bar: u64,
}

impl Row {
    /// Without figures yet.
    pub fn new(what: &'static str, bar: u64) -> Self {
        Self {
            what,
            bytes: Vec::new(),
            bar,
        }
    }
}

/// All of them.
pub struct Table<'a> {
    /// The boards' targets; bars are those of the first.
    pub targets: Vec<&'static str>,
    /// Figures of the agent.
    pub rows: &'a [Row],
    /// Flash of others for the first board.
    pub others: &'a [(&'static str, u64)],
}

impl Table<'_> {
    /// Prints it and writes it to its file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, target: &Path) -> Result<()> {
        let file = target.join(FILE);
        // Those of an earlier run are no figures of this one.
        for (note, ..) in stacks(&target.join(BOARDS))? {
            std::fs::remove_file(&note).with_context(|| format!("could not remove {}", note.display()))?;
        }
        let text = self.text();
        println!(
            "firmware: bytes at opt-level z, optimised as a whole; also in {}",
            file.display()
        );
        print!("{text}");
        std::fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))
    }

    fn text(&self) -> String {
        let mut text = String::from("| bytes |");
        for target in &self.targets {
            let _ = write!(text, " {target} |");
        }
        let bars = self.targets.first().copied().unwrap_or_default();
        let _ = writeln!(text, " bar of {bars} |");
        let _ = writeln!(text, "|{}", " --- |".repeat(self.targets.len() + 2));
        for row in self.rows {
            let _ = write!(text, "| {} |", row.what);
            for bytes in &row.bytes {
                let _ = write!(text, " {bytes} |");
            }
            let _ = writeln!(text, " {} |", row.bar);
        }
        let unknown = " – |".repeat(self.targets.len());
        for (what, bytes) in self.others {
            let _ = writeln!(text, "| flash: {what} | {bytes} |{unknown}");
        }
        text
    }
}

/// Adds what tests have seen of stacks to the file, and prints it.
///
/// # Errors
///
/// A file cannot be read or written.
pub fn add_stacks(target: &Path) -> Result<()> {
    let file = target.join(FILE);
    let Ok(mut text) = std::fs::read_to_string(&file) else {
        return Ok(());
    };
    for (_, image, bytes) in stacks(&target.join(BOARDS))? {
        let line = format!("stack: {image} image in QEMU, painted: {bytes} bytes");
        println!("firmware: {line}");
        let _ = write!(text, "\n{line}\n");
    }
    std::fs::write(&file, text).with_context(|| format!("could not write {}", file.display()))
}

/// Note, image and bytes, in order.
fn stacks(folder: &Path) -> Result<Vec<(PathBuf, String, String)>> {
    let mut found = Vec::new();
    let Ok(entries) = folder.read_dir() else {
        return Ok(found);
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("could not read {}", folder.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(image) = name.strip_prefix("stack-").and_then(|rest| rest.strip_suffix(".txt")) else {
            continue;
        };
        let bytes = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let (image, bytes) = (image.to_owned(), bytes.trim().to_owned());
        found.push((path, image, bytes));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Row, Table};

    #[test]
    fn figures_stand_under_their_boards_and_beside_their_bars() {
        let row = Row {
            bytes: vec![5, 6],
            ..Row::new("flash: all", 7)
        };
        let table = Table {
            targets: vec!["m", "r"],
            rows: &[row],
            others: &[("another", 8)],
        };
        let expected = "| bytes | m | r | bar of m |\n| --- | --- | --- | --- |\n| flash: all | 5 | 6 | 7 |\n\
                        | flash: another | 8 | – | – |\n";
        assert_eq!(table.text(), expected);
    }
}
