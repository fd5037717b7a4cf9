//! `serving.toml` of the models' folder: which version of a family is served, where it is not the highest, which was before, and
//! which is scored in its shadow.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file.
const FILE: &str = "serving.toml";

/// Versions that a person chose, by family. Of families that it does not name, the highest version is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving(BTreeMap<String, Chosen>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    version: u32,
    /// What was served before: where a rollback leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<u32>,
    /// What is scored beside it, and opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenger: Option<u32>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause, as the system words it.
        source: std::io::Error,
    },
    /// It is not what [`Serving::write`] writes.
    #[error("{} is not a list of versions by family, as `forecall model promote` writes it", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause, as the system words it.
        source: std::io::Error,
    },
    /// It would be compared with itself.
    #[error("{family}/{version} is served itself: promote the version that it is to be compared with first")]
    Served {
        /// The family.
        family: String,
        /// The version.
        version: u32,
    },
    /// There is nothing to go back to.
    #[error("nothing was served before {family}: no version of it was promoted")]
    NothingBefore {
        /// The family.
        family: String,
    },
}

impl Serving {
    /// The file's name with its folder.
    pub fn file(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    /// Reads it; nothing is chosen where there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, or is not such a list.
    pub fn read(directory: &Path) -> Result<Self, ServingError> {
        let path = Self::file(directory);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|source| ServingError::Toml {
                path,
                source: Box::new(source),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ServingError::Read { path, source }),
        }
    }

    /// Writes it whole, beside the old one first: a hub that looks at this moment sees the one or the other.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), ServingError> {
        let (path, beside) = (Self::file(directory), directory.join(format!("{FILE}.part")));
        let lines = self.0.iter().map(|(family, chosen)| {
            let also = |name, version: Option<u32>| version.map_or_else(String::new, |v| format!(", {name} = {v}"));
            let (before, challenger) = (also("before", chosen.before), also("challenger", chosen.challenger));
            format!(
                "\"{family}\" = {{ version = {}{before}{challenger} }}\n",
                chosen.version
            )
        });
        let written = || {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(lines.collect::<String>().as_bytes())?;
            // The hub may run as another user.
            file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        };
        written().map_err(|source| ServingError::Write { path, source })
    }

    /// The version that a person chose.
    pub fn version(&self, family: &str) -> Option<u32> {
        Some(self.0.get(family)?.version)
    }

    /// Serves this version from now on, in place of `served`. To promote what is served already changes nothing.
    pub fn promote(&mut self, family: &str, version: u32, served: Option<u32>) {
        if self.version(family) == Some(version) {
            return;
        }
        let before = served.filter(|served| *served != version);
        let challenger = self.challenger(family).filter(|challenger| *challenger != version);
        let chosen = Chosen {
            version,
            before,
            challenger,
        };
        self.0.insert(family.to_owned(), chosen);
    }

    /// The version that is scored in the shadow of the one that is served.
    pub fn challenger(&self, family: &str) -> Option<u32> {
        self.0.get(family)?.challenger
    }

    /// Scores this version in the shadow of `served`, which a higher version that comes does not take the place of any more; or none.
    ///
    /// # Errors
    /// It is that one.
    pub fn challenge(&mut self, family: &str, challenger: Option<u32>, served: u32) -> Result<(), ServingError> {
        if let Some(version) = challenger.filter(|version| *version == served) {
            let family = family.to_owned();
            return Err(ServingError::Served { family, version });
        }
        let chosen = self.0.entry(family.to_owned()).or_insert(Chosen {
            version: served,
            before: None,
            challenger: None,
        });
        chosen.version = served;
        chosen.challenger = challenger;
        Ok(())
    }

    /// Serves again what was served before; a second rollback undoes the first. Gives the version.
    ///
    /// # Errors
    /// No version of the family was promoted, or none was served before it.
    pub fn roll_back(&mut self, family: &str) -> Result<u32, ServingError> {
        let nothing_before = || ServingError::NothingBefore {
            family: family.to_owned(),
        };
        let chosen = self.0.get_mut(family).ok_or_else(nothing_before)?;
        let version = chosen.before.ok_or_else(nothing_before)?;
        *chosen = Chosen {
            version,
            before: Some(chosen.version),
            challenger: chosen.challenger.filter(|challenger| *challenger != version),
        };
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promoted_is_kept_with_what_was_before_and_can_be_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut serving = Serving::read(folder.path()).unwrap();
        assert_eq!(serving, Serving::default());
        serving.promote("pump-rig", 2, Some(1));
        serving.promote("pump-rig", 2, Some(2));
        serving.promote("fridge", 1, None);
        serving.write(folder.path()).unwrap();
        let mut kept = Serving::read(folder.path()).unwrap();
        assert_eq!(kept, serving);
        assert_eq!((kept.version("pump-rig"), kept.version("kettle")), (Some(2), None));
        assert_eq!(kept.roll_back("pump-rig").unwrap(), 1);
        assert_eq!(kept.roll_back("pump-rig").unwrap(), 2, "the first one is undone");
        assert!(kept.roll_back("fridge").is_err(), "there is none before");
        assert_eq!(kept.version("fridge"), Some(1), "and it stays");
        assert!(kept.roll_back("kettle").is_err());
    }

    #[test]
    fn a_challenger_is_kept_beside_what_is_served_until_it_is_served_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut serving = Serving::default();
        assert!(serving.challenge("pump-rig", Some(1), 1).is_err(), "with itself");
        serving.challenge("pump-rig", Some(2), 1).unwrap();
        serving.write(folder.path()).unwrap();
        let mut kept = Serving::read(folder.path()).unwrap();
        assert_eq!(kept, serving);
        assert_eq!(
            (kept.version("pump-rig"), kept.challenger("pump-rig")),
            (Some(1), Some(2))
        );
        kept.promote("pump-rig", 3, Some(1));
        assert_eq!(kept.challenger("pump-rig"), Some(2), "compared with that one now");
        kept.promote("pump-rig", 2, Some(3));
        assert_eq!((kept.version("pump-rig"), kept.challenger("pump-rig")), (Some(2), None));
        kept.challenge("pump-rig", Some(3), 2).unwrap();
        assert_eq!(kept.roll_back("pump-rig").unwrap(), 3);
        assert_eq!(kept.challenger("pump-rig"), None);
        kept.challenge("pump-rig", Some(1), 3).unwrap();
        kept.challenge("pump-rig", None, 3).unwrap();
        assert_eq!(kept.challenger("pump-rig"), None);
    }

    #[test]
    fn a_file_that_is_no_such_list_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "pump-rig = 2",
            "[pump-rig]\nversion = -1",
            "[pump-rig]\nversion = 1\nafter = 2",
            "\u{0}",
        ] {
            std::fs::write(Serving::file(folder.path()), text).unwrap();
            let refused = Serving::read(folder.path()).unwrap_err().to_string();
            assert!(refused.contains("serving.toml"), "{refused}");
        }
    }
}
