//! The folder `models/`: appliance profiles, and the models that watch appliances.

use anyhow::{Context, Result};
use hub_core::profile::{ApplianceProfile, Family};
use hub_predict::Registry;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Appliance profiles by name.
pub type Profiles = Arc<BTreeMap<String, ApplianceProfile>>;

/// Reads all profiles of `models/profiles`.
///
/// # Errors
///
/// Where the folder cannot be read or has no profile, or a profile in it is not usable.
pub fn load_profiles(models_dir: &Path) -> Result<Profiles> {
    let dir = models_dir.join("profiles");
    let entries = std::fs::read_dir(&dir).with_context(|| {
        format!(
            "cannot list the appliance profiles in {}; set models_dir",
            dir.display()
        )
    })?;
    let mut profiles = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let family: Family =
                toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))?;
            family
                .check()
                .with_context(|| format!("{} is not usable", path.display()))?;
            profiles.insert(family.profile.name.clone(), family.profile);
        }
    }
    anyhow::ensure!(
        !profiles.is_empty(),
        "there is no appliance profile in {}",
        dir.display()
    );
    Ok(Arc::new(profiles))
}

/// Loads all models; one that is refused is told in the log, and its appliances are not watched.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn load_models(models_dir: &Path) -> Result<Arc<Registry>> {
    let registry =
        Registry::load(models_dir).with_context(|| format!("cannot load the models in {}", models_dir.display()))?;
    for (folder, why) in registry.refused() {
        tracing::warn!(folder = %folder.display(), error = why as &dyn std::error::Error, "model refused");
    }
    Ok(Arc::new(registry))
}
