//! The appliance families that a hub knows: their profiles, and what people call them, their channels, features and fault
//! classes. A hub replaces the whole while it runs, when a profile comes or changes; it is in no stored row.

use std::collections::BTreeMap;

use crate::language::Language;
use crate::profile::{ApplianceProfile, Family};
use crate::release::Basis;
use crate::site::Localised;

/// All families, with the words of the models that watch their appliances. The default knows none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Families {
    families: BTreeMap<String, Family>,
    /// By profile; the model that bears the profile's name comes first.
    models: BTreeMap<String, Vec<ModelWords>>,
}

/// What people call the fault classes and features of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelWords {
    /// Name of the model.
    pub family: String,
    /// Profile of the appliances that it watches.
    pub profile: String,
    /// Version that is served.
    pub version: u32,
    /// It judges by floors, without a network.
    pub by_floors: bool,
    /// Its fault classes, by name.
    pub faults: BTreeMap<String, FaultWords>,
    /// Its features that have words of their own, by name.
    pub features: BTreeMap<String, Localised>,
    /// What it states of the evidence for its fault classes where it states none for one of them.
    pub basis: Basis,
    /// What it states of one class, by name.
    pub bases: BTreeMap<String, Basis>,
}

impl ModelWords {
    /// What the model states of the evidence for a fault class.
    pub fn basis(&self, class: &str) -> Basis {
        self.bases.get(class).copied().unwrap_or(self.basis)
    }
}

/// What people call a fault class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultWords {
    /// Name as pages show it: `Loss of flow`.
    pub name: Localised,
    /// Sentence that an owner hears.
    pub spoken: Localised,
}

impl Families {
    /// Of several models for one profile that have the same class or feature, the words of the one that bears the profile's
    /// name count, else those of the first by name: findings and tickets name the class, and the appliance its profile.
    pub fn new(families: impl IntoIterator<Item = Family>, models: impl IntoIterator<Item = ModelWords>) -> Self {
        let families = families.into_iter();
        let mut all = Self {
            families: families.map(|family| (family.profile.name.clone(), family)).collect(),
            models: BTreeMap::new(),
        };
        all.set_models(models);
        all
    }

    /// Takes these models' words in place of those before.
    pub fn set_models(&mut self, models: impl IntoIterator<Item = ModelWords>) {
        self.models.clear();
        for model in models {
            self.models.entry(model.profile.clone()).or_default().push(model);
        }
        for models in self.models.values_mut() {
            models.sort_by_cached_key(|model| (model.family != model.profile, model.family.clone()));
        }
    }

    /// Takes a family, in place of one with the same profile's name.
    pub fn insert(&mut self, family: Family) {
        self.families.insert(family.profile.name.clone(), family);
    }

    /// A profile, by its name.
    pub fn profile(&self, name: &str) -> Option<&ApplianceProfile> {
        Some(&self.families.get(name)?.profile)
    }

    /// All profiles, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &ApplianceProfile> {
        self.families.values().map(|family| &family.profile)
    }

    /// Whether a model watches appliances with this profile.
    pub fn is_watched(&self, profile: &str) -> bool {
        self.models.contains_key(profile)
    }

    /// Models that are served, by profile.
    pub fn served(&self) -> impl Iterator<Item = &ModelWords> {
        self.models.values().flatten()
    }

    /// The family of a profile as pages show it; one that is not known, by the profile's name.
    pub fn name<'a>(&'a self, profile: &'a str, language: Language) -> &'a str {
        let family = self.families.get(profile);
        family.map_or(profile, |family| family.words.name(language))
    }

    /// The family of a profile as an owner hears it within a sentence; none of one that is not known.
    pub fn spoken(&self, profile: &str, language: Language) -> Option<&str> {
        Some(self.families.get(profile)?.words.spoken(language))
    }

    /// What a channel measures; one that is not known, by its name.
    pub fn channel<'a>(&'a self, profile: &str, channel: &'a str, language: Language) -> &'a str {
        let family = self.families.get(profile);
        family
            .and_then(|family| family.words.channel(channel, language))
            .unwrap_or(channel)
    }

    /// What a prediction names as a cause, a feature or a channel; one that is not known, by its name.
    pub fn feature<'a>(&'a self, profile: &str, feature: &'a str, language: Language) -> &'a str {
        match self.of_models(profile, |model| model.features.get(feature)) {
            Some(words) => words.get(language),
            None => self.channel(profile, feature, language),
        }
    }

    /// A fault class as pages show it; one that is not known, by its name.
    pub fn fault<'a>(&'a self, profile: &str, class: &'a str, language: Language) -> &'a str {
        let words = self.of_models(profile, |model| model.faults.get(class));
        words.map_or(class, |words| words.name.get(language))
    }

    /// What an owner hears about a fault class; none of one that no model has, such as
    /// [`UNKNOWN_FAULT`](crate::prediction::UNKNOWN_FAULT).
    pub fn fault_sentence(&self, profile: &str, class: &str, language: Language) -> Option<&str> {
        let words = self.of_models(profile, |model| model.faults.get(class));
        Some(words?.spoken.get(language))
    }

    fn of_models<'a, T>(&'a self, profile: &str, find: impl Fn(&'a ModelWords) -> Option<&'a T>) -> Option<&'a T> {
        self.models.get(profile)?.iter().find_map(find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::UNKNOWN_FAULT;
    use crate::profile::{Channel, FamilyWords};
    use Language::{En, ZhCn};

    fn words(zh_cn: &str, en: &str) -> Localised {
        Localised {
            zh_cn: zh_cn.to_owned(),
            en: en.to_owned(),
        }
    }

    fn pump() -> Family {
        let channel = Channel {
            id: 1,
            name: "flow".into(),
            unit: "l/s".into(),
            decimals: 2,
            min: 0.0,
            max: 9.0,
        };
        Family {
            profile: ApplianceProfile {
                name: "pump".into(),
                version: 1,
                channels: vec![channel],
            },
            words: FamilyWords {
                name: words("水泵", "Water pump"),
                spoken: words("水泵", "water pump"),
                channels: BTreeMap::from([("flow".to_owned(), words("流量", "flow"))]),
            },
        }
    }

    fn model(family: &str, faults: &[(&str, &str)]) -> ModelWords {
        let fault = |(class, en): &(&str, &str)| {
            let (name, spoken) = (words("故障", en), words("它坏了。", &format!("{en}.")));
            ((*class).to_owned(), FaultWords { name, spoken })
        };
        ModelWords {
            family: family.into(),
            profile: "pump".into(),
            version: 1,
            by_floors: false,
            faults: faults.iter().map(fault).collect(),
            features: BTreeMap::from([("swing".to_owned(), words("波动", "swing of the flow"))]),
            basis: Basis::default(),
            bases: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_known_has_its_words_in_both_languages() {
        let all = Families::new([pump()], [model("pump", &[("leak", "Leak")])]);
        assert_eq!((all.name("pump", ZhCn), all.name("pump", En)), ("水泵", "Water pump"));
        assert_eq!(all.spoken("pump", En), Some("water pump"));
        assert_eq!(all.channel("pump", "flow", ZhCn), "流量");
        assert_eq!(all.feature("pump", "swing", En), "swing of the flow");
        assert_eq!(
            all.feature("pump", "flow", En),
            "flow",
            "a feature may bear a channel's name"
        );
        assert_eq!(all.fault("pump", "leak", En), "Leak");
        assert_eq!(all.fault_sentence("pump", "leak", ZhCn), Some("它坏了。"));
        assert_eq!(all.profile("pump"), Some(&pump().profile));
        assert_eq!(all.profiles().count(), 1);
    }

    #[test]
    fn what_is_not_known_shows_its_name_and_is_not_spoken() {
        let all = Families::new([pump()], [model("pump", &[("leak", "Leak")])]);
        assert_eq!(all.name("fridge", En), "fridge");
        assert_eq!(all.channel("pump", "flux", En), "flux");
        assert_eq!(all.channel("fridge", "flow", En), "flow");
        assert_eq!(all.feature("fridge", "swing", En), "swing");
        assert_eq!(all.fault("pump", UNKNOWN_FAULT, En), UNKNOWN_FAULT);
        assert_eq!(all.fault("fridge", "leak", En), "leak", "another family's leak");
        assert_eq!(
            (all.spoken("fridge", En), all.fault_sentence("fridge", "leak", En)),
            (None, None)
        );
        assert_eq!(all.profile("fridge"), None);
    }

    #[test]
    fn a_family_that_is_taken_again_keeps_the_words_of_its_models() {
        let mut all = Families::new([pump()], [model("pump", &[("leak", "Leak")])]);
        let mut renamed = pump();
        renamed.words.name = words("泵", "Pump");
        all.insert(renamed);
        assert_eq!((all.name("pump", En), all.fault("pump", "leak", En)), ("Pump", "Leak"));
    }

    #[test]
    fn of_two_models_for_a_profile_the_one_that_bears_its_name_comes_first() {
        let other = model("a-pump", &[("leak", "Some leak"), ("bearing", "Bearing")]);
        let all = Families::new([pump()], [other, model("pump", &[("leak", "Leak")])]);
        assert_eq!(all.fault("pump", "leak", En), "Leak");
        assert_eq!(all.fault("pump", "bearing", En), "Bearing");
    }
}
