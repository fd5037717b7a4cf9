//! The folder `models/` while the hub runs: what came or changed in it is taken without a restart, what cannot be used is told.

use super::models::ModelWatch;
use super::profiles::ProfileWatch;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Looks until `stop`: at profiles first, since models score rows of them.
pub async fn run(mut profiles: ProfileWatch, mut models: ModelWatch, stop: CancellationToken) {
    let look = async {
        loop {
            sleep(LOOK).await;
            profiles.look().await;
            models.look().await;
        }
    };
    stop.run_until_cancelled(look).await;
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
