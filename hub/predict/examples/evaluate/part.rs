//! A part of the page of results: what was measured on what, in words, in counts and in bars. Each part is written to a file of its own,
//! from which `cargo xtask results` writes the page.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::bar::{Bar, Bound};

/// Letters of a hash that name the data.
const HASH: usize = 12;

/// What figures can say.
pub enum Evidence {
    /// A real machine without or with faults made on purpose.
    Laboratory,
    /// A computed machine.
    Simulated,
    /// Real machines in use.
    Fleet,
}

/// What was measured on.
pub enum Data {
    /// A simulation, by version and seeds.
    Seeds(String),
    /// Files below the folder of recorded data.
    Files(Vec<String>),
}

/// What a detector found, and what it opened falsely.
pub struct Found {
    pub what: String,
    pub found: f64,
    pub of: f64,
    pub wrong: f64,
    /// What the false ones were counted on.
    pub watched: String,
    /// Share of what is opened that is right; none where that was not measured.
    pub precision: Option<f64>,
}

/// A part of the page.
pub struct Part {
    pub name: &'static str,
    pub evidence: Evidence,
    pub data: Data,
    /// Paragraphs and tables, in Markdown.
    pub lines: Vec<String>,
    pub found: Vec<Found>,
    pub bars: Vec<Bar>,
}

impl Part {
    /// Writes the part into a folder. Recorded data are named by a hash of the files, which lie below `data`.
    pub fn write(&self, folder: &Path, data: &Path) -> anyhow::Result<()> {
        let evidence = match self.evidence {
            Evidence::Laboratory => "laboratory",
            Evidence::Simulated => "simulated",
            Evidence::Fleet => "fleet",
        };
        let mut files = Vec::new();
        let of = match &self.data {
            Data::Seeds(seeds) => seeds.clone(),
            Data::Files(names) => {
                files.clone_from(names);
                files.sort();
                hash(data, &files)?
            }
        };
        let found = self.found.iter().map(|one| {
            json!({
                "what": one.what, "found": rounded(one.found), "of": rounded(one.of), "wrong": rounded(one.wrong),
                "watched": one.watched, "precision": one.precision.map(rounded),
            })
        });
        let bars = self.bars.iter().map(|bar| match bar.bound {
            Bound::AtLeast(bound) => json!({"name": bar.name, "value": rounded(bar.value), "at_least": bound}),
            Bound::AtMost(bound) => json!({"name": bar.name, "value": rounded(bar.value), "at_most": bound}),
        });
        let part = json!({
            "name": self.name, "evidence": evidence, "data": of, "files": files, "lines": self.lines,
            "found": found.collect::<Vec<_>>(), "bars": bars.collect::<Vec<_>>(),
        });
        let path = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(&part)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Hash of files one after the other, as `models/training/results.py` takes it.
fn hash(data: &Path, files: &[String]) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for name in files {
        let path = data.join(name);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(&bytes);
    }
    let digits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits[..HASH].to_owned())
}

/// Four decimals; what is not a number is none.
fn rounded(value: f64) -> Value {
    if value.is_finite() {
        json!((value * 1e4).round() / 1e4)
    } else {
        Value::Null
    }
}
