//! What people read and hear of a family: words that stand with the data, so that a maker's own family needs no other build
//! of the hub. They are in no stored row and may change at any time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::language::{Language, is_han};
use crate::site::Localised;

/// Characters of a name, at most: it stands in a cell of a table.
pub const NAME_MAX: usize = 60;
/// Characters of a sentence that an owner hears, at most: some fifteen seconds.
pub const SENTENCE_MAX: usize = 160;

/// What people call a family and its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyWords {
    /// As a page shows it: `Washing machine`.
    pub name: Localised,
    /// As an owner hears it within a sentence: `washing machine`.
    pub spoken: Localised,
    /// What each channel measures, by the channel's name.
    pub channels: BTreeMap<String, Localised>,
}

/// Why words cannot be shown or spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Nothing, too much, or blanks at an end.
    #[error("{language}: 1 to {most} characters are needed, without blanks around them")]
    Length {
        /// BCP 47 tag.
        language: &'static str,
        /// Characters, at most.
        most: usize,
    },
    /// More than one line, or characters that nobody sees.
    #[error("{language}: one line is needed, without control characters")]
    Control {
        /// BCP 47 tag.
        language: &'static str,
    },
    /// The Mandarin voice reads Latin words in English and figures as quantities.
    #[error(
        "zh-CN: {0:?} cannot be read aloud; write Chinese characters and punctuation only, figures as they are spoken"
    )]
    NotMandarin(char),
    /// The English voice has no sound for it.
    #[error("en: {0:?} cannot be read aloud; write Latin letters, figures and punctuation only")]
    NotEnglish(char),
}

impl FamilyWords {
    /// The family as a page shows it.
    pub fn name(&self, language: Language) -> &str {
        self.name.get(language)
    }

    /// The family as an owner hears it within a sentence.
    pub fn spoken(&self, language: Language) -> &str {
        self.spoken.get(language)
    }

    /// What a channel measures; none of a channel that the profile does not have.
    pub fn channel(&self, channel: &str, language: Language) -> Option<&str> {
        Some(self.channels.get(channel)?.get(language))
    }
}

/// A name that people read.
///
/// # Errors
/// It is empty, longer than [`NAME_MAX`] or has several lines, in one of the languages.
pub fn check_name(words: &Localised) -> Result<(), WordsError> {
    check(words, NAME_MAX)
}

/// A name that an owner hears: as [`check_name`], and a voice can read it.
///
/// # Errors
/// As those of [`check_name`]; figures or other letters than Chinese in the Mandarin words, other letters than Latin in the
/// English ones.
pub fn check_spoken_name(words: &Localised) -> Result<(), WordsError> {
    check_spoken(words, NAME_MAX)
}

/// A sentence or two that an owner hears.
///
/// # Errors
/// As those of [`check_spoken_name`], with [`SENTENCE_MAX`].
pub fn check_sentence(words: &Localised) -> Result<(), WordsError> {
    check_spoken(words, SENTENCE_MAX)
}

fn check(words: &Localised, most: usize) -> Result<(), WordsError> {
    for language in Language::ALL {
        let (text, language) = (words.get(language), language.tag());
        if text.trim() != text || !(1..=most).contains(&text.chars().count()) {
            return Err(WordsError::Length { language, most });
        }
        if text.chars().any(char::is_control) {
            return Err(WordsError::Control { language });
        }
    }
    Ok(())
}

fn check_spoken(words: &Localised, most: usize) -> Result<(), WordsError> {
    check(words, most)?;
    let stranger = |text: &str, is_known: fn(char) -> bool| text.chars().find(|c| c.is_alphanumeric() && !is_known(*c));
    let of_zh = stranger(&words.zh_cn, is_han).map(WordsError::NotMandarin);
    let of_en = stranger(&words.en, is_latin_or_figure).map(WordsError::NotEnglish);
    of_zh.or(of_en).map_or(Ok(()), Err)
}

fn is_latin_or_figure(c: char) -> bool {
    c.is_ascii() || ('\u{c0}'..='\u{24f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(zh_cn: &str, en: &str) -> Localised {
        Localised {
            zh_cn: zh_cn.to_owned(),
            en: en.to_owned(),
        }
    }

    #[test]
    fn a_name_is_one_short_line_in_each_language() {
        assert_eq!(check_name(&words("压力 2", "pressure 2")), Ok(()));
        let long = "p".repeat(NAME_MAX + 1);
        for en in ["", "  ", " pressure", long.as_str()] {
            let refused = check_name(&words("压力", en));
            assert_eq!(
                refused.unwrap_err().to_string(),
                "en: 1 to 60 characters are needed, without blanks around them"
            );
        }
        // Characters are counted, not bytes.
        assert_eq!(check_name(&words(&"压".repeat(NAME_MAX), &long[1..])), Ok(()));
        let refused = check_name(&words("压\n力", "pressure"));
        assert_eq!(refused, Err(WordsError::Control { language: "zh-CN" }));
    }

    #[test]
    fn what_is_spoken_has_only_what_the_voice_can_read() {
        let good = "它的数据显示，水温比平时高，可能很快会过热。";
        assert_eq!(
            check_sentence(&words(good, "It is 2 °C hotter – a café's heater, perhaps.")),
            Ok(())
        );
        for (zh_cn, found) in [
            ("水泵A", 'A'),
            ("九8", '8'),
            ("五％，９", '９'),
            ("Ｂ型", 'Ｂ'),
            ("éa", 'é'),
            ("насос", 'н'),
        ] {
            let refused = check_sentence(&words(zh_cn, "pump"));
            assert_eq!(refused, Err(WordsError::NotMandarin(found)), "{zh_cn}");
        }
        let text = WordsError::NotMandarin('A').to_string();
        assert!(
            text.contains("'A' cannot be read aloud; write Chinese characters"),
            "{text}"
        );
        assert_eq!(
            check_spoken_name(&words("水泵", "水泵")),
            Err(WordsError::NotEnglish('水'))
        );
        let long = "水".repeat(NAME_MAX + 1);
        assert_eq!(check_sentence(&words(&long, "water")), Ok(()));
        let refused = check_spoken_name(&words(&long, "water"));
        assert_eq!(
            refused,
            Err(WordsError::Length {
                language: "zh-CN",
                most: NAME_MAX
            })
        );
    }

    #[test]
    fn both_languages_are_needed_and_no_other() {
        let read = |value| serde_json::from_value::<FamilyWords>(value).map_err(|error| error.to_string());
        let both = serde_json::json!({"zh-CN": "水泵", "en": "pump"});
        let family = read(serde_json::json!({"name": both, "spoken": both, "channels": {"flow": both}})).unwrap();
        assert_eq!(
            (family.name(Language::ZhCn), family.spoken(Language::En)),
            ("水泵", "pump")
        );
        assert_eq!(family.channel("flow", Language::ZhCn), Some("水泵"));
        assert_eq!(family.channel("current", Language::En), None);
        for (one, missing) in [
            (serde_json::json!({"en": "pump"}), "missing field `zh-CN`"),
            (serde_json::json!({"zh-CN": "水泵"}), "missing field `en`"),
            (
                serde_json::json!({"zh-CN": "水泵", "en": "pump", "de": "Pumpe"}),
                "unknown field `de`",
            ),
        ] {
            let refused = read(serde_json::json!({"name": one, "spoken": both, "channels": {}})).unwrap_err();
            assert!(refused.contains(missing), "{refused}");
        }
    }
}
