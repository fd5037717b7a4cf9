//! `forecall score`: the hub's own detector on a CSV.

use crate::terminal::{log, say};
use anyhow::{Context, Result};
use hub_predict::{Registry, score_csv};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

/// Scores a CSV the way the hub would: same model, same code, one output row for each input row.
#[derive(Debug, clap::Args)]
pub struct Score {
    /// Model family, e.g. pump-rig.
    #[arg(long)]
    family: String,
    /// CSV with a time column (`datetime` or `timestamp`) and the profile's channels by name; docs/formats.md.
    #[arg(long)]
    input: PathBuf,
    /// CSV to write: timestamp, score (1 is the threshold), alarm, top channels.
    #[arg(long)]
    output: PathBuf,
    /// How many of the first rows are taken as healthy, to learn the unit's own baseline from.
    #[arg(long)]
    calibrate: Option<u32>,
    /// Model folders and profiles.
    #[arg(long, env = "FORECALL_MODELS_DIR", default_value = "models")]
    models: PathBuf,
}

impl Score {
    /// Carries the command out.
    pub fn run(self) -> Result<()> {
        log("warn");
        let registry = Registry::load(&self.models)
            .with_context(|| format!("cannot load the models in {}", self.models.display()))?;
        let known: Vec<&str> = registry.families().map(|(family, _)| family).collect();
        let model = registry
            .get(&self.family)
            .with_context(|| format!("there is no model for {}; there are: {}", self.family, known.join(", ")))?;
        let input = File::open(&self.input).with_context(|| format!("cannot open {}", self.input.display()))?;
        let calibrate = self.calibrate.unwrap_or(model.manifest().baseline.calibration);
        // Written beside and moved into place at the end, so that a refused input leaves no half output.
        let part = self.output.with_extension("part");
        let output = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let scored = score_csv(BufReader::new(input), BufWriter::new(output), model, calibrate);
        if let Err(error) = scored {
            let _ = std::fs::remove_file(&part);
            return Err(error).with_context(|| format!("{} was not scored", self.input.display()));
        }
        std::fs::rename(&part, &self.output).with_context(|| format!("cannot write {}", self.output.display()))?;
        say(format_args!(
            "scored {} with {} into {}",
            self.input.display(),
            model.version(),
            self.output.display()
        ));
        Ok(())
    }
}
