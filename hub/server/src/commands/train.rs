//! `forecall train`: a maker's own family, from recordings of his healthy appliances.

use crate::models::read_family;
use crate::terminal::{log, say};
use anyhow::{Context, Result};
use hub_core::release::EvidenceKind;
use hub_predict::training::{Wanted, train};
use std::path::PathBuf;
use strum::VariantArray;

/// Learns a family of your own from recordings of healthy appliances: what deviation is harmless, what conditions do, and from which
/// score something is opened. Writes a model folder with golden lives and card; docs/train.md.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// Profile of the appliances: models/profiles/NAME.toml.
    #[arg(long)]
    profile: PathBuf,
    /// Recordings as CSV, each of one device or with a column for the device. Devices that --faults names are judged, not learned
    /// from.
    #[arg(long, required = true, num_args = 1..)]
    healthy: Vec<PathBuf>,
    /// CSV of known faults: `device`, `since` and, where they are known, `until` and `class`.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Folder to write, new, below the one that has `profiles/`.
    #[arg(long)]
    out: PathBuf,
    /// Name of the family; the profile's where none is given, so that it watches all appliances of that profile.
    #[arg(long)]
    family: Option<String>,
    /// Version of the family.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
    /// Channel that tells running from idle: rows in which it is low are left out. Without it the profile's phase, where it has one.
    #[arg(long)]
    running: Option<String>,
    /// Channel that tells a condition (load, setpoint, the room), besides those whose name says so.
    #[arg(long = "condition")]
    conditions: Vec<String>,
    /// Where the recordings come from: simulated, laboratory or fleet. It is written on the card.
    #[arg(long, value_parser = evidence)]
    evidence: Option<EvidenceKind>,
}

fn evidence(name: &str) -> Result<EvidenceKind, String> {
    let mut known = EvidenceKind::VARIANTS.iter().copied();
    let known = known.find(|kind| kind.name() == name);
    known.ok_or_else(|| "write simulated, laboratory or fleet".to_owned())
}

impl Train {
    /// Carries the command out.
    pub fn run(self) -> Result<()> {
        log("warn");
        let family = read_family(&self.profile)?;
        let wanted = Wanted {
            family: self.family.as_deref().unwrap_or(&family.profile.name),
            profile: &family.profile,
            version: self.version,
            files: &self.healthy,
            faults: self.faults.as_deref(),
            running: self.running.as_deref(),
            conditions: &self.conditions,
            evidence: self.evidence,
        };
        let trained = train(&wanted, &self.out).context("no model was made")?;
        say(format_args!("{trained}"));
        say(format_args!(
            "{} is written to {}; `forecall model check` tries it, `forecall score` scores a recording with it",
            trained.model,
            self.out.display()
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
