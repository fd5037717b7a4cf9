//! `xtask results`: the page of results, from the files that the evaluations write. Nobody edits the page, and a test holds it to the
//! files, so that what is read is what was measured.

use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::Path;

/// Files of the parts, and the page.
const FIGURES: &str = "models/evaluation/figures";
const PAGE: &str = "models/evaluation/RESULTS.md";

const HEAD: &str = "\
# Results

Written by `cargo xtask results` from what the evaluations measured (`figures/`, by `make eval`, `make eval-long` and the programs in
`models/training`); figures are not edited by hand. Each part names its kind of evidence: *fleet* (real machines in use), *laboratory* (a
real machine, faults made on purpose), *simulated* (a computed machine). Only fleet evidence says how often a call would be wrong in the
field.
";

/// A part, as its program wrote it.
#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    evidence: Evidence,
    /// Hash of the files, or what a simulation was drawn from.
    data: String,
    /// Files below the folder of recorded data, in the order of the hash.
    files: Vec<String>,
    /// Paragraphs and tables, in Markdown.
    lines: Vec<String>,
    found: Vec<Found>,
    bars: Vec<Bar>,
}

/// What figures can say, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Evidence {
    Fleet,
    Laboratory,
    Simulated,
}

/// What a detector found of all that there was, and its false ones.
#[derive(Debug, Deserialize)]
struct Found {
    what: String,
    found: f64,
    of: f64,
    wrong: f64,
    watched: String,
    precision: Option<f64>,
}

/// A figure beside its bound.
#[derive(Debug, Deserialize)]
struct Bar {
    name: String,
    /// None where it is no number; then it does not hold.
    value: Option<f64>,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// Writes the page.
pub fn results() -> Result<()> {
    let root = Workspace::load()?.workspace_root;
    let parts = parts(&root)?;
    let path = root.join(PAGE);
    std::fs::write(&path, page(&parts)).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{PAGE}: {} parts", parts.len());
    Ok(())
}

/// All parts: fleet first, then by name.
fn parts(root: &Path) -> Result<Vec<Part>> {
    let folder = root.join(FIGURES);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let part: Part =
            serde_json::from_str(&text).with_context(|| format!("{} is not a part of results", path.display()))?;
        let stem = path.file_stem().unwrap_or_default();
        ensure!(
            stem == part.name.as_str(),
            "{}: it names itself {}",
            path.display(),
            part.name
        );
        parts.push(part);
    }
    parts.sort_by(|a, b| a.evidence.cmp(&b.evidence).then(a.name.cmp(&b.name)));
    Ok(parts)
}

fn page(parts: &[Part]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "\n## What was found, and what was wrong\n\n\
         Found before the failure, of all faults; wrong: opened without one. Precision: of all that is opened, what is right; of a simulation \
         at one fault a year in a hundred units, unless its part says otherwise.\n\n\
         | evidence | part | what | found | missed | recall | wrong | counted on | precision |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for part in parts {
        for found in &part.found {
            found.row(part, &mut page);
        }
    }
    page.push('\n');
    for part in parts {
        part.text(&mut page);
    }
    let missed = parts.iter().flat_map(|part| &part.bars).filter(|bar| !bar.holds());
    let missed: Vec<&str> = missed.map(|bar| bar.name.as_str()).collect();
    let all = parts.iter().map(|part| part.bars.len()).sum::<usize>();
    let _ = write!(page, "## Bars that are missed\n\n{} of {all}", missed.len());
    if !missed.is_empty() {
        let _ = write!(page, ": {}", missed.join(", "));
    }
    page.push_str(".\n");
    page
}

impl Part {
    fn text(&self, page: &mut String) {
        let hash = if self.files.is_empty() {
            ""
        } else {
            " (SHA-256 of the files, shortened)"
        };
        let _ = writeln!(
            page,
            "## {}\n\nEvidence: *{}*. Data: {}{hash}.\n\n{}\n",
            self.name,
            self.evidence.name(),
            self.data,
            self.lines.join("\n")
        );
        if self.bars.is_empty() {
            return;
        }
        page.push_str("| bar | figure | bound | |\n| --- | --- | --- | --- |\n");
        for bar in &self.bars {
            let verdict = if bar.holds() { "held" } else { "**missed**" };
            let figure = bar.value.map_or("none".to_owned(), |value| format!("{value:.3}"));
            let _ = writeln!(page, "| {} | {figure} | {} | {verdict} |", bar.name, bar.bound());
        }
        page.push('\n');
    }
}

impl Evidence {
    fn name(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Laboratory => "laboratory",
            Self::Simulated => "simulated",
        }
    }
}

impl Found {
    fn row(&self, part: &Part, page: &mut String) {
        let share = |value: f64| format!("{:.1} %", 100.0 * value);
        let (found, missed, recall) = if self.of > 0.0 {
            let missed = self.of - self.found;
            (
                format!("{} of {}", plain(self.found), plain(self.of)),
                plain(missed),
                share(self.found / self.of),
            )
        } else {
            ("-".to_owned(), "-".to_owned(), "-".to_owned())
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {found} | {missed} | {recall} | {} | {} | {} |",
            part.evidence.name(),
            part.name,
            self.what,
            plain(self.wrong),
            self.watched,
            self.precision.map_or("-".to_owned(), share),
        );
    }
}

impl Bar {
    fn holds(&self) -> bool {
        let Some(value) = self.value else { return false };
        self.at_least.is_none_or(|bound| value >= bound) && self.at_most.is_none_or(|bound| value <= bound)
    }

    fn bound(&self) -> String {
        let least = self.at_least.map(|bound| format!("≥ {bound}"));
        let most = self.at_most.map(|bound| format!("≤ {bound}"));
        [least, most].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A count, which may be of runs that were cut in parts.
fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Evidence, PAGE, Part, page, parts, plain};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn the_page_says_what_was_measured() {
        let written = std::fs::read_to_string(root().join(PAGE)).unwrap();
        let parts = parts(&root()).unwrap();
        assert!(
            written == page(&parts),
            "{PAGE} is not what the figures say: run `cargo xtask results`"
        );
        assert!(
            parts.iter().any(|part| part.evidence == Evidence::Fleet),
            "no evidence of a fleet"
        );
    }

    #[test]
    fn figures_are_of_the_data_that_are_here() {
        let data = root().join("../shared/data");
        if !data.is_dir() {
            eprintln!("skipped: no recorded data in {}", data.display());
            return;
        }
        for part in parts(&root()).unwrap().iter().filter(|part| !part.files.is_empty()) {
            let files = part.files.iter().map(|name| data.join(name));
            let mut all = Vec::new();
            files.for_each(|path| all.extend(std::fs::read(path).unwrap()));
            let joined = std::env::temp_dir().join(format!("forecall-results-{}-{}", part.name, std::process::id()));
            std::fs::write(&joined, all).unwrap();
            let hash = Command::new("sha256sum").arg(&joined).output().unwrap();
            std::fs::remove_file(&joined).unwrap();
            let hash = String::from_utf8(hash.stdout).unwrap();
            let message = "was measured on other data: run its program again, then `cargo xtask results`";
            assert_eq!(hash[..part.data.len()], part.data, "{} {message}", part.name);
        }
    }

    #[test]
    fn what_is_missed_is_said() {
        let part: Part = serde_json::from_str(
            r#"{"name": "x", "evidence": "simulated", "data": "seed 1", "files": [], "lines": ["Said."],
                "found": [{"what": "d", "found": 1.5, "of": 2, "wrong": 3, "watched": "10 months", "precision": null}],
                "bars": [{"name": "a", "value": 1, "at_least": 2}, {"name": "b", "value": 1, "at_most": 2},
                         {"name": "c", "value": null, "at_most": 2}]}"#,
        )
        .unwrap();
        let page = page(&[part]);
        assert!(page.contains("| simulated | x | d | 1.5 of 2 | 0.5 | 75.0 % | 3 | 10 months | - |"));
        assert!(page.contains("| a | 1.000 | ≥ 2 | **missed** |") && page.contains("| b | 1.000 | ≤ 2 | held |"));
        assert!(page.ends_with("2 of 3: a, c.\n"), "{page}");
    }

    #[test]
    fn counts_have_no_more_digits_than_they_need() {
        assert_eq!(
            [15.25, 4.0, 0.0, 100.0, 1.5].map(plain),
            ["15.25", "4", "0", "100", "1.5"]
        );
    }
}
