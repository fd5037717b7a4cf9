//! A maker's own family from recordings of his healthy appliances: floors, influence of conditions and thresholds, written as a model
//! folder for the detector without a network. No network is trained here, and no source of ours is needed.
//!
//! Recordings take the hub's own road to steps, so that what is learned is what the hub will compare. Files go in, a folder comes
//! out; the time of day is not asked, and chance comes from a seed.

mod card;
mod classes;
mod folder;
mod judge;
mod labels;
mod learn;
mod recordings;

pub use classes::{DEVICES_NAMED_MIN, OfClass};
pub use folder::CardFacts;
pub use judge::{Judged, OfFault, Outcome};
pub use labels::{FAULTS_MAX, Fault};

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use hub_core::profile::ApplianceProfile;
use hub_core::release::EvidenceKind;

use crate::generic::Settings;
use crate::manifest::Manifest;
use crate::model::{ModelError, find_profile};
use crate::table::TableError;
use crate::trial::TrialError;
use learn::Learned;
use recordings::Survey;

/// Devices from which a floor is learned, each watched for a month at least.
pub const DEVICES_MIN: usize = 30;
/// Values of all steps that are kept while it is learned: 512 MB of memory, and some 60 bytes more for each step.
pub const VALUES_MAX: usize = 32_000_000;

/// What is to be made of which recordings.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Profile of the appliances.
    pub profile: &'a ApplianceProfile,
    /// Name of the family: that of the profile watches all of its appliances, another one those whose site file names it.
    pub family: &'a str,
    /// Its version.
    pub version: u32,
    /// Recordings, each of one device or of several.
    pub files: &'a [PathBuf],
    /// File of known faults.
    pub faults: Option<&'a Path>,
    /// Channel that tells running from idle; where none is named, the profile's channel of the programme's phase, if it has one.
    pub running: Option<&'a str>,
    /// Channels that tell conditions, besides those whose name says so.
    pub conditions: &'a [String],
    /// Where the recordings come from; none where nobody says, which counts as a simulator.
    pub evidence: Option<EvidenceKind>,
}

/// Why no model can be made.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The folder is taken.
    #[error("{} is there already; name a new folder, and --version for another version of a family", .0.display())]
    Taken(PathBuf),
    /// The profile that the hub would find is not the one that was given.
    #[error("the folder would be read with {}, which is not the profile given: put the folder beside that profile's `profiles/`", .0.display())]
    OtherProfile(PathBuf),
    /// The hub would not find the profile.
    #[error("the folder has to lie below the one that has `profiles/`")]
    NoProfile(#[source] ModelError),
    /// The family's name is the hub's own, or none.
    #[error("a family needs a name of its own, not `{0}`")]
    Family(String),
    /// A file cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Cause, as the system words it.
        source: std::io::Error,
    },
    /// A recording cannot be used.
    #[error("{} cannot be used", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// Cause, as the rule words it.
        source: TrialError,
    },
    /// The file of faults cannot be read.
    #[error("the file of faults cannot be used")]
    LabelFile(#[source] TrialError),
    /// A row of the file of faults cannot be read.
    #[error("the file of faults cannot be used")]
    Labels(#[source] TableError),
    /// The file of faults lacks a column.
    #[error("the file of faults needs a column `{name}`; found: {found}")]
    NoLabelColumn {
        /// Name of the column.
        name: &'static str,
        /// The columns that are there.
        found: String,
    },
    /// A fault that ends before it begins.
    #[error("the file of faults, line {line}: `until` is before `since`")]
    EndsBefore {
        /// The line.
        line: usize,
    },
    /// Too many faults.
    #[error("the file of faults has more than {FAULTS_MAX} rows")]
    TooManyFaults,
    /// Faults of devices of which there is no recording.
    #[error(
        "there is no recording of {0}, which the file of faults names; devices are named by their column, or by their file"
    )]
    UnknownDevices(String),
    /// There is no such channel.
    #[error("the profile has no channel `{0}`")]
    NoChannel(String),
    /// No channel of the profile is in the recordings and measures anything.
    #[error("no channel of profile {profile} measures anything in these recordings; left out: {left_out}")]
    NothingMeasured {
        /// Name of the profile.
        profile: String,
        /// Channels, each with the reason.
        left_out: String,
    },
    /// No device is healthy.
    #[error("the file of faults names every device: at least one has to be healthy")]
    NoHealthy,
    /// No device could be watched.
    #[error(
        "none of the {devices} devices has 40 steps of one state (a step is {period_s} s): record longer, or name --running"
    )]
    NoneWatched {
        /// Devices.
        devices: usize,
        /// Seconds of a step.
        period_s: f64,
    },
    /// Too much to learn from.
    #[error("the recordings make more than {VALUES_MAX} values of steps: leave out devices, or the oldest years")]
    TooMuch,
    /// The folder cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause, as the system words it.
        source: std::io::Error,
    },
    /// What was written does not load.
    #[error("the model that was made cannot be served")]
    Unusable(#[source] ModelError),
}

/// What was made.
#[derive(Debug)]
pub struct Trained {
    /// Family and version.
    pub model: String,
    /// The manifest that was written.
    pub manifest: Manifest,
    /// What of it was learned, and from how much.
    pub facts: CardFacts,
    /// What it opens on the recordings.
    pub judged: Judged,
}

/// Learns a model and writes its folder, which is new.
///
/// # Errors
/// What is wanted contradicts itself, a file cannot be read, or nothing can be learned from them; then no folder is left behind.
pub fn train(wanted: &Wanted<'_>, out: &Path) -> Result<Trained, TrainingError> {
    check_place(wanted, out)?;
    let faults = match wanted.faults {
        Some(path) => labels::read(recordings::open(path)?)?,
        None => std::collections::BTreeMap::default(),
    };
    let settings = Settings::default();
    let survey = Survey::take(wanted, &settings)?;
    let unknown: Vec<&str> = faults
        .keys()
        .map(String::as_str)
        .filter(|name| !survey.has(name))
        .collect();
    if !unknown.is_empty() {
        return Err(TrainingError::UnknownDevices(crate::table::listed(unknown.into_iter())));
    }
    let mut draft = survey.draft(wanted, &settings)?;
    let devices = recordings::steps(wanted, &survey, &draft)?;
    let is_healthy = |device: &&recordings::Device| !faults.contains_key(&device.name);
    if !devices.iter().any(|device| is_healthy(&device)) {
        return Err(TrainingError::NoHealthy);
    }
    let Learned {
        mut manifest,
        devices,
        thresholds,
        floors,
        conditions,
    } = learn::learn(&mut draft, wanted.profile, devices, &faults)?;
    let classes = classes::learn(&mut manifest, wanted.profile, &devices, &faults);
    let judged = judge::judge(&manifest, wanted.profile, &devices, &faults);
    let facts = CardFacts {
        evidence: wanted.evidence,
        files: wanted.files.len(),
        rows: survey.rows,
        devices: devices.len(),
        faulty: faults.len(),
        watched: judged.watched,
        device_months: thresholds,
        floors,
        conditions,
        classes,
        left_out: survey.left_out(wanted, &manifest),
        period_s: survey.period_s,
    };
    folder::write(out, &manifest, wanted.profile, &devices, &facts, &judged)?;
    Ok(Trained {
        model: manifest.id(),
        manifest,
        facts,
        judged,
    })
}

fn check_place(wanted: &Wanted<'_>, out: &Path) -> Result<(), TrainingError> {
    let name = wanted.family;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name == crate::manifest::FAMILY || !name.chars().all(is_plain) {
        return Err(TrainingError::Family(name.to_owned()));
    }
    let is_free = match std::fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(TrainingError::Taken(out.to_owned()));
    }
    let found = find_profile(out, &wanted.profile.name).map_err(TrainingError::NoProfile)?;
    let family = crate::model::load_family(&found).map_err(TrainingError::NoProfile)?;
    match family.profile == *wanted.profile {
        true => Ok(()),
        false => Err(TrainingError::OtherProfile(found)),
    }
}

/// In lines for a person.
impl Display for Trained {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (what, said) in card::lines(&self.manifest, &self.facts, &self.judged) {
            writeln!(f, "{what:<14} {said}")?;
        }
        Ok(())
    }
}
