//! Names for what a maker knows: the direction in which each kind of fault moved his devices, which a later alarm is compared with. Each
//! fault is named once by what the others of its kind did, so that what is said of the names is of devices that they were not learned from.

use std::collections::BTreeMap;

use hub_core::prediction::{Severity, UNKNOWN_FAULT};
use hub_core::profile::ApplianceProfile;
use hub_core::site::Localised;
use jiff::Timestamp;

use super::Fault;
use super::learn::watch;
use super::recordings::Device;
use crate::manifest::{FaultClass, Feature, Kit, Manifest};
use crate::naming::cosine;

/// Faults of a kind in which an alarm stood, that make a name: the direction of fewer would be those devices' own.
pub const FAULTS_MIN: usize = 3;
/// Least cosine with which an alarm gets a name.
const MIN_COSINE: f64 = 0.7;
/// Share of a kind's faults that the others of it have to name.
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
    /// Those of them that the others named as what they were.
    pub right: usize,
    /// Those that would have been named as something else.
    pub wrong: usize,
    /// Alarms will get this name.
    pub is_named: bool,
}

/// Directions of one kind of fault, one of each device's.
#[derive(Default)]
struct Kind {
    word: String,
    directions: Vec<Vec<f64>>,
}

/// Puts into the manifest the names of faults whose directions hold together, and says what came of each.
pub(super) fn learn(
    manifest: &mut Manifest,
    profile: &ApplianceProfile,
    devices: &[Device],
    faults: &BTreeMap<String, Vec<Fault>>,
) -> Vec<OfClass> {
    let kinds = kinds(manifest, profile, devices, faults);
    // One that gets no name in any case takes none from the others.
    let may_be_named = |kind: &Kind| kind.directions.len() >= FAULTS_MIN;
    let directions = kinds.values().map(|kind| match may_be_named(kind) {
        true => direction(&kind.directions),
        false => Vec::new(),
    });
    let directions: Vec<Vec<f64>> = directions.collect();
    let tried = kinds.iter().enumerate().map(|(own, (name, kind))| {
        let (mut right, mut wrong) = (0, 0);
        for (i, one) in kind.directions.iter().enumerate() {
            let others = kind.directions.iter().enumerate().filter(|(j, _)| *j != i);
            let mut by = directions.clone();
            by[own] = direction(others.map(|(_, direction)| direction));
            match closest(one, &by) {
                Some(class) if class == own => right += 1,
                Some(_) => wrong += 1,
                None => {}
            }
        }
        let found = kind.directions.len();
        OfClass {
            name: name.clone(),
            word: kind.word.clone(),
            is_named: may_be_named(kind) && RIGHT.1 * right >= RIGHT.0 * found,
            found,
            right,
            wrong,
        }
    });
    let tried: Vec<OfClass> = tried.collect();
    let named = tried.iter().zip(&directions).filter(|(class, _)| class.is_named);
    let classes: Vec<FaultClass> = named
        .map(|(class, direction)| fault_class(class, direction, &manifest.features))
        .collect();
    if !classes.is_empty() {
        manifest.classification.min_cosine = MIN_COSINE;
        manifest.classification.classes = classes;
    }
    tried
}

/// By name, the direction in which each fault moved its device while an alarm stood.
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
    let mut nameless = 0;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for device in devices {
        let Some(of_device) = faults.get(&device.name) else {
            continue;
        };
        let repairs: Vec<Timestamp> = of_device.iter().filter_map(|fault| fault.until).collect();
        let watched = watch(&device.steps, &repairs, &kit.channels, &kit.settings);
        for fault in of_device {
            let word: String = fault
                .class
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(WORDS_MAX)
                .collect();
            if word.is_empty() {
                continue;
            }
            let name = names.entry(word.to_lowercase()).or_insert_with(|| {
                name_of(&word).unwrap_or_else(|| {
                    nameless += 1;
                    format!("fault_{nameless}")
                })
            });
            if name == UNKNOWN_FAULT {
                continue;
            }
            let within = watched.stood.iter().filter(|(at, _)| fault.covers(*at));
            let moved = direction(within.map(|(_, moved)| moved));
            let kind = kinds.entry(name.clone()).or_default();
            if kind.word.is_empty() {
                kind.word = word.trim().to_owned();
            }
            if moved.iter().any(|one| *one != 0.0) {
                kind.directions.push(moved);
            }
        }
    }
    kinds
}

/// The middle direction of some, each of which counts as much as another; zeros, or nothing, where there are none.
fn direction<'a>(all: impl IntoIterator<Item = &'a Vec<f64>>) -> Vec<f64> {
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

fn closest(one: &[f64], by: &[Vec<f64>]) -> Option<usize> {
    let likeness = by.iter().map(|direction| cosine(one, direction)).enumerate();
    let close = likeness.filter(|(_, cosine)| *cosine >= MIN_COSINE);
    close.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(class, _)| class)
}

/// Small letters, figures and lines, as class names are written; none of a word in another script.
fn name_of(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    (!parts.is_empty() && word.chars().all(|c| c.is_ascii() || !c.is_alphanumeric())).then(|| parts.join("_"))
}

/// The maker's word is shown in both languages; an owner hears a sentence that names no part, since a word may be in any.
fn fault_class(class: &OfClass, direction: &[f64], features: &[Feature]) -> FaultClass {
    let largest = direction.iter().fold(0.0, |largest: f64, one| largest.max(one.abs()));
    let moves = features.iter().zip(direction);
    let moves = moves.filter(|(_, by)| by.abs() >= LEAST * largest);
    FaultClass {
        name: class.name.clone(),
        words: Localised {
            zh_cn: class.word.clone(),
            en: class.word.clone(),
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
    fn a_name_is_made_of_the_makers_word() {
        let name = |word: &str| name_of(word);
        assert_eq!(name("Condenser fan (left)").as_deref(), Some("condenser_fan_left"));
        assert_eq!(name("冷凝风扇"), None);
        assert_eq!(name("– –"), None);
    }

    #[test]
    fn each_counts_as_much_as_another_however_far_it_went() {
        let middle = direction(&[vec![10.0, 0.0], vec![0.0, 1.0]]);
        assert!((middle[0] - middle[1]).abs() < 1e-12 && (length(&middle) - 1.0).abs() < 1e-12);
        assert!(direction(&[vec![0.0, 0.0]]).iter().all(|one| *one == 0.0));
        assert_eq!(closest(&[1.0, 0.1], &[vec![0.0, 1.0], vec![1.0, 0.0]]), Some(1));
        assert_eq!(closest(&[1.0, 0.1], &[vec![0.0, 1.0], vec![]]), None);
    }
}
