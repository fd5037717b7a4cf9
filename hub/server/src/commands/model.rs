//! `forecall model`: what is served, whether a folder can be, which version of a family is, and what the next one learns from.

mod challenge;
mod compare;
mod labels;

use super::args::ConfigArgs;
use crate::models::{load_models, refused};
use crate::terminal::{log, say};
use anyhow::{Context, Result, bail};
use hub_predict::{Model, Registry, Serving};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Models that watch appliances. A hub that runs on the same folder takes what changes within some seconds.
#[derive(Debug, clap::Args)]
pub struct Models {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Says whether a model folder could be served: manifest, profile, network and golden windows.
    Check {
        /// The folder, with manifest.toml, golden.jsonl and, unless the manifest does without, model.onnx.
        folder: PathBuf,
    },
    /// Lists the models: served, in reserve, refused.
    List(Folder),
    /// Serves this version of a family, higher or lower than the one before.
    Promote {
        /// Family and version, e.g. pump-rig/2.
        model: Named,
        #[command(flatten)]
        folder: Folder,
    },
    /// Serves again the version that was served before the last promotion.
    Rollback {
        /// Family, e.g. pump-rig.
        family: String,
        #[command(flatten)]
        folder: Folder,
    },
    Challenge(challenge::Challenge),
    Compare(compare::Compare),
    Labels(labels::Labels),
}

#[derive(Debug, clap::Args)]
struct Folder {
    #[command(flatten)]
    config: ConfigArgs,
    /// Model folders and profiles. Without it, those of the hub configured here.
    #[arg(long)]
    models: Option<PathBuf>,
}

impl Folder {
    fn path(self) -> Result<PathBuf> {
        match self.models {
            Some(models) => Ok(models),
            None => Ok(self.config.load()?.models_dir),
        }
    }
}

/// A version of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    family: String,
    version: u32,
}

impl std::str::FromStr for Named {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not family/version, as in pump-rig/2");
        let (family, version) = text.rsplit_once('/').ok_or_else(wrong)?;
        Ok(Self {
            family: family.to_owned(),
            version: version.parse().map_err(|_| wrong())?,
        })
    }
}

impl Models {
    /// Carries the command out.
    pub async fn run(self) -> Result<()> {
        log("warn");
        match self.command {
            Command::Check { folder } => check(&folder),
            Command::List(folder) => {
                list(&load_models(&folder.path()?)?);
                Ok(())
            }
            Command::Promote { model, folder } => promote(&folder.path()?, &model),
            Command::Rollback { family, folder } => roll_back(&folder.path()?, &family),
            Command::Challenge(command) => command.run(),
            Command::Compare(command) => command.run().await,
            Command::Labels(command) => command.run().await,
        }
    }
}

fn check(folder: &Path) -> Result<()> {
    let model = Model::load(folder).with_context(|| format!("{} cannot be served", folder.display()))?;
    let manifest = model.manifest();
    let features: Vec<&str> = manifest.features.iter().map(|feature| feature.name.as_str()).collect();
    let classes: Vec<&str> = manifest
        .classification
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    let lives = "it has no network, and gives what its golden lives say";
    let (faults, golden) = match (model.has_network(), model.names_faults()) {
        (true, _) => (classes.join(", "), "its network gives what its golden windows say"),
        (false, true) => (classes.join(", "), lives),
        (false, false) => ("none is named: a person reads what it opens".to_owned(), lives),
    };
    say(format_args!(
        "{} can be served: {} for profile {}\nhash      {}\nfeatures  {}\nfaults    {faults}\n{golden}",
        folder.display(),
        model.version(),
        manifest.profile,
        model.hash(),
        features.join(", "),
    ));
    Ok(())
}

fn list(registry: &Registry) {
    let line = |state: &str, model: &Model| {
        say(format_args!(
            "{state:<8} {:<32} {}",
            model.version(),
            model.folder().display()
        ));
    };
    for (_, model) in registry.families() {
        line("served", model);
    }
    for model in registry.others() {
        let challenger = registry.challenger(model.family());
        let is_challenger = challenger.is_some_and(|challenger| Arc::ptr_eq(challenger, model));
        line(if is_challenger { "shadow" } else { "reserve" }, model);
    }
    for (profile, model) in registry.generics() {
        let what = format!("{} for {profile}", model.version());
        say(format_args!("{:<8} {what:<32} {}", "shipped", model.folder().display()));
    }
    for why in refused(registry).values() {
        say(format_args!("refused  {why}"));
    }
}

/// Models of a family that can be used, the one that is served first.
fn of_family<'r>(registry: &'r Registry, family: &str) -> Vec<&'r Arc<Model>> {
    let all = registry.get(family).into_iter().chain(registry.others());
    all.filter(|model| model.family() == family).collect()
}

fn promote(models_dir: &Path, wanted: &Named) -> Result<()> {
    let registry = load_models(models_dir)?;
    let served = registry.get(&wanted.family);
    let of_family = of_family(&registry, &wanted.family);
    if !of_family.iter().any(|model| model.manifest().version == wanted.version) {
        let there: Vec<&str> = of_family.iter().map(|model| model.version()).collect();
        let why: Vec<String> = refused(&registry).into_values().collect();
        bail!(
            "there is no {}/{} that can be served; there is: {}{}",
            wanted.family,
            wanted.version,
            if there.is_empty() {
                "none of this family".to_owned()
            } else {
                there.join(", ")
            },
            if why.is_empty() {
                String::new()
            } else {
                format!(". {}", why.join("; "))
            }
        );
    }
    let mut serving = Serving::read(models_dir)?;
    serving.promote(
        &wanted.family,
        wanted.version,
        served.map(|model| model.manifest().version),
    );
    serving.write(models_dir)?;
    say(format_args!(
        "{}/{} is served from {}; a hub on this folder takes it within seconds",
        wanted.family,
        wanted.version,
        models_dir.display()
    ));
    Ok(())
}

fn roll_back(models_dir: &Path, family: &str) -> Result<()> {
    let mut serving = Serving::read(models_dir)?;
    let version = serving.roll_back(family)?;
    let registry = load_models(models_dir)?;
    let mut usable = registry.families().map(|(_, model)| model).chain(registry.others());
    if !usable.any(|model| model.family() == family && model.manifest().version == version) {
        bail!("{family}/{version} was served before and cannot be now: `forecall model list` says what is there");
    }
    serving.write(models_dir)?;
    say(format_args!(
        "{family}/{version} is served again from {}; a hub on this folder takes it within seconds",
        models_dir.display()
    ));
    Ok(())
}
