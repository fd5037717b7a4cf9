//! Texts of translation files (Fluent), in both languages.

use crate::values::{NotAValue, values_of};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use fluent_syntax::ast::Entry;
use hub_core::language::Language;
use std::collections::{BTreeMap, BTreeSet};

/// Why there is no text. The files are compiled in: only a broken build, or a key that a caller has from elsewhere, can show this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A file is not written as Fluent is.
    #[error("a translation file in {language} cannot be parsed; correct the file")]
    Broken {
        /// BCP 47 tag of the files.
        language: &'static str,
    },
    /// Two texts have the same key.
    #[error("the text {key:?} stands twice in {language}; remove one of the two")]
    Twice {
        /// BCP 47 tag of the files.
        language: &'static str,
        /// Key of the texts.
        key: String,
    },
    /// A text refers to something that is handed in by nobody.
    #[error(
        "the text {key:?} in {language} refers to {name:?}, which is no value; write `{{ $name }}` or the words themselves"
    )]
    NotAValue {
        /// BCP 47 tag of the file.
        language: &'static str,
        /// Key of the text.
        key: String,
        /// Another text, a term or a function.
        name: String,
    },
    /// No file has a text of this key.
    #[error("the text {key:?} is missing in {language}; add it to the translation files")]
    Missing {
        /// BCP 47 tag of the files.
        language: &'static str,
        /// Key that was asked for.
        key: String,
    },
    /// A value that the text needs was not handed in.
    #[error("the text {key:?} in {language} needs a value that was not handed in; its values are named in the file")]
    Incomplete {
        /// BCP 47 tag of the file.
        language: &'static str,
        /// Key of the text.
        key: String,
        /// What the text says with the value's name in its place.
        said: String,
    },
}

/// The texts of one crate, in both languages. A text refers to values alone: to no other text, no term and no function. So one
/// that has its values can be filled in.
pub struct Texts {
    zh_cn: Catalogue,
    en: Catalogue,
}

struct Catalogue {
    bundle: FluentBundle<FluentResource>,
    /// Key of each text, and the values that it needs.
    values: BTreeMap<String, BTreeSet<String>>,
}

impl Texts {
    /// Reads the contents of translation files.
    ///
    /// # Errors
    /// A file that does not parse, a key that occurs twice, a text that refers to something other than values.
    pub fn load(zh_cn: &[&str], en: &[&str]) -> Result<Self, TextError> {
        Ok(Self {
            zh_cn: Catalogue::load(Language::ZhCn, zh_cn)?,
            en: Catalogue::load(Language::En, en)?,
        })
    }

    fn catalogue(&self, language: Language) -> &Catalogue {
        match language {
            Language::ZhCn => &self.zh_cn,
            Language::En => &self.en,
        }
    }

    /// Whether there is a text of this key.
    pub fn has(&self, language: Language, key: &str) -> bool {
        self.catalogue(language).values.contains_key(key)
    }

    /// Keys of all texts.
    pub fn keys(&self, language: Language) -> impl Iterator<Item = &str> {
        self.catalogue(language).values.keys().map(String::as_str)
    }

    /// Names of the values that a text needs in any of its variants; none if there is no such text.
    pub fn needs(&self, language: Language, key: &str) -> impl Iterator<Item = &str> {
        let values = self.catalogue(language).values.get(key);
        values.into_iter().flatten().map(String::as_str)
    }

    /// The text of this key, with its values in their places.
    ///
    /// # Errors
    /// There is no such text, or a value that it needs is not among these.
    pub fn fill<'v>(
        &self,
        language: Language,
        key: &str,
        values: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Result<String, TextError> {
        let bundle = &self.catalogue(language).bundle;
        let message = bundle.get_message(key);
        let Some(pattern) = message.and_then(|message| message.value()) else {
            return Err(TextError::Missing {
                language: language.tag(),
                key: key.to_owned(),
            });
        };
        let args: FluentArgs<'_> = values.into_iter().collect();
        let mut errors = Vec::new();
        let said = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        if errors.is_empty() {
            return Ok(said);
        }
        Err(TextError::Incomplete {
            language: language.tag(),
            key: key.to_owned(),
            said,
        })
    }

    /// Keys of the texts that only one language has, or that need other values there. A crate's tests expect none.
    pub fn differences(&self) -> Vec<String> {
        let (zh_cn, en) = (&self.zh_cn.values, &self.en.values);
        let keys: BTreeSet<&String> = zh_cn.keys().chain(en.keys()).collect();
        let different = keys.into_iter().filter(|key| zh_cn.get(*key) != en.get(*key));
        different.cloned().collect()
    }
}

impl Catalogue {
    fn load(language: Language, files: &[&str]) -> Result<Self, TextError> {
        let language = language.tag();
        let broken = || TextError::Broken { language };
        let mut bundle = FluentBundle::new_concurrent(vec![language.parse().map_err(|_| broken())?]);
        // Values are our own words: isolation marks would only break searching, and a voice stumbles over them.
        bundle.set_use_isolating(false);
        let mut values = BTreeMap::new();
        for file in files {
            let resource = FluentResource::try_new((*file).to_owned()).map_err(|_| broken())?;
            for entry in resource.entries() {
                take(entry, language, &mut values)?;
            }
            bundle.add_resource(resource).map_err(|_| broken())?;
        }
        Ok(Self { bundle, values })
    }
}

fn take(
    entry: &Entry<&str>,
    language: &'static str,
    values: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<(), TextError> {
    let Entry::Message(message) = entry else {
        return Ok(());
    };
    let Some(pattern) = &message.value else {
        return Ok(());
    };
    let key = message.id.name.to_owned();
    let needed = values_of(pattern).map_err(|NotAValue(name)| TextError::NotAValue {
        language,
        key: key.clone(),
        name,
    })?;
    match values.insert(key.clone(), needed) {
        Some(_) => Err(TextError::Twice { language, key }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{En, ZhCn};

    const CHOICE: &str = "due = { $kind ->\n    [visit] { $who } comes { $when }\n   *[call] A call is due\n }\n";

    fn load(zh_cn: &str, en: &str) -> Result<Texts, TextError> {
        Texts::load(&[zh_cn], &[en])
    }

    fn refused(en: &str) -> TextError {
        load("", en).err().expect("this file is refused")
    }

    #[test]
    fn a_text_is_filled_with_its_values_and_nothing_else() {
        let texts = load("hello = 您好，{ $name }\n", "hello = Hello { $name }\n").unwrap();
        assert_eq!(texts.fill(ZhCn, "hello", [("name", "李")]).unwrap(), "您好，李");
        assert_eq!(texts.fill(En, "hello", [("name", "Li")]).unwrap(), "Hello Li");
        let incomplete = TextError::Incomplete {
            language: "en",
            key: "hello".into(),
            said: "Hello {$name}".into(),
        };
        assert_eq!(texts.fill(En, "hello", []), Err(incomplete));
        let missing = TextError::Missing {
            language: "zh-CN",
            key: "bye".into(),
        };
        assert_eq!(texts.fill(ZhCn, "bye", []), Err(missing));
        assert!(texts.has(En, "hello") && !texts.has(En, "bye"));
    }

    /// Filling one in takes one variant only: the others need their values as well.
    #[test]
    fn values_of_every_variant_are_needed() {
        let texts = load(CHOICE, CHOICE).unwrap();
        assert_eq!(texts.needs(En, "due").collect::<Vec<_>>(), ["kind", "when", "who"]);
        assert_eq!(texts.needs(En, "bye").count(), 0);
        let nested = "due = { $a ->\n   *[x] { { $b ->\n     [y] { $c }\n    *[z] -\n    } }\n  }\n";
        let texts = load(nested, nested).unwrap();
        assert_eq!(texts.needs(En, "due").collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_values() {
        assert_eq!(load(CHOICE, CHOICE).unwrap().differences(), [""; 0]);
        let other_variant = CHOICE.replace("{ $who }", "Somebody");
        assert_eq!(load(&other_variant, CHOICE).unwrap().differences(), ["due"]);
        let one_more = format!("{CHOICE}bye = Goodbye\n");
        assert_eq!(load(CHOICE, &one_more).unwrap().differences(), ["bye"]);
        assert_eq!(load(&one_more, CHOICE).unwrap().differences(), ["bye"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused() {
        assert_eq!(refused("no text\n"), TextError::Broken { language: "en" });
        let twice = TextError::Twice {
            language: "en",
            key: "a".into(),
        };
        assert_eq!(refused("a = one\na = two\n"), twice);
        for (text, name) in [
            ("a = { other }\n", "other"),
            ("-term = x\na = { -term }\n", "term"),
            ("a = { $b ->\n   *[x] { NUMBER($c) }\n }\n", "NUMBER"),
        ] {
            let refused = refused(text);
            assert!(
                matches!(&refused, TextError::NotAValue { name: found, .. } if found == name),
                "{refused}"
            );
        }
    }
}
