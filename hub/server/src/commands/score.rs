//! `forecall score`: the hub's own detector on a CSV.

use crate::models::refused;
use crate::terminal::{log, say};
use anyhow::{Context, Result, bail, ensure};
use hub_predict::{Registry, score_csv};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Scores a CSV the way the hub would: same model, same code, one output row for each input row. Says what came of the rows; if
/// nothing was judged, it fails and writes nothing.
#[derive(Debug, clap::Args)]
pub struct Score {
    /// Model family, e.g. pump-rig; or a profile that no model is for, which family generic watches.
    #[arg(long)]
    family: String,
    /// CSV with a time column (`datetime` or `timestamp`) and the profile's channels by name; docs/formats.md.
    #[arg(long)]
    input: PathBuf,
    /// CSV to write: timestamp, score (1 is the threshold), alarm, top channels. Never the input.
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
        // Another detector in its place would judge by other figures, and nobody would see it.
        ensure!(
            !registry.is_refused(&self.family),
            "a model folder of {} is refused: {}",
            self.family,
            refused(&registry).into_values().collect::<Vec<_>>().join("; ")
        );
        let generic = registry.generics().map(|(profile, _)| profile);
        let known: Vec<&str> = registry.families().map(|(family, _)| family).chain(generic).collect();
        let model = registry
            .of(None, &self.family)
            .with_context(|| format!("there is no model for {}; there are: {}", self.family, known.join(", ")))?;
        let input = File::open(&self.input).with_context(|| format!("cannot open {}", self.input.display()))?;
        let calibrate = self.calibrate.unwrap_or(model.manifest().baseline.calibration);
        // Written beside and moved into place at the end, so that a refused input leaves no half output.
        let part = self.output.with_extension("part");
        for written in [&part, &self.output] {
            ensure!(
                !is_same(&self.input, written),
                "{} is the input itself; name another file to write",
                written.display()
            );
        }
        let output = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let scored = score_csv(BufReader::new(input), BufWriter::new(output), model, calibrate);
        let summary = scored
            .inspect_err(|_| discard(&part))
            .with_context(|| format!("{} was not scored", self.input.display()))?;
        if let Some(why) = summary.nothing_judged() {
            discard(&part);
            say(format_args!("{summary}"));
            bail!("nothing of {} was judged: {why}", self.input.display());
        }
        std::fs::rename(&part, &self.output).with_context(|| format!("cannot write {}", self.output.display()))?;
        say(format_args!(
            "scored {} with {} into {}\n{summary}",
            self.input.display(),
            model.version(),
            self.output.display()
        ));
        Ok(())
    }
}

fn discard(part: &Path) {
    let _ = std::fs::remove_file(part);
}

/// One file under two names: the same path, a link of either kind. What does not exist is no other file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    place(one).is_some_and(|one| Some(one) == place(other))
}

#[cfg(test)]
mod tests;
