//! All models of a directory, by family.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub_core::error_chain::in_full;
use hub_core::families::ModelWords;
use hub_core::normal::{LearnedNormal, NoNormal};
use hub_store::prediction::SavedDetectors;

use crate::detector::{CheckpointError, Detector};
use crate::manifest::FAMILY;
use crate::model::{FAULTS, Model, ModelError, load_family};
use crate::serving::{Serving, ServingError};
use crate::stamps::{Stamps, stamps};

/// Depth to which model folders are looked for: `models/evaluation/<set>/<model>`.
const DEPTH: usize = 3;

/// The files of a model folder; one without a network has no `model.onnx`, and only one that names faults without it has the last.
const FILES: [&str; 4] = ["manifest.toml", "model.onnx", "golden.jsonl", FAULTS];
/// The folder of profiles, beside the models.
const PROFILES: &str = "profiles";

/// The models a hub serves.
pub struct Registry {
    models: BTreeMap<String, Arc<Model>>,
    /// Models that could be served in place of those.
    others: Vec<Arc<Model>>,
    /// Family `generic`, by profile.
    generics: BTreeMap<String, Arc<Model>>,
    /// Of those, by family, what is scored in the shadow of the one that is served.
    challengers: BTreeMap<String, Arc<Model>>,
    refused: Vec<(PathBuf, ModelError)>,
    /// Families of refused folders: where none of them is served, nothing else watches their appliances.
    claimed: BTreeSet<String>,
    serving: Serving,
    /// Families of which a person chose a version that is not there.
    missing: Vec<(String, u32)>,
    /// Families whose challenger is not there.
    missing_challengers: Vec<(String, u32)>,
    /// The files that were read, as they were then.
    stamps: Stamps,
}

/// Why a directory cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The list of versions that people chose cannot be used.
    #[error("which versions are to be served is not known; without that file the highest of each family are")]
    Serving(#[from] ServingError),
    /// It cannot be listed.
    #[error("cannot list the models in {}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Cause, as the library or the rule words it.
        source: std::io::Error,
    },
    /// Nothing in it can be served.
    #[error("no usable model in {}; {refused}", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
        /// Folders with a manifest that were refused, each with the reason.
        refused: String,
    },
}

impl Registry {
    /// Loads every folder with a `manifest.toml`, up to three levels down, and makes family `generic` of each profile of the directory.
    /// Of several models of a family the one is served
    /// whose version a person chose ([`Serving`]), else the highest version. A folder that is refused does not stop the others:
    /// see [`Registry::refused`].
    ///
    /// # Errors
    /// The directory cannot be listed, holds neither a usable model nor, where no folder is refused, a profile, or its list of chosen
    /// versions cannot be used.
    pub fn load(directory: &Path) -> Result<Registry, RegistryError> {
        Self::nothing().load_again(directory)
    }

    /// Loads what has changed in the directory since. What cannot be used leaves what this registry serves: a model whose folder is
    /// refused now, or has gone, can still be served, and a list of chosen versions that has gone, or is empty, still holds.
    ///
    /// # Errors
    /// As [`Registry::load`].
    pub fn load_again(&self, directory: &Path) -> Result<Registry, RegistryError> {
        let mut next = Self::nothing();
        next.stamps = stamps(&model_files(directory));
        next.serving = match Serving::read(directory)? {
            nothing if nothing == Serving::default() => self.serving.clone(),
            chosen => chosen,
        };
        let mut folders = Vec::new();
        find(directory, DEPTH, &mut folders).map_err(|source| RegistryError::List {
            path: directory.to_owned(),
            source,
        })?;
        folders.sort();
        let mut usable = Vec::new();
        for folder in folders {
            match self.again(&folder, &next.stamps).map_or_else(|| load(&folder), Ok) {
                Ok(model) => usable.push(model),
                Err(why) => {
                    usable.extend(self.models.values().find(|served| served.folder() == folder).cloned());
                    next.refused.push((folder, why));
                }
            }
        }
        for served in self.models.values() {
            let is_there = |model: &Arc<Model>| model.folder() == served.folder();
            if !usable.iter().any(is_there)
                && let Err(why) = load(served.folder())
            {
                next.refused.push((served.folder().to_owned(), why));
                usable.push(served.clone());
            }
        }
        next.serve(usable);
        next.claimed = next.refused.iter().flat_map(|(folder, _)| claims(folder)).collect();
        next.generics = self.generics_again(directory, &next.stamps);
        if next.models.is_empty() && (next.generics.is_empty() || !next.refused.is_empty()) {
            let refused = next.refused.iter();
            let refused: Vec<String> = refused
                .map(|(folder, why)| format!("{} is refused: {}", folder.display(), in_full(why)))
                .collect();
            return Err(RegistryError::Empty {
                path: directory.to_owned(),
                refused: if refused.is_empty() {
                    "no folder in it has a manifest.toml".to_owned()
                } else {
                    refused.join("; ")
                },
            });
        }
        Ok(next)
    }

    fn nothing() -> Self {
        Self {
            models: BTreeMap::new(),
            others: Vec::new(),
            generics: BTreeMap::new(),
            challengers: BTreeMap::new(),
            refused: Vec::new(),
            claimed: BTreeSet::new(),
            serving: Serving::default(),
            missing: Vec::new(),
            missing_challengers: Vec::new(),
            stamps: Stamps::new(),
        }
    }

    /// Family `generic` for each profile of the directory. A file that has not changed has the model that it had; what cannot be read has
    /// that as well, or none: profiles are looked at, and told, by the one who serves them.
    fn generics_again(&self, directory: &Path, now: &Stamps) -> BTreeMap<String, Arc<Model>> {
        let known = |file: &Path| self.generics.values().find(|model| model.folder() == file);
        let mut generics = BTreeMap::new();
        for file in profile_files(directory) {
            let is_same = self.stamps.get(&file) == now.get(&file);
            let model = match (known(&file), load_family(&file)) {
                (Some(model), _) if is_same => Some(model.clone()),
                (Some(model), Ok(family)) if *model.profile() == family.profile => Some(model.clone()),
                (_, Ok(family)) => Model::generic(&file, family.profile).map(Arc::new),
                (known, Err(_)) => known.cloned(),
            };
            if let Some(model) = model {
                generics.insert(model.profile().name.clone(), model);
            }
        }
        generics
    }

    /// The model that was loaded from this folder, if nothing of it has changed.
    fn again(&self, folder: &Path, now: &Stamps) -> Option<Arc<Model>> {
        let is_of = |file: &Path| file.starts_with(folder) || file.parent().is_some_and(|dir| dir.ends_with(PROFILES));
        let of = |stamps: &Stamps| -> Stamps {
            let own = stamps.iter().filter(|(file, _)| is_of(file));
            own.map(|(file, stamp)| (file.clone(), *stamp)).collect()
        };
        let known = self.models.values().chain(&self.others);
        let model = known.into_iter().find(|model| model.folder() == folder)?;
        let is_refused = self.refused.iter().any(|(refused, _)| refused == folder);
        (!is_refused && of(&self.stamps) == of(now)).then(|| model.clone())
    }

    /// Whether the same models are served here, loaded once, and the same ones are scored in their shadow.
    pub fn serves_as(&self, other: &Registry) -> bool {
        let same = |own: &BTreeMap<String, Arc<Model>>, others: &BTreeMap<String, Arc<Model>>| {
            let is_there = |(name, model): (&String, &Arc<Model>)| {
                others.get(name).is_some_and(|served| Arc::ptr_eq(served, model))
            };
            own.len() == others.len() && own.iter().all(is_there)
        };
        same(&self.models, &other.models)
            && same(&self.generics, &other.generics)
            && same(&self.challengers, &other.challengers)
            && self.unwatched().eq(other.unwatched())
    }

    /// Profiles that are watched by nothing, since the folder that is for them is refused.
    fn unwatched(&self) -> impl Iterator<Item = &String> {
        let claimed = self.claimed.iter();
        claimed.filter(|family| self.generics.contains_key(*family) && !self.models.contains_key(*family))
    }

    /// Chooses one model of each family.
    fn serve(&mut self, usable: Vec<Arc<Model>>) {
        let mut families: BTreeMap<String, Vec<Arc<Model>>> = BTreeMap::new();
        for model in usable {
            families.entry(model.family().to_owned()).or_default().push(model);
        }
        for (family, mut models) in families {
            // The highest last; of two with one version the first by folder, as before.
            models.reverse();
            models.sort_by_key(|model| model.manifest().version);
            let chosen = self.serving.version(&family).and_then(|version| {
                let at = models.iter().rposition(|model| model.manifest().version == version);
                if at.is_none() {
                    self.missing.push((family.clone(), version));
                }
                at
            });
            let served = models.remove(chosen.unwrap_or(models.len() - 1));
            if let Some(version) = self.serving.challenger(&family) {
                match models.iter().rev().find(|model| model.manifest().version == version) {
                    Some(model) => drop(self.challengers.insert(family.clone(), model.clone())),
                    None => self.missing_challengers.push((family.clone(), version)),
                }
            }
            self.models.insert(family, served);
            self.others.extend(models);
        }
    }

    /// The model that watches an appliance of this profile: the one that is named, `generic` among them; where none is, the one whose
    /// family bears the profile's name, and family `generic` where there is none either. Where the folder of that family is refused there
    /// is none: who made a model for these appliances is told that it is not served, and not that something else watches them.
    pub fn of(&self, model: Option<&str>, profile: &str) -> Option<&Arc<Model>> {
        let generic = || self.generics.get(profile);
        match model {
            Some(FAMILY) => generic(),
            Some(family) => self.models.get(family),
            None if self.claimed.contains(profile) => self.models.get(profile),
            None => self.models.get(profile).or_else(generic),
        }
    }

    /// What the detector of an appliance takes for normal, by what was saved of it, the model that watches it now and the floors of its
    /// fleet.
    ///
    /// # Errors
    /// Nothing is known of it, for the reason that is given.
    pub fn normal(&self, saved: &SavedDetectors) -> Result<LearnedNormal, NoNormal> {
        let model = self.of(saved.model.as_deref(), &saved.profile);
        let model = model.ok_or(NoNormal::NoModel)?;
        let own = saved.states.iter().find(|state| state.model == model.version());
        let own = own.ok_or(match (saved.states.is_empty(), saved.restarted) {
            (false, _) => NoNormal::OtherModel,
            (true, true) => NoNormal::Restarted,
            (true, false) => NoNormal::NothingSaved,
        })?;
        let of_fleet = saved.floors.get(model.version());
        let with_floors = of_fleet.and_then(|floors| model.with_floors(floors));
        let model = with_floors.as_ref().unwrap_or(model);
        match Detector::restore(model, &own.state) {
            Ok(detector) => Ok(detector.normal(model, own.saved_at)),
            Err(CheckpointError::OtherModel { .. }) => Err(NoNormal::OtherModel),
            Err(CheckpointError::Damaged) => Err(NoNormal::Unreadable),
        }
    }

    /// Family `generic` for the profiles that no other model is for, by profile.
    pub fn generics(&self) -> impl Iterator<Item = (&str, &Arc<Model>)> {
        let generics = self.generics.iter();
        let alone = generics.filter(|(profile, _)| self.is_alone(profile));
        alone.map(|(profile, model)| (profile.as_str(), model))
    }

    /// No model is for this profile, nor is there a folder of one that is refused.
    fn is_alone(&self, profile: &str) -> bool {
        !self.models.contains_key(profile) && !self.claimed.contains(profile)
    }

    /// Models that are served and judge by floors, each with its profile: folders, and family `generic` of every profile.
    pub fn by_floors(&self) -> impl Iterator<Item = &Arc<Model>> {
        let folders = self.models.values().filter(|model| model.manifest().is_by_floors());
        folders.chain(self.generics.values())
    }

    /// Names by which appliances are watched, of their model or, where none is named, of their profile.
    pub fn watched(&self) -> Vec<String> {
        let generic = (!self.generics.is_empty()).then(|| FAMILY.to_owned());
        let mut names: Vec<String> = self
            .models
            .keys()
            .chain(self.generics.keys().filter(|profile| self.is_alone(profile)))
            .cloned()
            .chain(generic)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What people call faults and features of all models, family `generic` among them.
    pub fn words(&self) -> Vec<ModelWords> {
        let models = self.models.values().chain(self.generics.values());
        models.map(|model| model.manifest().words()).collect()
    }

    /// The model served for a family.
    pub fn get(&self, family: &str) -> Option<&Arc<Model>> {
        self.models.get(family)
    }

    /// Families and their models, by name.
    pub fn families(&self) -> impl Iterator<Item = (&str, &Arc<Model>)> {
        self.models.iter().map(|(family, model)| (family.as_str(), model))
    }

    /// The model that is scored in the shadow of the one that is served for a family.
    pub fn challenger(&self, family: &str) -> Option<&Arc<Model>> {
        self.challengers.get(family)
    }

    /// Families of which a person named a challenger that is not there, with its version: none is scored.
    pub fn missing_challengers(&self) -> &[(String, u32)] {
        &self.missing_challengers
    }

    /// Models that are not served, since another one of their family is.
    pub fn others(&self) -> &[Arc<Model>] {
        &self.others
    }

    /// Families of which a person chose a version that is not there, with that version: the highest is served.
    pub fn missing(&self) -> &[(String, u32)] {
        &self.missing
    }

    /// Whether a folder of this family is refused and none is served.
    pub fn is_refused(&self, family: &str) -> bool {
        self.claimed.contains(family) && !self.models.contains_key(family)
    }

    /// Folders that were refused, and why.
    pub fn refused(&self) -> &[(PathBuf, ModelError)] {
        &self.refused
    }
}

/// Loads a folder. A network at which the library gives up is refused as any other.
fn load(folder: &Path) -> Result<Arc<Model>, ModelError> {
    let loaded = std::panic::catch_unwind(|| Model::load(folder));
    let gave_up = |_| ModelError::GaveUp {
        folder: folder.to_owned(),
    };
    loaded.map_err(gave_up)?.map(Arc::new)
}

/// The family of a refused folder, by its manifest as far as that can be read at all; else all that may be it: the folder's name, and the
/// profile.
fn claims(folder: &Path) -> Vec<String> {
    let text = std::fs::read(folder.join("manifest.toml")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let said = |key: &str| {
        let top = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
        top.filter_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))
            .find_map(quoted)
    };
    if let Some(family) = said("family") {
        return vec![family];
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    said("profile").into_iter().chain(name).collect()
}

/// The text between quotation marks.
fn quoted(value: &str) -> Option<String> {
    let value = value.trim_start();
    let mark = value.chars().next().filter(|mark| matches!(mark, '"' | '\''))?;
    let (text, _) = value.get(1..)?.split_once(mark)?;
    Some(text.to_owned())
}

/// The files below a directory that decide what [`Registry::load`] gives: those of each model folder, profiles, and
/// [`Serving`]'s. A directory that cannot be listed has none.
pub fn model_files(directory: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    // What cannot be listed now is told when it is loaded.
    let _ = find(directory, DEPTH, &mut folders);
    let files = folders.iter().flat_map(|folder| FILES.map(|file| folder.join(file)));
    files
        .chain(profile_files(directory))
        .chain([Serving::file(directory)])
        .collect()
}

/// The files of the profiles, by name.
fn profile_files(directory: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(directory.join(PROFILES)).into_iter().flatten();
    let mut files: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
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
