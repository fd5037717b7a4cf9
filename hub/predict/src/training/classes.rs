//! Names for what a maker knows: the direction in which each kind of fault moved his devices, which a later alarm is compared with. Each
//! fault is named once by what other devices did, as a hub names an alarm when it opens: what is said of the names is of devices that they
//! were not learned from.
//!
//! An alarm that stood already when a fault's label begins was opened, and would have been named, by what nobody has labelled: its steps
//! within the label show where the fault moves a device, and its opening says nothing of the name.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::prediction::{Severity, UNKNOWN_FAULT};
use hub_core::profile::ApplianceProfile;
use hub_core::site::Localised;
use jiff::Timestamp;

use super::Fault;
use super::learn::{Stood, watch};
use super::recordings::Device;
use crate::manifest::{Classification, FaultClass, Feature, Kit, Manifest};
use crate::naming::classify;

/// Devices with a fault of a kind in which an alarm opened, that make a name: the direction of fewer would be those devices' own.
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
    /// Faults in which an alarm opened, so that they could be named. Rows of one device that overlap are one fault.
    pub found: usize,
    /// Devices with these.
    pub devices: usize,
    /// Those of the faults that other devices named as what they were; of a kind that has the name of what is unknown, those that got none.
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
    /// How far each feature had moved when an alarm opened; none where the alarm stood before the fault's label begins.
    opening: Option<Vec<f64>>,
}

impl Kind {
    /// Faults in which an alarm opened.
    fn found(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|case| case.opening.is_some())
    }

    /// Devices with these.
    fn devices(&self) -> usize {
        let devices: BTreeSet<usize> = self.found().map(|case| case.device).collect();
        devices.len()
    }

    /// The middle direction of all devices but one, each counting as much as another, however many faults it had.
    fn direction(&self, without: Option<usize>) -> Vec<f64> {
        let mut of_devices: BTreeMap<usize, Vec<&Vec<f64>>> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| without != Some(case.device)) {
            of_devices.entry(case.device).or_default().push(&case.direction);
        }
        let of_devices: Vec<Vec<f64>> = of_devices.into_values().map(middle).collect();
        middle(&of_devices)
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
        .filter(|(name, kind)| *name != UNKNOWN_FAULT && kind.devices() >= DEVICES_NAMED_MIN)
        .map(|(name, _)| name)
        .collect();
    enough.sort_by_key(|name| std::cmp::Reverse(kinds[*name].found().count()));
    enough.truncate(CLASSES_MAX);
    let first = named_by_others(&kinds, features, &enough);
    let holds = |name: &&String| {
        let (right, _) = first[*name];
        RIGHT.1 * right >= RIGHT.0 * kinds[*name].found().count()
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
        found: kind.found().count(),
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
/// devices did, of its own kind and of all others.
fn named_by_others<'a>(
    kinds: &'a BTreeMap<String, Kind>,
    features: &[Feature],
    names: &[&String],
) -> BTreeMap<&'a String, (usize, usize)> {
    let class = |name: &&String, without| fault_class(name, "", &kinds[*name].direction(without), features);
    let whole: Vec<FaultClass> = names.iter().map(|name| class(name, None)).collect();
    let mut told: BTreeMap<&String, (usize, usize)> = kinds.keys().map(|name| (name, (0, 0))).collect();
    let mut of_devices: BTreeMap<usize, Vec<(&'a String, &[f64])>> = BTreeMap::new();
    for (name, case) in kinds
        .iter()
        .flat_map(|(name, kind)| kind.cases.iter().map(move |case| (name, case)))
    {
        let of_device = of_devices.entry(case.device).or_default();
        of_device.extend(case.opening.as_deref().map(|opening| (name, opening)));
    }
    for (device, openings) in of_devices {
        let by_others = names.iter().zip(&whole).map(|(name, whole)| {
            let is_own = kinds[*name].cases.iter().any(|case| case.device == device);
            if is_own {
                class(name, Some(device))
            } else {
                whole.clone()
            }
        });
        let rule = Classification {
            min_cosine: MIN_COSINE,
            unknown_severity: Severity::Major,
            classes: by_others.collect(),
        };
        for (name, opening) in openings {
            let (named, _) = classify(opening, features, &rule);
            let (right, wrong) = told.entry(name).or_default();
            *right += usize::from(named == *name);
            *wrong += usize::from(named != *name && named != UNKNOWN_FAULT);
        }
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
    for (number, device) in devices.iter().enumerate() {
        let Some(of_device) = faults.get(&device.name) else {
            continue;
        };
        let of_device = merged(of_device, &names);
        let mut repairs: Vec<Timestamp> = of_device.iter().filter_map(|(_, fault)| fault.until).collect();
        repairs.sort();
        let watched = watch(&device.steps, &repairs, &kit.channels, &kit.settings);
        for (name, fault) in &of_device {
            let Some(own) = *name else { continue };
            let kind = kinds.entry(own.clone()).or_default();
            if kind.word.is_empty() {
                kind.word = word(fault);
            }
            let is_another = |(name, other): &(Option<&String>, Fault), at| *name != Some(own) && other.covers(at);
            let within: Vec<&Stood> = watched
                .stood
                .iter()
                .filter(|stood| fault.covers(stood.at) && !of_device.iter().any(|other| is_another(other, stood.at)))
                .collect();
            let direction = middle(within.iter().map(|stood| &stood.moved));
            if length(&direction) > 0.0 {
                let opened = within.iter().find(|stood| stood.rose);
                kind.cases.push(Case {
                    device: number,
                    direction,
                    opening: opened.map(|stood| stood.moved.clone()),
                });
            }
        }
    }
    kinds
}

/// The faults of a device with their names, where rows of one kind that overlap, or begin at one time, are one fault; the oldest first.
fn merged<'a>(of_device: &[Fault], names: &'a BTreeMap<String, String>) -> Vec<(Option<&'a String>, Fault)> {
    let mut merged: Vec<(Option<&String>, Fault)> = Vec::new();
    for fault in of_device {
        let name = names.get(&word(fault).to_lowercase());
        // Rows come by their beginnings. Where one ends as the next begins, something was repaired in between.
        let goes_on = |before: &Fault| before.until.is_none_or(|until| fault.since < until);
        let is_it = |(of, before): &&mut (Option<&String>, Fault)| {
            *of == name && (before.since == fault.since || goes_on(before))
        };
        match merged.iter_mut().find(is_it) {
            Some((_, before)) => before.until = before.until.zip(fault.until).map(|(one, other)| one.max(other)),
            None => merged.push((name, fault.clone())),
        }
    }
    merged
}

/// The maker's word for a fault, as it can be shown.
fn word(fault: &Fault) -> String {
    let shown: String = fault.class.chars().filter(|c| !c.is_control()).collect();
    let shown: String = shown.trim().chars().take(WORDS_MAX).collect();
    shown.trim().to_owned()
}

/// Names of these words in small letters. One that no name can be made of gets a number that no other word has for its name. A kind that
/// the maker calls unknown has the name of what is unknown, so that what came of it can be told.
fn names(words: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    let words: BTreeSet<String> = words
        .map(|word| word.to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let mut names: BTreeMap<String, String> = words
        .iter()
        .filter_map(|word| Some((word.clone(), name_of(word)?)))
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
        assert_eq!((of("unknown fault"), of("")), (Some(UNKNOWN_FAULT), None));
    }

    fn fault(class: &str, since: i64, until: Option<i64>) -> Fault {
        let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
        Fault {
            device: String::new(),
            since: at(since),
            until: until.map(at),
            class: class.to_owned(),
        }
    }

    #[test]
    fn rows_of_one_kind_that_overlap_are_one_fault() {
        let rows = [
            fault("pump", 1, Some(5)),
            fault("fan", 2, None),
            fault("Pump ", 3, Some(4)),
            fault("pump", 4, Some(8)),
            fault("pump", 8, Some(10)),
            fault("fan", 9, Some(10)),
        ];
        let names = names(rows.iter().map(word));
        let merged: Vec<Fault> = merged(&rows, &names).into_iter().map(|(_, fault)| fault).collect();
        let one = [
            fault("pump", 1, Some(8)),
            fault("fan", 2, None),
            fault("pump", 8, Some(10)),
        ];
        assert_eq!(merged, one);
    }

    fn case(device: usize, direction: &[f64], opening: Option<&[f64]>) -> Case {
        Case {
            device,
            direction: direction.to_vec(),
            opening: opening.map(<[f64]>::to_vec),
        }
    }

    #[test]
    fn each_device_counts_once_and_an_alarm_of_before_makes_no_device_found() {
        let kind = Kind {
            word: String::new(),
            cases: vec![
                case(1, &[1.0, 0.0], Some(&[1.0, 0.0])),
                case(1, &[1.0, 0.0], None),
                case(1, &[1.0, 0.0], Some(&[1.0, 0.0])),
                case(2, &[0.0, 1.0], None),
            ],
        };
        let all = kind.direction(None);
        assert!((all[0] - all[1]).abs() < 1e-12, "{all:?}");
        assert_eq!(kind.direction(Some(1)), [0.0, 1.0]);
        assert_eq!((kind.found().count(), kind.devices()), (2, 1));
    }

    /// What a device's own fault of another kind did would else take the name of its next one.
    #[test]
    fn a_devices_other_faults_have_no_part_in_naming_its_own() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/profiles/fridge.toml");
        let profile = crate::model::load_family(&file).unwrap().profile;
        let model = crate::model::Model::generic(&file, profile).unwrap();
        let of = |cases: &[(usize, &[f64])]| Kind {
            word: String::new(),
            cases: cases.iter().map(|(device, by)| case(*device, by, Some(by))).collect(),
        };
        let between: &[f64] = &[0.8, 0.6];
        let kinds = BTreeMap::from([
            (
                "fan".to_owned(),
                of(&[(1, between), (2, &[1.0, 0.0]), (3, &[1.0, 0.0])]),
            ),
            (
                "gas".to_owned(),
                of(&[(1, between), (4, &[0.0, 1.0]), (5, &[0.0, 1.0])]),
            ),
        ]);
        let names: Vec<&String> = kinds.keys().collect();
        let told = named_by_others(&kinds, &model.manifest().features[..2], &names);
        // By all of them, what fails in the first device for want of a fan would be called gas.
        assert_eq!((told[names[0]], told[names[1]]), ((3, 0), (2, 1)));
    }

    #[test]
    fn each_counts_as_much_as_another_however_far_it_went() {
        let both = middle(&[vec![10.0, 0.0], vec![0.0, 1.0]]);
        assert!((both[0] - both[1]).abs() < 1e-12 && (length(&both) - 1.0).abs() < 1e-12);
        assert!(middle(&[vec![0.0, 0.0]]).iter().all(|one| *one == 0.0));
    }

    #[test]
    fn words_are_shown_without_what_cannot_be() {
        let shown = |class: &str| word(&fault(class, 0, None));
        assert_eq!((shown("\u{7} \u{7}").as_str(), shown(" a\tb ").as_str()), ("", "ab"));
    }
}
