//! The folder `models/` while the hub runs: what came or changed in it is taken without a restart, what cannot be used is told.

use super::models::{ModelWatch, Seen};
use super::profiles::ProfileWatch;
use hub_core::families::Families;
use hub_predict::Registry;
use hub_store_postgres::PostgresStore;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What looks at the folder.
pub struct ModelsDirWatch {
    profiles: ProfileWatch,
    models: ModelWatch,
}

/// What of the folder is not in use as it stands there.
#[derive(Debug)]
pub struct Told {
    profiles: Arc<Refused>,
    models: Arc<Refused>,
}

impl Told {
    /// Nothing is told yet.
    pub fn nothing() -> Self {
        Self {
            profiles: Arc::new(Refused::new("profiles")),
            models: Arc::new(Refused::new("models")),
        }
    }

    /// For a person.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        [self.profiles.notices(), self.models.notices()].concat()
    }
}

impl ModelsDirWatch {
    /// Begins with families that the store knows, and with the models that were loaded at the start, behind `seen`.
    pub fn new(
        models_dir: &Path,
        store: Arc<PostgresStore>,
        families: &watch::Sender<Arc<Families>>,
        (models, seen): (&watch::Sender<Arc<Registry>>, Seen),
        told: &Told,
    ) -> Self {
        let profiles = ProfileWatch::new(models_dir, store, families.clone(), told.profiles.clone());
        let models = ModelWatch::new(models_dir, seen, models.clone(), families.clone(), told.models.clone());
        Self { profiles, models }
    }

    /// Looks until `stop`: at profiles first, since models score rows of them.
    pub async fn run(mut self, stop: CancellationToken) {
        let look = async {
            loop {
                sleep(LOOK).await;
                self.profiles.look().await;
                self.models.look().await;
            }
        };
        stop.run_until_cancelled(look).await;
    }
}

/// Files and folders that are not in use as they stand there, each with the reason.
#[derive(Debug)]
pub struct Refused {
    /// What is refused: `profiles`, `models`.
    what: &'static str,
    told: Mutex<BTreeMap<PathBuf, String>>,
}

impl Refused {
    /// Nothing is refused yet.
    pub fn new(what: &'static str) -> Self {
        let told = Mutex::default();
        Self { what, told }
    }

    /// For a person.
    pub fn notices(&self) -> Vec<(&'static str, String)> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.values().map(|why| (self.what, why.clone())).collect()
    }

    /// Replaces what was told; what was not is logged.
    pub(super) fn tell(&self, refused: BTreeMap<PathBuf, String>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (file, why) in refused.iter().filter(|(file, why)| told.get(*file) != Some(*why)) {
            let (what, file) = (self.what, file.display());
            tracing::warn!(what, %file, error = why, "not in use as it stands there");
        }
        *told = refused;
    }
}
