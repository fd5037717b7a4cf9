//! `forecall model challenge`: which version is scored in the shadow of the one that is served.

use super::{Folder, of_family};
use crate::models::load_models;
use crate::terminal::say;
use anyhow::{Context, Result, ensure};
use hub_predict::Serving;

/// Scores a version beside the one that is served, on the same readings: it opens nothing and rings nobody, and `compare` says how
/// it does. The served version stays served from then on, whatever higher one comes.
#[derive(Debug, clap::Args)]
pub struct Challenge {
    /// Family, e.g. pump-rig.
    family: String,
    /// Version of the challenger. Without it none is scored any more.
    version: Option<u32>,
    #[command(flatten)]
    folder: Folder,
}

impl Challenge {
    pub(super) fn run(self) -> Result<()> {
        let models_dir = self.folder.path()?;
        let registry = load_models(&models_dir)?;
        let family = &self.family;
        let served = registry
            .get(family)
            .with_context(|| format!("no model of {family} is served from {}", models_dir.display()))?;
        if let Some(version) = self.version {
            let there = of_family(&registry, family);
            let named: Vec<&str> = there.iter().map(|model| model.version()).collect();
            ensure!(
                there.iter().any(|model| model.manifest().version == version),
                "there is no {family}/{version} that can be scored; there is: {}",
                named.join(", ")
            );
        }
        let mut serving = Serving::read(&models_dir)?;
        serving.challenge(family, self.version, served.manifest().version)?;
        serving.write(&models_dir)?;
        match self.version {
            Some(version) => say(format_args!(
                "{family}/{version} is scored in the shadow of {}; a hub on this folder takes it within seconds",
                served.version()
            )),
            None => say(format_args!(
                "nothing is scored in the shadow of {} any more",
                served.version()
            )),
        }
        Ok(())
    }
}
