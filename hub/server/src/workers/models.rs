//! Models without a restart: a folder that came, changed or went, or another choice of versions, gives the scorer other models
//! between two of its rounds, and pages their words. Detectors go on from the checkpoints of their model, and what is in none is given
//! to them again, so no window is lost.

use super::models_dir::{Refused, Stamps, stamps};
use crate::models::refused;
use anyhow::{Context, Result};
use hub_core::families::Families;
use hub_predict::Registry;
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
    /// The files that were read last.
    seen: Stamps,
}

/// The files of all models, and the list of chosen versions.
#[derive(Debug, Default)]
pub struct Seen(Stamps);

impl Seen {
    /// As they are now. Taken before models are loaded, it lets no change be missed.
    pub fn now(models_dir: &Path) -> Self {
        Self(stamps(hub_predict::model_files(models_dir)))
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
        told.tell(refused(&registry.borrow()));
        Self {
            models_dir: models_dir.to_owned(),
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

    /// Words first: a ticket of a new model names what pages can say.
    fn take(&mut self, registry: Registry) {
        self.refused.tell(refused(&registry));
        let words: Vec<_> = registry.families().map(|(_, model)| model.manifest().words()).collect();
        self.families
            .send_modify(|families| Arc::make_mut(families).set_models(words));
        let served: Vec<&str> = registry.families().map(|(_, model)| model.version()).collect();
        tracing::info!(?served, "models were loaded again");
        self.registry.send_replace(Arc::new(registry));
    }
}

/// Loads the models again, if their files are not those that were seen.
fn look_at(models_dir: &Path, seen: &Stamps, served: &Registry) -> Result<Option<(Stamps, Registry)>> {
    let Seen(stamps) = Seen::now(models_dir);
    if stamps == *seen {
        return Ok(None);
    }
    let registry = served
        .load_again(models_dir)
        .with_context(|| format!("the models in {} cannot be loaded again", models_dir.display()))?;
    Ok(Some((stamps, registry)))
}
