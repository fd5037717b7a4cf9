//! All models of a directory, by family.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Model, ModelError};

/// Depth to which model folders are looked for: `models/evaluation/<set>/<model>`.
const DEPTH: usize = 3;

/// The models a hub serves.
pub struct Registry {
    models: BTreeMap<String, Arc<Model>>,
    refused: Vec<(PathBuf, ModelError)>,
}

/// Why a directory cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be listed.
    #[error("cannot list the models in {}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: std::io::Error,
    },
    /// Nothing in it can be served.
    #[error("no usable model in {}: {refused} refused", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
        /// Folders with a manifest that were refused.
        refused: usize,
    },
}

impl Registry {
    /// Loads every folder with a `manifest.toml`, up to three levels down. Of several models of a family the highest
    /// version is served. A folder that is refused does not stop the others: see [`Registry::refused`].
    ///
    /// # Errors
    /// The directory cannot be listed, or holds no usable model.
    pub fn load(directory: &Path) -> Result<Registry, RegistryError> {
        let mut folders = Vec::new();
        find(directory, DEPTH, &mut folders).map_err(|source| RegistryError::List {
            path: directory.to_owned(),
            source,
        })?;
        folders.sort();
        let mut registry = Registry {
            models: BTreeMap::new(),
            refused: Vec::new(),
        };
        for folder in folders {
            match Model::load(&folder) {
                Ok(model) => registry.insert(model),
                Err(why) => registry.refused.push((folder, why)),
            }
        }
        if registry.models.is_empty() {
            return Err(RegistryError::Empty {
                path: directory.to_owned(),
                refused: registry.refused.len(),
            });
        }
        Ok(registry)
    }

    fn insert(&mut self, model: Model) {
        let newer = |served: &Arc<Model>| served.manifest().version >= model.manifest().version;
        if !self.models.get(model.family()).is_some_and(newer) {
            self.models.insert(model.family().to_owned(), Arc::new(model));
        }
    }

    /// The model served for a family.
    pub fn get(&self, family: &str) -> Option<&Arc<Model>> {
        self.models.get(family)
    }

    /// Families and their models, by name.
    pub fn families(&self) -> impl Iterator<Item = (&str, &Arc<Model>)> {
        self.models.iter().map(|(family, model)| (family.as_str(), model))
    }

    /// Folders that were refused, and why.
    pub fn refused(&self) -> &[(PathBuf, ModelError)] {
        &self.refused
    }
}

fn find(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if directory.join("manifest.toml").is_file() {
        found.push(directory.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, depth - 1, found)?;
        }
    }
    Ok(())
}
