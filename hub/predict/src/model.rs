//! One model folder, loaded and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub_core::profile::{ApplianceProfile, Family, ProfileError};
use sha2::{Digest, Sha256};

use crate::gather::Need;
use crate::golden::{self, GoldenError};
use crate::manifest::{DetectorKind, FAMILY, FaultsError, FaultsFile, Kit, Manifest, ManifestError, Shown};
use crate::network::{Network, Reconstruction, ScoreError, Window};

/// The faults of a folder of kind `named`, beside its manifest.
pub(crate) const FAULTS: &str = "faults.toml";

/// A model that passed its golden windows.
pub struct Model {
    folder: PathBuf,
    manifest: Manifest,
    profile: ApplianceProfile,
    judge: Judge,
    id: String,
    hash: String,
}

/// What judges an appliance besides its own baseline.
enum Judge {
    Network(Network),
    /// A detector without a network, by these figures; and a network that gives a second opinion, if there is one.
    Generic(Box<Kit>, Option<Arc<Network>>),
}

/// What a detector reads its steps by.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) profile: &'a ApplianceProfile,
    /// None with a network.
    pub(crate) kit: Option<&'a Kit>,
}

impl Rules<'_> {
    /// What is asked of rows.
    pub(crate) fn need(&self) -> Need {
        let of_figures = self.kit.into_iter().flat_map(Kit::of_figures);
        Need::of(self.manifest, self.profile, of_figures)
    }
}

/// Why a model folder is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: std::io::Error,
    },
    /// The manifest or the profile is not valid TOML of its kind.
    #[error("{} is not valid", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The manifest contradicts itself or the profile.
    #[error("{} cannot be used", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: ManifestError,
    },
    /// The faults contradict themselves, the manifest or the profile.
    #[error("{} cannot be used", path.display())]
    Faults {
        /// The file.
        path: PathBuf,
        /// Entry, and what to write.
        source: FaultsError,
    },
    /// The profile contradicts itself.
    #[error("{} cannot be used", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: ProfileError,
    },
    /// No profile beside or above the model folder.
    #[error("no profiles/{profile}.toml in any folder above {}", folder.display())]
    NoProfile {
        /// Name of the profile.
        profile: String,
        /// The model folder.
        folder: PathBuf,
    },
    /// tract cannot load the network.
    #[error("{} is not a network this hub can run", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: ScoreError,
    },
    /// tract stopped half-way at what the files hold.
    #[error("{}: the library that runs networks gave up on it", folder.display())]
    GaveUp {
        /// The model folder.
        folder: PathBuf,
    },
    /// A folder bears the name of the family that is the hub's own.
    #[error(
        "{}: family {} is the hub's own, for profiles that no model is for: give the family another name",
        path.display(), FAMILY
    )]
    Reserved {
        /// The manifest.
        path: PathBuf,
    },
    /// The model does not do what it did when it was made.
    #[error("{}: the model fails its golden windows, so it is refused", path.display())]
    Golden {
        /// The file.
        path: PathBuf,
        /// Which window and how.
        source: GoldenError,
    },
}

impl Model {
    /// Loads `manifest.toml`, `golden.jsonl` and, unless the manifest does without, `model.onnx` of a folder, `faults.toml` where faults have
    /// names, and the profile from `profiles/` in the nearest folder above.
    ///
    /// # Errors
    /// Whatever is missing, malformed or contradictory; a model that fails a golden window is refused.
    pub fn load(folder: &Path) -> Result<Model, ModelError> {
        let (manifest, family) = load_manifest(folder)?;
        let text = read(&folder.join("manifest.toml"))?;
        if manifest.family == FAMILY {
            let path = folder.join("manifest.toml");
            return Err(ModelError::Reserved { path });
        }
        let path = folder.join("golden.jsonl");
        let golden = read(&path)?;
        let failed = |source| ModelError::Golden { path, source };
        let features = manifest.features.len();
        let kit = Kit::of(&manifest, &family.profile);
        // With what the manifest does not say itself: the network, or the faults.
        let (judge, beside) = match (kit, manifest.kind(), &manifest.autoencoder) {
            (Some(kit), Some(DetectorKind::Named), _) => {
                let (kit, faults) = with_faults(folder, kit, &manifest, &family.profile)?;
                golden::check_runs(&golden, &kit, &manifest, &faults).map_err(failed)?;
                (Judge::Generic(Box::new(kit), None), faults.into_bytes())
            }
            (Some(kit), _, None) => {
                golden::check_steps(&golden, &kit, &manifest).map_err(failed)?;
                (Judge::Generic(Box::new(kit), None), Vec::new())
            }
            (Some(kit), _, Some(autoencoder)) => {
                let (lives, windows) = golden::apart(&golden);
                let (network, onnx) = load_network(folder, features, autoencoder.window)?;
                golden::check_steps(&lives, &kit, &manifest)
                    .and_then(|()| golden::check(&windows, &network))
                    .map_err(failed)?;
                (Judge::Generic(Box::new(kit), Some(Arc::new(network))), onnx)
            }
            (None, _, autoencoder) => {
                // `Manifest::check` has seen that there is one.
                let window = autoencoder.as_ref().map_or(0, |autoencoder| autoencoder.window);
                let (network, onnx) = load_network(folder, features, window)?;
                golden::check(&golden, &network).map_err(failed)?;
                (Judge::Network(network), onnx)
            }
        };
        tracing::debug!(folder = %folder.display(), family = manifest.family, version = manifest.version, "model loaded");
        Ok(Model {
            folder: folder.to_owned(),
            id: manifest.id(),
            hash: hash(&[text.as_bytes(), &beside]),
            manifest,
            profile: family.profile,
            judge,
        })
    }

    /// Family `generic` for the profile of this file; none where no channel of it measures anything.
    pub(crate) fn generic(file: &Path, profile: ApplianceProfile) -> Option<Model> {
        let manifest = Manifest::generic(&profile)?;
        let kit = Kit::of(&manifest, &profile)?;
        // It is made here of the profile, so its manifest is all there is of it.
        let text = toml::to_string(&manifest).ok()?;
        Some(Model {
            folder: file.to_owned(),
            id: manifest.id(),
            hash: hash(&[text.as_bytes()]),
            manifest,
            profile,
            judge: Judge::Generic(Box::new(kit), None),
        })
    }

    /// The same by these floors of features, in place of its own of them; none with a network. States of one are states of the other.
    pub(crate) fn with_floors(&self, floors: &BTreeMap<String, f64>) -> Option<Model> {
        let Judge::Generic(kit, opinion) = &self.judge else {
            return None;
        };
        let mut kit = kit.clone();
        kit.settings.fleet_floors.resize(kit.channels.len(), None);
        for (channel, floor) in kit.channels.iter().zip(&mut kit.settings.fleet_floors) {
            *floor = floors.get(&channel.name).copied().or(*floor);
        }
        Some(Model {
            folder: self.folder.clone(),
            id: self.id.clone(),
            hash: self.hash.clone(),
            manifest: self.manifest.clone(),
            profile: self.profile.clone(),
            judge: Judge::Generic(kit, opinion.clone()),
        })
    }

    /// The same with a network that gives an error for every window.
    #[cfg(test)]
    pub(crate) fn spoiled(mut self) -> Self {
        match &mut self.judge {
            Judge::Network(network) => network.spoil(),
            Judge::Generic(_, Some(network)) => Arc::get_mut(network).unwrap().spoil(),
            Judge::Generic(_, None) => {}
        }
        self
    }

    /// What the model asks of its rows.
    pub(crate) fn need(&self) -> Need {
        self.rules().need()
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules {
            manifest: &self.manifest,
            profile: &self.profile,
            kit: self.kit(),
        }
    }

    fn kit(&self) -> Option<&Kit> {
        match &self.judge {
            Judge::Network(_) => None,
            Judge::Generic(kit, _) => Some(kit.as_ref()),
        }
    }

    /// What a network that gives a second opinion is shown; none without one.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.kit()?.shown.as_ref()
    }

    /// What a detector's state has to be of.
    pub(crate) fn state(&self) -> &str {
        self.kit().map_or(&self.id, |kit| &kit.state)
    }

    /// Whether a network judges as well; one that gives a second opinion judges nothing.
    pub fn has_network(&self) -> bool {
        self.kit().is_none()
    }

    /// Appliance family, e.g. `pump-rig`.
    pub fn family(&self) -> &str {
        &self.manifest.family
    }

    /// Family and version, as on every prediction: `pump-rig/1`.
    pub fn version(&self) -> &str {
        &self.id
    }

    /// Whether it names faults without a network.
    pub fn names_faults(&self) -> bool {
        self.kit().is_some_and(|kit| kit.named.is_some())
    }

    /// SHA-256 of manifest and network, or faults, in hex: what tells two models apart that call themselves the same version.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The profile whose rows this model scores.
    pub fn profile(&self) -> &ApplianceProfile {
        &self.profile
    }

    /// Where it was loaded from; of family `generic` the profile's file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Scores windows, of one or of many appliances, in micro-batches. The same window gives the same bits alone and
    /// in any batch.
    ///
    /// # Errors
    /// A window of another model, or a failure inside the network.
    pub fn reconstruct(&self, windows: &[&Window]) -> Result<Vec<Reconstruction>, ScoreError> {
        match &self.judge {
            Judge::Network(network) => network.run(windows),
            Judge::Generic(_, Some(network)) => network.run(windows),
            Judge::Generic(_, None) if windows.is_empty() => Ok(Vec::new()),
            Judge::Generic(_, None) => Err(ScoreError::Output),
        }
    }
}

/// The kit with the faults of a folder of kind `named`, and their file as it is.
fn with_faults(
    folder: &Path,
    kit: Kit,
    manifest: &Manifest,
    profile: &ApplianceProfile,
) -> Result<(Kit, String), ModelError> {
    let path = folder.join(FAULTS);
    let text = read(&path)?;
    let file: FaultsFile = toml::from_str(&text).map_err(|source| ModelError::Toml {
        path: path.clone(),
        source: Box::new(source),
    })?;
    let named = file.named(manifest, profile);
    let named = named.map_err(|source| ModelError::Faults { path, source })?;
    Ok((kit.with_named(named), text))
}

fn load_network(folder: &Path, features: usize, window: usize) -> Result<(Network, Vec<u8>), ModelError> {
    let path = folder.join("model.onnx");
    let onnx = std::fs::read(&path).map_err(|source| ModelError::Read {
        path: path.clone(),
        source,
    })?;
    let network = Network::load(&onnx, features, window).map_err(|source| ModelError::Network { path, source })?;
    Ok((network, onnx))
}

/// The family of a file, if it is one.
pub(crate) fn load_family(path: &Path) -> Result<Family, ModelError> {
    let family: Family = parse(path)?;
    family.check().map_err(|source| ModelError::Profile {
        path: path.to_owned(),
        source,
    })?;
    Ok(family)
}

/// Over files in their order, each behind its length, so that nothing moves from one to the next unseen.
fn hash(files: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.len() as u64).to_le_bytes());
        hash.update(file);
    }
    hex::encode(hash.finalize())
}

/// Manifest of a model folder, and the family whose profile it names, without the network: also what training needs.
///
/// # Errors
/// As [`Model::load`].
pub fn load_manifest(folder: &Path) -> Result<(Manifest, Family), ModelError> {
    let path = folder.join("manifest.toml");
    let manifest: Manifest = parse(&path)?;
    let family = load_family(&find_profile(folder, &manifest.profile)?)?;
    manifest
        .check(&family.profile)
        .map_err(|source| ModelError::Manifest { path, source })?;
    Ok((manifest, family))
}

pub(crate) fn find_profile(folder: &Path, profile: &str) -> Result<PathBuf, ModelError> {
    let not_found = || ModelError::NoProfile {
        profile: profile.to_owned(),
        folder: folder.to_owned(),
    };
    let folder = std::path::absolute(folder).map_err(|_| not_found())?;
    let name = format!("{profile}.toml");
    folder
        .ancestors()
        .map(|above| above.join("profiles").join(&name))
        .find(|p| p.is_file())
        .ok_or_else(not_found)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    toml::from_str(&read(path)?).map_err(|source| ModelError::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn read(path: &Path) -> Result<String, ModelError> {
    std::fs::read_to_string(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}
