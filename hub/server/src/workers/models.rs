//! Models without a restart: a folder that came or changed, or another choice of versions, gives the scorer other models between two
//! of its rounds, and pages their words. Detectors of a version go on from its last checkpoint; as long as the version stays the same,
//! what is in no checkpoint is given to them again.

use super::models_dir::Refused;
use crate::models::refused;
use anyhow::{Context, Result};
use hub_core::families::Families;
use hub_predict::{Registry, Stamps, model_files, stamps};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// What looks at the model folders.
pub struct ModelWatch {
    models_dir: PathBuf,
    registry: watch::Sender<Arc<Registry>>,
    families: watch::Sender<Arc<Families>>,
    refused: Arc<Refused>,
    /// What was loaded last: it may serve what the scorer has, and know other things of the rest.
    loaded: Arc<Registry>,
    /// The files that were read last.
    seen: Stamps,
}

/// The files of all models, and the list of chosen versions.
#[derive(Debug, Default)]
pub struct Seen(Stamps);

impl Seen {
    /// As they are now. Taken before models are loaded, it lets no change be missed.
    pub fn now(models_dir: &Path) -> Self {
        Self(stamps(&model_files(models_dir)))
    }
}

impl ModelWatch {
    /// Begins with the models that were loaded at the start, behind `seen`.
    pub fn new(
        models_dir: &Path,
        seen: Seen,
        registry: watch::Sender<Arc<Registry>>,
        families: watch::Sender<Arc<Families>>,
        told: Arc<Refused>,
    ) -> Self {
        let loaded = registry.borrow().clone();
        told.tell(refused(&loaded));
        Self {
            models_dir: models_dir.to_owned(),
            loaded,
            registry,
            families,
            refused: told,
            seen: seen.0,
        }
    }

    /// Looks once. Loading takes a moment of a thread of its own, in which scoring goes on.
    pub(super) async fn look(&mut self) {
        let (models_dir, seen, served) = (
            self.models_dir.clone(),
            self.seen.clone(),
            self.registry.borrow().clone(),
        );
        let looked = tokio::task::spawn_blocking(move || look_at(&models_dir, &seen, &served)).await;
        match looked.context("the look at the models broke off") {
            Ok(Ok(None)) => {}
            Ok(Ok(Some((stamps, registry)))) => {
                self.seen = stamps;
                self.take(registry);
            }
            Ok(Err(error)) | Err(error) => {
                // Another look follows, whether or not a file changes.
                self.seen = Stamps::new();
                let why = format!("{error:#}");
                self.refused.tell(BTreeMap::from([(self.models_dir.clone(), why)]));
            }
        }
    }

    /// Words first: a ticket of a new model names what pages can say. Detectors begin again from their checkpoints, so the scorer is
    /// given nothing where what is served is the same.
    fn take(&mut self, registry: Registry) {
        self.refused.tell(refused(&registry));
        self.loaded = Arc::new(registry);
        if self.loaded.serves_as(&self.registry.borrow()) {
            return;
        }
        let words = self.loaded.words();
        self.families
            .send_modify(|families| Arc::make_mut(families).set_models(words));
        let versions: Vec<&str> = self.loaded.families().map(|(_, model)| model.version()).collect();
        tracing::info!(served = ?versions, "models were loaded again");
        self.registry.send_replace(self.loaded.clone());
    }
}

/// Loads the models again, if their files are not those that were seen.
fn look_at(models_dir: &Path, seen: &Stamps, loaded: &Registry) -> Result<Option<(Stamps, Registry)>> {
    let Seen(stamps) = Seen::now(models_dir);
    if stamps == *seen {
        return Ok(None);
    }
    let registry = loaded
        .load_again(models_dir)
        .with_context(|| format!("the models in {} cannot be loaded again", models_dir.display()))?;
    Ok(Some((stamps, registry)))
}
