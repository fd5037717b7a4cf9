//! Appliance profiles: which channels an appliance family reports, in which order and resolution; and what people call them.
//!
//! A profile is append-only: a channel keeps its id, position, unit and scale permanently, because queued messages and
//! stored rows outlive updates. Its words are not part of it.

mod words;

pub use words::{FamilyWords, NAME_MAX, SENTENCE_MAX, WordsError, check_name, check_sentence, check_spoken_name};

use serde::{Deserialize, Serialize};

/// One channel of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Id on the wire, 1 to 255; the position in a stored row is `id - 1`.
    pub id: u8,
    /// Name in JSON telemetry and on pages, e.g. `pump_current_a`.
    pub name: String,
    /// Unit as in SenML (RFC 8428 §12.1), e.g. `A`, `Cel`, `m/s2`.
    pub unit: String,
    /// Stored resolution: a stored integer is `round(value × 10^decimals)`.
    pub decimals: u8,
    /// The smallest value that is physically possible.
    pub min: f64,
    /// The largest value that is physically possible.
    pub max: f64,
}

/// A family as `models/profiles/<name>.toml` has it: its profile, and its words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "FamilyFile")]
pub struct Family {
    /// The profile.
    pub profile: ApplianceProfile,
    /// What people read and hear of it.
    pub words: FamilyWords,
}

/// The file's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyFile {
    name: String,
    version: u16,
    channels: Vec<Channel>,
    words: FamilyWords,
}

/// An appliance profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplianceProfile {
    /// Name of the family, e.g. `washing-machine`.
    pub name: String,
    /// Counts up when channels are appended.
    pub version: u16,
    /// Channels in order of id, without holes, starting at 1.
    pub channels: Vec<Channel>,
}

/// Why a profile is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Ids must count 1, 2, 3 … without holes.
    #[error("profile {profile}: channel {name} has id {got}, expected {expected}: ids count up from 1 without holes")]
    Order {
        /// The profile.
        profile: String,
        /// The channel at fault.
        name: String,
        /// Its id.
        got: u8,
        /// What it should be.
        expected: usize,
    },
    /// A name twice.
    #[error("profile {profile}: channel name {name} occurs twice")]
    Twice {
        /// The profile.
        profile: String,
        /// The name.
        name: String,
    },
    /// Range or resolution cannot be stored.
    #[error("profile {profile}: channel {name}: min must be below max and max × 10^decimals below 2^31")]
    Range {
        /// The profile.
        profile: String,
        /// The channel at fault.
        name: String,
    },
    /// Words that cannot be shown or spoken.
    #[error("profile {profile}: {what} cannot be used")]
    Words {
        /// The profile.
        profile: String,
        /// Which words.
        what: String,
        /// Cause, as the rule words it.
        source: WordsError,
    },
    /// A channel without words.
    #[error("profile {profile}: channel {name} has no words: say in [words.channels] what it measures")]
    NoWords {
        /// The profile.
        profile: String,
        /// The channel.
        name: String,
    },
    /// Words of a channel that is not there.
    #[error("profile {profile}: [words.channels] has {name}, which is no channel of it")]
    NoChannel {
        /// The profile.
        profile: String,
        /// What the words are for.
        name: String,
    },
}

impl From<FamilyFile> for Family {
    fn from(file: FamilyFile) -> Self {
        let profile = ApplianceProfile {
            name: file.name,
            version: file.version,
            channels: file.channels,
        };
        Self {
            profile,
            words: file.words,
        }
    }
}

impl Family {
    /// Checks what serde cannot: the profile ([`ApplianceProfile::check`]), that each channel has words, and that all words
    /// can be shown and spoken.
    pub fn check(&self) -> Result<(), ProfileError> {
        self.profile.check()?;
        let profile = || self.profile.name.clone();
        let usable = |what: &str, checked: Result<(), WordsError>| {
            checked.map_err(|source| ProfileError::Words {
                profile: profile(),
                what: what.to_owned(),
                source,
            })
        };
        usable("words.name", check_name(&self.words.name))?;
        usable("words.spoken", check_spoken_name(&self.words.spoken))?;
        for (name, words) in &self.words.channels {
            if self.profile.position(name).is_none() {
                let (profile, name) = (profile(), name.clone());
                return Err(ProfileError::NoChannel { profile, name });
            }
            usable(&format!("words.channels.{name}"), check_name(words))?;
        }
        let mut names = self.profile.channels.iter().map(|channel| &channel.name);
        match names.find(|name| !self.words.channels.contains_key(*name)) {
            Some(name) => Err(ProfileError::NoWords {
                profile: profile(),
                name: name.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl ApplianceProfile {
    /// Checks what serde cannot: order of ids, unique names, storable ranges.
    pub fn check(&self) -> Result<(), ProfileError> {
        for (index, channel) in self.channels.iter().enumerate() {
            let profile = self.name.clone();
            let name = channel.name.clone();
            if usize::from(channel.id) != index + 1 {
                return Err(ProfileError::Order {
                    profile,
                    name,
                    got: channel.id,
                    expected: index + 1,
                });
            }
            if self.channels[..index].iter().any(|c| c.name == channel.name) {
                return Err(ProfileError::Twice { profile, name });
            }
            let scale = 10f64.powi(i32::from(channel.decimals));
            let storable = [channel.min, channel.max]
                .iter()
                .all(|v| (v * scale).abs() < f64::from(i32::MAX));
            if !storable || channel.min >= channel.max {
                return Err(ProfileError::Range { profile, name });
            }
        }
        Ok(())
    }

    /// Readings that were stored or sent by `before` mean the same by this profile: it has the same channels, and perhaps more.
    pub fn continues(&self, before: &ApplianceProfile) -> bool {
        let alike = |new: &Channel, old: &Channel| {
            new.id == old.id && new.name == old.name && new.unit == old.unit && new.decimals == old.decimals
        };
        let mut pairs = self.channels.iter().zip(&before.channels);
        self.channels.len() >= before.channels.len() && pairs.all(|(new, old)| alike(new, old))
    }

    /// A channel's value in its unit, of a sample's stored integers by channel order, if it is there.
    pub fn value(&self, stored: &[Option<i32>], channel: &str) -> Option<f64> {
        let at = self.position(channel)?;
        Some(self.channels.get(at)?.value(stored.get(at).copied().flatten()?))
    }

    /// Position of a channel in a stored row.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.channels.iter().position(|c| c.name == name)
    }
}

impl Channel {
    /// The stored integer of a value, or `None` if it is not finite or outside the physical range.
    pub fn quantise(&self, value: f64) -> Option<i32> {
        if !value.is_finite() || value < self.min || value > self.max {
            return None;
        }
        // In range by `ApplianceProfile::check`, so the cast cannot saturate.
        Some((value * 10f64.powi(i32::from(self.decimals))).round() as i32)
    }

    /// The value of a stored integer.
    pub fn value(&self, stored: i32) -> f64 {
        f64::from(stored) / 10f64.powi(i32::from(self.decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u8, name: &str) -> Channel {
        Channel {
            id,
            name: name.into(),
            unit: "A".into(),
            decimals: 3,
            min: -1.0,
            max: 20.0,
        }
    }

    #[test]
    fn ids_count_up_without_holes() {
        let mut profile = ApplianceProfile {
            name: "p".into(),
            version: 1,
            channels: vec![channel(1, "a"), channel(3, "b")],
        };
        assert!(matches!(profile.check(), Err(ProfileError::Order { expected: 2, .. })));
        profile.channels[1].id = 2;
        assert_eq!(profile.check(), Ok(()));
        profile.channels[1].name = "a".into();
        assert!(matches!(profile.check(), Err(ProfileError::Twice { .. })));
        profile.channels[1] = Channel {
            max: 3e6,
            ..channel(2, "b")
        };
        assert!(matches!(profile.check(), Err(ProfileError::Range { .. })));
    }

    #[test]
    fn a_profile_goes_on_with_the_same_channels_and_more() {
        let of = |channels: &[Channel]| ApplianceProfile {
            name: "p".into(),
            version: 1,
            channels: channels.to_vec(),
        };
        let (a, b) = (channel(1, "a"), channel(2, "b"));
        let before = of(std::slice::from_ref(&a));
        assert!(before.continues(&before) && of(&[a.clone(), b.clone()]).continues(&before));
        let wider = Channel { max: 30.0, ..a.clone() };
        assert!(
            of(&[wider]).continues(&before),
            "what is possible is no part of a stored integer"
        );
        let finer = Channel {
            decimals: 4,
            ..a.clone()
        };
        let other = Channel {
            unit: "V".into(),
            ..a.clone()
        };
        for wrong in [of(&[]), of(&[channel(1, "b")]), of(&[finer]), of(&[other])] {
            assert!(!wrong.continues(&before), "{wrong:?}");
        }
    }

    #[test]
    fn stored_values_come_back_within_the_resolution() {
        let c = channel(1, "a");
        assert_eq!(c.quantise(1.2345), Some(1235));
        assert_eq!(c.value(1235), 1.235);
        assert_eq!(c.quantise(f64::NAN), None);
        assert_eq!(c.quantise(20.1), None);
    }

    #[test]
    fn a_family_has_words_for_each_of_its_channels_and_for_no_other() {
        let both = |zh: &str, en: &str| serde_json::json!({"zh-CN": zh, "en": en});
        let read = |words| -> Result<Family, String> {
            let channel = serde_json::to_value(channel(1, "current")).unwrap();
            let file = serde_json::json!({"name": "p", "version": 1, "channels": [channel], "words": words});
            serde_json::from_value(file).map_err(|error| error.to_string())
        };
        let words =
            |spoken, channels| serde_json::json!({"name": both("泵", "Pump"), "spoken": spoken, "channels": channels});
        let check = |spoken, channels| read(words(spoken, channels)).unwrap().check();
        let (spoken, current) = (
            both("泵", "pump"),
            serde_json::json!({"current": both("电流", "current")}),
        );
        let family = read(words(spoken.clone(), current.clone())).unwrap();
        assert_eq!(family.check(), Ok(()));
        assert_eq!((family.profile.name.as_str(), family.profile.channels.len()), ("p", 1));

        let without = check(spoken.clone(), serde_json::json!({})).unwrap_err();
        assert_eq!(
            without.to_string(),
            "profile p: channel current has no words: say in [words.channels] what it measures"
        );
        let other = serde_json::json!({"current": both("电流", "current"), "flow": both("流量", "flow")});
        assert!(matches!(check(spoken.clone(), other), Err(ProfileError::NoChannel { name, .. }) if name == "flow"));
        let empty = check(spoken, serde_json::json!({"current": both("", "current")})).unwrap_err();
        assert_eq!(empty.to_string(), "profile p: words.channels.current cannot be used");
        let source = WordsError::NotMandarin('A');
        let latin = check(both("A泵", "pump"), current).unwrap_err();
        assert!(
            matches!(latin, ProfileError::Words { what, source: why, .. } if what == "words.spoken" && why == source)
        );

        let file = serde_json::json!({"name": "p", "version": 1, "channels": []});
        let refused = serde_json::from_value::<Family>(file).unwrap_err().to_string();
        assert!(refused.contains("missing field `words`"), "{refused}");
    }
}
