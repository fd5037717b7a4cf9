//! Appliance profiles without a restart: the folder is looked at, and what came or changed becomes known to the store, the front
//! door and the pages. What cannot be used is told, and what was known before stays in use.

use super::in_time;
use super::models_dir::Refused;
use crate::models::{profile_files, read_family};
use anyhow::{Context, Result, ensure};
use hub_core::families::Families;
use hub_predict::{Stamps, stamps};
use hub_store_postgres::PostgresStore;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// What looks at the folder.
pub struct ProfileWatch {
    models_dir: PathBuf,
    store: Arc<PostgresStore>,
    families: watch::Sender<Arc<Families>>,
    refused: Arc<Refused>,
    /// The files that were read last.
    seen: Stamps,
}

impl ProfileWatch {
    /// Begins with families that the store knows, and reads all files at its first look.
    pub fn new(
        models_dir: &Path,
        store: Arc<PostgresStore>,
        families: watch::Sender<Arc<Families>>,
        refused: Arc<Refused>,
    ) -> Self {
        Self {
            models_dir: models_dir.to_owned(),
            store,
            families,
            refused,
            seen: Stamps::new(),
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) {
        let (models_dir, seen) = (self.models_dir.clone(), self.seen.clone());
        let known = self.families.borrow().clone();
        let looked = tokio::task::spawn_blocking(move || look_at(&models_dir, &seen, &known)).await;
        let result = match looked.context("the look at the appliance profiles broke off") {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(looked))) => self.take(looked).await,
            Ok(Err(error)) | Err(error) => Err(error),
        };
        if let Err(error) = result {
            // Another look follows, whether or not a file changes.
            self.seen = Stamps::new();
            let folder = self.models_dir.join("profiles");
            self.refused.tell(BTreeMap::from([(folder, format!("{error:#}"))]));
        }
    }

    /// The store first: no reading is decoded by a profile that it does not know.
    async fn take(&mut self, looked: Looked) -> Result<()> {
        if looked.families != **self.families.borrow() {
            let profiles = looked.families.profiles().cloned();
            let profiles = profiles.map(|profile| (profile.name.clone(), profile)).collect();
            in_time(self.store.take_profiles(&profiles))
                .await
                .context("the store did not take the appliance profiles")?;
            let names: Vec<&String> = profiles.keys().collect();
            tracing::info!(?names, "appliance profiles were read again");
            self.families.send_replace(Arc::new(looked.families));
        }
        self.refused.tell(looked.refused);
        self.seen = looked.stamps;
        Ok(())
    }
}

/// What a look found.
struct Looked {
    stamps: Stamps,
    /// What is known from now on.
    families: Families,
    refused: BTreeMap<PathBuf, String>,
}

/// Reads the files, if they are not those that were seen. A profile whose file has gone stays known until the next start.
fn look_at(models_dir: &Path, seen: &Stamps, known: &Families) -> Result<Option<Looked>> {
    let stamps = stamps(&profile_files(models_dir)?);
    if stamps == *seen {
        return Ok(None);
    }
    let (mut families, mut refused) = (known.clone(), BTreeMap::new());
    for file in stamps.keys() {
        if let Err(why) = read_into(&mut families, file) {
            refused.insert(file.clone(), format!("{why:#}"));
        }
    }
    Ok(Some(Looked {
        stamps,
        families,
        refused,
    }))
}

/// Readings are on their way by the profile that is in use: one that reads them otherwise has to wait for a start.
fn read_into(families: &mut Families, file: &Path) -> Result<()> {
    let family = read_family(file)?;
    let before = families.profile(&family.profile.name);
    ensure!(
        before.is_none_or(|before| family.profile.continues(before)),
        "{}: id, name, unit and resolution of a channel stay as they are; append channels, or give the profile another name",
        file.display()
    );
    families.insert(family);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"
        name = "fridge"
        version = 1
        [[channels]]
        id = 1
        name = "inside_c"
        unit = "Cel"
        decimals = 1
        min = -40.0
        max = 60.0
        [words]
        name = { zh-CN = "冰箱", en = "Refrigerator" }
        spoken = { zh-CN = "冰箱", en = "refrigerator" }
        [words.channels]
        inside_c = { zh-CN = "冷藏室温度", en = "inside temperature" }
    "#;

    fn look(models: &Path, seen: &Stamps, known: &Families) -> Looked {
        look_at(models, seen, known).unwrap().expect("something has changed")
    }

    #[test]
    fn what_came_or_changed_is_read_and_what_cannot_be_used_leaves_the_one_before() {
        let models = tempfile::tempdir().unwrap();
        let folder = models.path().join("profiles");
        std::fs::create_dir(&folder).unwrap();
        let (file, known) = (folder.join("fridge.toml"), Families::default());
        assert!(
            look_at(models.path(), &Stamps::new(), &known).unwrap().is_none(),
            "nothing is there"
        );

        std::fs::write(&file, PROFILE).unwrap();
        let first = look(models.path(), &Stamps::new(), &known);
        assert!(first.refused.is_empty(), "{:?}", first.refused);
        assert_eq!(first.families.profile("fridge").unwrap().channels.len(), 1);
        let again = look_at(models.path(), &first.stamps, &first.families).unwrap();
        assert!(again.is_none(), "nothing has changed");

        for (from, to, why) in [
            ("min = -40.0", "min = ", "is not a profile"),
            ("id = 1", "id = 2", "is not usable"),
            ("decimals = 1", "decimals = 2", "resolution of a channel stay"),
            ("inside_c", "outside_c", "resolution of a channel stay"),
        ] {
            std::fs::write(&file, PROFILE.replace(from, to)).unwrap();
            let wrong = look(models.path(), &Stamps::new(), &first.families);
            assert!(wrong.refused[&file].contains(why), "{:?}", wrong.refused);
            assert!(wrong.families == first.families, "the one before stays in use");
        }

        std::fs::write(&file, PROFILE.replace("Refrigerator", "Fridge")).unwrap();
        let renamed = look(models.path(), &first.stamps, &first.families);
        assert_eq!(
            renamed.families.name("fridge", hub_core::language::Language::En),
            "Fridge"
        );
        std::fs::remove_file(&file).unwrap();
        let gone = look(models.path(), &renamed.stamps, &renamed.families);
        assert!(gone.families == renamed.families && gone.refused.is_empty());
    }
}
