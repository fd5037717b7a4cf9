//! What stored integers mean: profile versions by number. A version never changes once it says something, so it is read
//! once.

use crate::row::Columns;
use crate::store::PostgresStore;
use hub_core::profile::{ApplianceProfile, Channel};
use hub_store::error::{Result, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Profile versions by number.
pub(crate) type Versions = BTreeMap<i16, Arc<ApplianceProfile>>;

/// Versions that were read.
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<Arc<Versions>>);

impl Catalog {
    fn known(&self) -> Arc<Versions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads all versions again when they are needed next: there are new ones.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// All versions, among them those of `numbers`.
    pub(crate) async fn with(
        &self,
        store: &PostgresStore,
        numbers: impl IntoIterator<Item = i16>,
    ) -> Result<Arc<Versions>> {
        let known = self.known();
        let is_known = |no| known.get(&no).is_some_and(|profile| !profile.channels.is_empty());
        if numbers.into_iter().all(is_known) {
            return Ok(known);
        }
        self.read(store).await
    }

    /// All versions of which `wanted` is true of one, read again if it is true of none.
    pub(super) async fn find(
        &self,
        store: &PostgresStore,
        wanted: impl Fn(&ApplianceProfile) -> bool,
    ) -> Result<Arc<Versions>> {
        let known = self.known();
        if known.values().any(|profile| wanted(profile)) {
            return Ok(known);
        }
        self.read(store).await
    }

    async fn read(&self, store: &PostgresStore) -> Result<Arc<Versions>> {
        let query = || sqlx::query("select no, name, channels from profile_version");
        let rows = store.readings.fetch(query).await?;
        let mut versions = Versions::new();
        for row in &rows {
            let no: i16 = row.col("no")?;
            let profile = ApplianceProfile {
                name: row.col("name")?,
                version: no.cast_unsigned(),
                channels: row.json("channels")?,
            };
            versions.insert(no, Arc::new(profile));
        }
        let versions = Arc::new(versions);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = versions.clone();
        Ok(versions)
    }
}

/// The version of a row.
pub(crate) fn version(versions: &Versions, no: i16) -> Result<Arc<ApplianceProfile>> {
    versions.get(&no).cloned().ok_or_else(|| StoreError::Unreadable {
        what: "reading",
        source: format!("there is no profile version {no}").into(),
    })
}

/// One channel as each profile version has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VersionedChannel {
    pub(super) name: String,
    pub(super) unit: String,
    /// Number of the version, and the channel in it.
    pub(super) versions: BTreeMap<i16, Channel>,
}

/// A channel in all versions that have it, the newest of which names the unit.
pub(super) fn versioned_channel<'a>(
    versions: impl Iterator<Item = (&'a i16, &'a Arc<ApplianceProfile>)>,
    name: &str,
) -> Option<VersionedChannel> {
    let in_versions: BTreeMap<i16, Channel> = versions
        .filter_map(|(no, profile)| {
            let channel = profile.channels.iter().find(|channel| channel.name == name)?;
            Some((*no, channel.clone()))
        })
        .collect();
    let unit = in_versions.values().next_back()?.unit.clone();
    Some(VersionedChannel {
        name: name.to_owned(),
        unit,
        versions: in_versions,
    })
}
