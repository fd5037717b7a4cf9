//! The folder `models/`: appliance profiles, and the models that watch appliances.

use anyhow::{Context, Result};
use hub_api::ReadNormal;
use hub_core::error_chain::in_full;
use hub_core::families::Families;
use hub_core::profile::{ApplianceProfile, Family};
use hub_predict::Registry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Reads the families of `models/profiles`.
///
/// # Errors
///
/// Where the folder cannot be read or has no profile, or a profile in it is not usable.
pub fn load_families(models_dir: &Path) -> Result<Vec<Family>> {
    let files = profile_files(models_dir)?;
    let dir = models_dir.join("profiles");
    anyhow::ensure!(!files.is_empty(), "there is no appliance profile in {}", dir.display());
    files.iter().map(|path| read_family(path)).collect()
}

/// The files of `models/profiles`, by name.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn profile_files(models_dir: &Path) -> Result<Vec<PathBuf>> {
    let dir = models_dir.join("profiles");
    let unlisted = || {
        format!(
            "cannot list the appliance profiles in {}; set models_dir",
            dir.display()
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(unlisted)? {
        files.push(entry.with_context(unlisted)?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

/// Reads one of them.
///
/// # Errors
///
/// Where it cannot be read or used.
pub fn read_family(path: &Path) -> Result<Family> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let family: Family = toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))?;
    family
        .check()
        .with_context(|| format!("{} is not usable", path.display()))?;
    Ok(family)
}

/// Appliance profiles, by name.
pub fn profiles(families: &[Family]) -> BTreeMap<String, ApplianceProfile> {
    let profiles = families.iter().map(|family| family.profile.clone());
    profiles.map(|profile| (profile.name.clone(), profile)).collect()
}

/// The families, with what the models call faults and features.
pub fn with_words(families: Vec<Family>, registry: &Registry) -> Families {
    Families::new(families, registry.words())
}

/// Loads all models. One that is refused stops no other ([`refused`]), and its appliances are not watched.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn load_models(models_dir: &Path) -> Result<Registry> {
    Registry::load(models_dir).with_context(|| format!("cannot load the models in {}", models_dir.display()))
}

/// How the API has read what detectors saved: by the models that are served then.
pub fn read_normal(models: watch::Receiver<Arc<Registry>>) -> ReadNormal {
    Arc::new(move |saved| {
        let registry = models.borrow().clone();
        registry.normal(saved)
    })
}

/// What cannot be served, with the reason.
pub fn refused(registry: &Registry) -> BTreeMap<PathBuf, String> {
    let folders = registry.refused().iter().map(|(folder, why)| {
        let why = format!("{} is refused: {}", folder.display(), in_full(why));
        (folder.clone(), why)
    });
    let versions = registry.missing().iter().map(|(family, version)| {
        let wanted = PathBuf::from(format!("{family}/{version}"));
        let why = format!(
            "{} was promoted and is not there: the highest version is served",
            wanted.display()
        );
        (wanted, why)
    });
    let challengers = registry.missing_challengers().iter().map(|(family, version)| {
        let wanted = PathBuf::from(format!("{family}/{version} as challenger"));
        let why = format!("{family}/{version} was to be scored in shadow and is not there: none is");
        (wanted, why)
    });
    folders.chain(versions).chain(challengers).collect()
}
