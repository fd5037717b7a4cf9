//! One model folder, loaded and checked.

use std::path::{Path, PathBuf};

use hub_core::profile::{ApplianceProfile, Family, ProfileError};
use sha2::{Digest, Sha256};

use crate::golden::{self, GoldenError};
use crate::manifest::{Manifest, ManifestError};
use crate::network::{Network, Reconstruction, ScoreError, Window};

/// A model that passed its golden windows.
pub struct Model {
    folder: PathBuf,
    manifest: Manifest,
    profile: ApplianceProfile,
    network: Network,
    id: String,
    hash: String,
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
    /// The network does not do what it did when it was trained.
    #[error("{}: the network fails its golden windows, so the model is refused", path.display())]
    Golden {
        /// The file.
        path: PathBuf,
        /// Which window and how.
        source: GoldenError,
    },
}

impl Model {
    /// Loads `manifest.toml`, `model.onnx` and `golden.jsonl` of a folder, and the profile from `profiles/` in the
    /// nearest folder above.
    ///
    /// # Errors
    /// Whatever is missing, malformed or contradictory; a network that fails a golden window is refused.
    pub fn load(folder: &Path) -> Result<Model, ModelError> {
        let (manifest, family) = load_manifest(folder)?;
        let text = read(&folder.join("manifest.toml"))?;
        let path = folder.join("model.onnx");
        let onnx = std::fs::read(&path).map_err(|source| ModelError::Read {
            path: path.clone(),
            source,
        })?;
        let network = Network::load(&onnx, manifest.features.len(), manifest.autoencoder.window)
            .map_err(|source| ModelError::Network { path, source })?;
        let path = folder.join("golden.jsonl");
        golden::check(&read(&path)?, &network).map_err(|source| ModelError::Golden { path, source })?;
        tracing::debug!(folder = %folder.display(), family = manifest.family, version = manifest.version, "model loaded");
        Ok(Model {
            folder: folder.to_owned(),
            id: manifest.id(),
            hash: hash(&[text.as_bytes(), &onnx]),
            manifest,
            profile: family.profile,
            network,
        })
    }

    /// Appliance family, e.g. `pump-rig`.
    pub fn family(&self) -> &str {
        &self.manifest.family
    }

    /// Family and version, as on every prediction: `pump-rig/1`.
    pub fn version(&self) -> &str {
        &self.id
    }

    /// SHA-256 of manifest and network, in hex: what tells two models apart that call themselves the same version.
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

    /// Where it was loaded from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Scores windows, of one or of many appliances, in micro-batches. The same window gives the same bits alone and
    /// in any batch.
    ///
    /// # Errors
    /// A window of another model, or a failure inside the network.
    pub fn reconstruct(&self, windows: &[&Window]) -> Result<Vec<Reconstruction>, ScoreError> {
        self.network.run(windows)
    }
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
    let profile_path = find_profile(folder, &manifest.profile)?;
    let family: Family = parse(&profile_path)?;
    family.check().map_err(|source| ModelError::Profile {
        path: profile_path,
        source,
    })?;
    manifest
        .check(&family.profile)
        .map_err(|source| ModelError::Manifest { path, source })?;
    Ok((manifest, family))
}

fn find_profile(folder: &Path, profile: &str) -> Result<PathBuf, ModelError> {
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
