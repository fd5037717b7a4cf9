//! Golden lives of a folder with `[detector]`, made by the code that the hub scores with: for after a figure of its manifest was changed.
//!
//! `lives MODEL_FOLDER` reads the names and the steps of the lives in its `golden.jsonl`, and writes the file again with what the detector
//! says of them now. Golden windows, which hold a network, stay as they are.

use std::path::Path;

use anyhow::Context;
use hub_core::profile::ApplianceProfile;
use hub_predict::{Manifest, golden_life, load_manifest};
use serde::Deserialize;

/// What of a line is no judgement.
#[derive(Deserialize)]
struct Life {
    name: String,
    steps: Vec<Vec<Option<f64>>>,
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("usage: lives MODEL_FOLDER")?;
    let (manifest, family) = load_manifest(Path::new(&folder))?;
    let path = Path::new(&folder).join("golden.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut written = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        written += &again(line, &manifest, &family.profile)?;
        written.push('\n');
    }
    std::fs::write(&path, written).with_context(|| format!("cannot write {}", path.display()))
}

fn again(line: &str, manifest: &Manifest, profile: &ApplianceProfile) -> anyhow::Result<String> {
    let Ok(Life { name, steps }) = serde_json::from_str(line) else {
        return Ok(line.to_owned());
    };
    golden_life(&name, steps, manifest, profile).with_context(|| format!("the detector finds no normal in life {name}"))
}
