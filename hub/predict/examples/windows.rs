//! Scaled windows for training, made by the code that the hub scores with.
//!
//! `windows MODEL_FOLDER`, lines on standard input: `file<TAB>first row<TAB>end row<TAB>calibration rows`. Writes the
//! windows as little-endian singles to standard output.

use std::io::{BufRead, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use hub_predict::{Detector, load_manifest, read_rows};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("usage: windows MODEL_FOLDER < SPEC")?;
    let (manifest, family) = load_manifest(Path::new(&folder))?;
    let profile = &family.profile;
    let mut output = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, first, end, calibration] = fields[..] else {
            bail!("not four fields: {line}")
        };
        let table = read_rows(std::fs::File::open(file).with_context(|| file.to_owned())?, profile)?;
        let (first, end): (usize, usize) = (first.parse()?, end.parse()?);
        let mut detector = Detector::for_manifest(&manifest, calibration.parse()?);
        for row in &table.rows[first..end.min(table.rows.len())] {
            for pending in detector.prepare_row(&manifest, profile, row) {
                for value in pending.window().map(|w| w.scaled()).unwrap_or_default() {
                    output.write_all(&value.to_le_bytes())?;
                }
            }
        }
    }
    Ok(output.flush()?)
}
