//! Names for what a maker knows: the direction in which each kind of fault moved his devices, which a later alarm is compared with. Each
//! fault is named once by what other devices with a fault of its kind did, as a hub names an alarm that opens: what is said of the names
//! is of devices that they were not learned from.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::prediction::{Severity, UNKNOWN_FAULT};
use hub_core::profile::ApplianceProfile;
use hub_core::site::Localised;
use jiff::Timestamp;

use super::Fault;
use super::learn::watch;
use super::recordings::Device;
use crate::manifest::{Classification, FaultClass, Feature, Kit, Manifest};
use crate::naming::classify;

/// Devices with a fault of a kind in which an alarm stood, that make a name: the direction of fewer would be those devices' own.
pub const DEVICES_NAMED_MIN: usize = 3;
/// Kinds that get a name, at most: those with the most faults.
const CLASSES_MAX: usize = 64;
/// Least cosine with which an alarm gets a name.
const MIN_COSINE: f64 = 0.7;
/// Share of a kind's faults that other devices with it have to name.
const RIGHT: (usize, usize) = (2, 3);
/// A move below this share of the largest is chance.
const LEAST: f64 = 0.2;
/// Letters of a name on a page, at most.
const WORDS_MAX: usize = 60;

/// A kind of fault, and what came of naming it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfClass {
    /// Its name, made from the maker's word.
    pub name: String,
    /// The maker's word.
    pub word: String,
    /// Faults in which an alarm stood, so that they could be named.
    pub found: usize,
    /// Devices with these.
    pub devices: usize,
    /// Those of the faults that other devices named as what they were.
    pub right: usize,
    /// Those that would be named as something else.
    pub wrong: usize,
    /// Alarms will get this name.
    pub is_named: bool,
}

/// One kind of fault.
#[derive(Default)]
struct Kind {
    word: String,
    cases: Vec<Case>,
}

/// A fault in which an alarm stood.
struct Case {
    device: usize,
    /// In which direction the device moved, of length 1.
    direction: Vec<f64>,
    /// How far each feature had moved when the alarm opened.
    opening: Vec<f64>,
}

impl Kind {
    fn devices(&self) -> usize {
        let devices: BTreeSet<usize> = self.cases.iter().map(|case| case.device).collect();
        devices.len()
    }

    /// The middle direction of the faults of all devices but one, each fault counting as much as another.
    fn direction(&self, without: Option<usize>) -> Vec<f64> {
        let cases = self.cases.iter().filter(|case| without != Some(case.device));
        middle(cases.map(|case| &case.direction))
    }
}

/// Puts into the manifest the names of faults whose directions hold together, and says what came of each.
pub(super) fn learn(
    manifest: &mut Manifest,
    profile: &ApplianceProfile,
    devices: &[Device],
    faults: &BTreeMap<String, Vec<Fault>>,
) -> Vec<OfClass> {
    let kinds = kinds(manifest, profile, devices, faults);
    let features = &manifest.features;
    let mut enough: Vec<&String> = kinds
        .iter()
        .filter(|(_, kind)| kind.devices() >= DEVICES_NAMED_MIN)
        .map(|(name, _)| name)
        .collect();
    enough.sort_by_key(|name| std::cmp::Reverse(kinds[*name].cases.len()));
    enough.truncate(CLASSES_MAX);
    let first = named_by_others(&kinds, features, &enough);
    let holds = |name: &&String| {
        let (right, _) = first[*name];
        RIGHT.1 * right >= RIGHT.0 * kinds[*name].cases.len()
    };
    let written: Vec<&String> = enough.into_iter().filter(holds).collect();
    let told = named_by_others(&kinds, features, &written);
    let classes = kinds.iter().filter(|(name, _)| written.contains(name));
    let classes: Vec<FaultClass> = classes
        .map(|(name, kind)| fault_class(name, &kind.word, &kind.direction(None), features))
        .collect();
    let said = kinds.iter().map(|(name, kind)| OfClass {
        name: name.clone(),
        word: kind.word.clone(),
        found: kind.cases.len(),
        devices: kind.devices(),
        right: told[name].0,
        wrong: told[name].1,
        is_named: written.contains(&name),
    });
    let said = said.collect();
    if !classes.is_empty() {
        manifest.classification.min_cosine = MIN_COSINE;
        manifest.classification.classes = classes;
    }
    said
}

/// Of each kind the faults that are named rightly, and those that are named as something else, where these have names: each by what other
/// devices did.
fn named_by_others<'a>(
    kinds: &'a BTreeMap<String, Kind>,
    features: &[Feature],
    names: &[&String],
) -> BTreeMap<&'a String, (usize, usize)> {
    let whole: Vec<FaultClass> = names
        .iter()
        .map(|name| fault_class(name, "", &kinds[*name].direction(None), features))
        .collect();
    let mut rule = Classification {
        min_cosine: MIN_COSINE,
        unknown_severity: Severity::Major,
        classes: whole.clone(),
    };
    let mut told = BTreeMap::new();
    for (name, kind) in kinds {
        let own = names.iter().position(|one| *one == name);
        let (mut right, mut wrong) = (0, 0);
        for case in &kind.cases {
            if let Some(own) = own {
                rule.classes[own] = fault_class(name, "", &kind.direction(Some(case.device)), features);
            }
            let (named, _) = classify(&case.opening, features, &rule);
            right += usize::from(named == *name);
            wrong += usize::from(named != *name && named != UNKNOWN_FAULT);
        }
        if let Some(own) = own {
            rule.classes[own] = whole[own].clone();
        }
        told.insert(name, (right, wrong));
    }
    told
}

/// By name, the faults in which an alarm stood. Steps that faults of two kinds cover say nothing of either.
fn kinds(
    manifest: &Manifest,
    profile: &ApplianceProfile,
    devices: &[Device],
    faults: &BTreeMap<String, Vec<Fault>>,
) -> BTreeMap<String, Kind> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let Some(kit) = Kit::of(manifest, profile) else {
        return kinds;
    };
    let names = names(faults.values().flatten().map(word));
    let name = |fault: &Fault| names.get(&word(fault).to_lowercase());
    for (number, device) in devices.iter().enumerate() {
        let Some(of_device) = faults.get(&device.name) else {
            continue;
        };
        let mut repairs: Vec<Timestamp> = of_device.iter().filter_map(|fault| fault.until).collect();
        repairs.sort();
        let watched = watch(&device.steps, &repairs, &kit.channels, &kit.settings);
        for fault in of_device {
            let Some(own) = name(fault) else { continue };
            let kind = kinds.entry(own.clone()).or_default();
            if kind.word.is_empty() {
                kind.word = word(fault);
            }
            let is_another = |other: &&Fault| name(other) != Some(own);
            let others: Vec<&Fault> = of_device.iter().filter(is_another).collect();
            let within = watched
                .stood
                .iter()
                .filter(|(at, _)| fault.covers(*at) && !others.iter().any(|other| other.covers(*at)));
            let moved: Vec<&Vec<f64>> = within.map(|(_, moved)| moved).collect();
            let direction = middle(moved.iter().copied());
            if let Some(opening) = moved.first().filter(|_| length(&direction) > 0.0) {
                kind.cases.push(Case {
                    device: number,
                    direction,
                    opening: (*opening).clone(),
                });
            }
        }
    }
    kinds
}

/// The maker's word for a fault, as it can be shown.
fn word(fault: &Fault) -> String {
    let shown: String = fault.class.chars().filter(|c| !c.is_control()).collect();
    let shown: String = shown.trim().chars().take(WORDS_MAX).collect();
    shown.trim().to_owned()
}

/// Names of these words in small letters. One that no name can be made of gets a number that no other word has for its name.
fn names(words: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    let words: BTreeSet<String> = words
        .map(|word| word.to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let mut names: BTreeMap<String, String> = words
        .iter()
        .filter_map(|word| Some((word.clone(), name_of(word)?)))
        .filter(|(_, name)| name != UNKNOWN_FAULT)
        .collect();
    let taken: BTreeSet<String> = names.values().cloned().collect();
    let mut numbered = (1..)
        .map(|number| format!("fault_{number}"))
        .filter(|name| !taken.contains(name));
    for word in words.iter().filter(|word| name_of(word).is_none()) {
        names.extend(numbered.next().map(|name| (word.clone(), name)));
    }
    names
}

/// The middle direction of some, each of which counts as much as another; zeros, or nothing, where there are none.
fn middle<'a>(all: impl IntoIterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let mut sum: Vec<f64> = Vec::new();
    for one in all {
        sum.resize(one.len().max(sum.len()), 0.0);
        let length = length(one);
        if length > 0.0 {
            sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one / length);
        }
    }
    let length = length(&sum);
    if length > 0.0 {
        sum.iter_mut().for_each(|one| *one /= length);
    }
    sum
}

fn length(one: &[f64]) -> f64 {
    one.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Small letters, figures and lines, as class names are written; none of a word in another script.
fn name_of(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    (!parts.is_empty() && word.chars().all(|c| c.is_ascii() || !c.is_alphanumeric())).then(|| parts.join("_"))
}

/// The maker's word is shown in both languages; an owner hears a sentence that names no part, since a word may be in any.
fn fault_class(name: &str, word: &str, direction: &[f64], features: &[Feature]) -> FaultClass {
    let largest = direction.iter().fold(0.0, |largest: f64, one| largest.max(one.abs()));
    let moves = features.iter().zip(direction);
    let moves = moves.filter(|(_, by)| by.abs() >= LEAST * largest);
    FaultClass {
        name: name.to_owned(),
        words: Localised {
            zh_cn: word.to_owned(),
            en: word.to_owned(),
        },
        spoken: Localised {
            zh_cn: "它的数据和平时不一样，可能快要出故障了。".to_owned(),
            en: "Its readings are not as usual: it may soon break down.".to_owned(),
        },
        severity: Severity::Major,
        signature: moves
            .map(|(feature, by)| (feature.name.clone(), (1_000.0 * by).round() / 1_000.0))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_makers_word_and_no_other_word_has_it() {
        assert_eq!(name_of("Condenser fan (left)").as_deref(), Some("condenser_fan_left"));
        let names = names(
            ["冷凝风扇", "Lüfter", "fault 1", "Fan", "unknown fault", ""]
                .map(str::to_owned)
                .into_iter(),
        );
        let of = |word: &str| names.get(word).map(String::as_str);
        assert_eq!((of("fault 1"), of("fan")), (Some("fault_1"), Some("fan")));
        assert_eq!((of("lüfter"), of("冷凝风扇")), (Some("fault_2"), Some("fault_3")));
        assert_eq!((of("unknown fault"), of("")), (None, None));
    }

    #[test]
    fn each_counts_as_much_as_another_however_far_it_went() {
        let both = middle(&[vec![10.0, 0.0], vec![0.0, 1.0]]);
        assert!((both[0] - both[1]).abs() < 1e-12 && (length(&both) - 1.0).abs() < 1e-12);
        assert!(middle(&[vec![0.0, 0.0]]).iter().all(|one| *one == 0.0));
    }

    #[test]
    fn words_are_shown_without_what_cannot_be() {
        let shown = |class: &str| {
            word(&Fault {
                device: String::new(),
                since: Timestamp::UNIX_EPOCH,
                until: None,
                class: class.to_owned(),
            })
        };
        assert_eq!((shown("\u{7} \u{7}").as_str(), shown(" a\tb ").as_str()), ("", "ab"));
    }
}
