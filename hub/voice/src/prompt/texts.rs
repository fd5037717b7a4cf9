//! The words of the call: translation files filled with the script's facts, in a form that the voice can read.

use super::{spoken_en, spoken_zh};
use crate::flow::PromptId;
use crate::order::{Script, Slot};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use hub_core::language::Language;
use jiff::Zoned;

const ZH: &str = include_str!("../../i18n/zh-CN/call.ftl");
const EN: &str = include_str!("../../i18n/en/call.ftl");

/// The message that a serial number's end follows.
const NUMBERED: &str = "number";

/// A sentence or two that are spoken in one breath, or a letter or figure that is read out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The message's name in the translation files; a recording is looked up by it.
    pub message: String,
    /// What is said.
    pub text: String,
    /// The text is the same in every call, so that a recording can stand for it.
    pub fixed: bool,
    /// It goes on with the sentence before it, without a pause between the two.
    pub goes_on: bool,
}

/// Why a translation file cannot be used. Only a broken build can show this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The file does not parse or names a message twice.
    #[error("the call's texts in {0} do not parse")]
    Broken(&'static str),
    /// A message is missing or refers to an unknown value.
    #[error("the call's text {message:?} in {language} is missing or wants an unknown value")]
    Message {
        /// The file's language.
        language: &'static str,
        /// The message's name.
        message: String,
    },
}

/// The call's texts in all languages.
pub struct Texts {
    zh: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads the built-in translation files.
    pub fn new() -> Result<Self, TextError> {
        Ok(Self {
            zh: bundle(Language::ZhCn, ZH)?,
            en: bundle(Language::En, EN)?,
        })
    }

    /// What a prompt says, in order.
    pub fn segments(&self, prompt: PromptId, language: Language, script: &Script) -> Result<Vec<Segment>, TextError> {
        let facts = Facts::new(self, language, script)?;
        let names: Vec<&str> = match prompt {
            PromptId::Menu => facts.menu(true),
            PromptId::MenuAgain => facts.menu(false),
            PromptId::NoKey => [vec!["no-key"], facts.menu(false)].concat(),
            PromptId::WrongKey => vec!["wrong-key", facts.keys()],
            PromptId::Booked => facts.farewell("booked"),
            PromptId::AnotherTime => facts.farewell("another-time"),
            PromptId::Person => facts.farewell("person"),
            PromptId::DoNotCall => facts.farewell("do-not-call"),
            PromptId::NotSaved => facts.farewell("not-saved"),
            PromptId::Goodbye => vec!["goodbye"],
        };
        let mut segments = Vec::with_capacity(names.len());
        for name in names {
            segments.push(self.segment(language, name, &facts.args)?);
            if name == NUMBERED {
                segments.extend(facts.tail.iter().cloned());
            }
        }
        Ok(segments)
    }

    fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        match language {
            Language::ZhCn => &self.zh,
            Language::En => &self.en,
        }
    }

    fn segment(&self, language: Language, name: &str, args: &FluentArgs<'_>) -> Result<Segment, TextError> {
        let missing = || TextError::Message {
            language: language.tag(),
            message: name.to_owned(),
        };
        let bundle = self.bundle(language);
        let pattern = bundle
            .get_message(name)
            .and_then(|message| message.value())
            .ok_or_else(missing)?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(args), &mut errors).into_owned();
        // A message that comes out the same without values has none.
        let mut without = Vec::new();
        bundle.format_pattern(pattern, None, &mut without);
        if errors.is_empty() {
            Ok(Segment {
                message: name.to_owned(),
                text,
                fixed: without.is_empty(),
                goes_on: false,
            })
        } else {
            Err(missing())
        }
    }

    /// The message of this name if there is one, else the general one of its kind.
    fn known<'a>(&self, language: Language, name: &'a str, general: &'a str) -> &'a str {
        if self.bundle(language).has_message(name) {
            name
        } else {
            general
        }
    }
}

fn bundle(language: Language, source: &str) -> Result<FluentBundle<FluentResource>, TextError> {
    let broken = || TextError::Broken(language.tag());
    let resource = FluentResource::try_new(source.to_owned()).map_err(|_| broken())?;
    let tag = language.tag().parse().map_err(|_| broken())?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Isolation marks are for screens; a voice stumbles over them.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).map_err(|_| broken())?;
    Ok(bundle)
}

/// A script's facts as readable words, and which sentences they call for.
struct Facts {
    args: FluentArgs<'static>,
    greeting: &'static str,
    /// Its letters and figures one by one, each spoken by itself: a voice takes longer for a sentence than all else takes
    /// before a call, and so it need not speak a new one for every appliance.
    tail: Vec<Segment>,
    fault: String,
    is_safe: bool,
    price: &'static str,
    has_slot: bool,
}

impl Facts {
    fn new(texts: &Texts, language: Language, script: &Script) -> Result<Self, TextError> {
        let words = Words(language);
        let brand = words.name(&script.brand);
        let tail = words.one_by_one(&script.serial_tail);
        let kind = format!("appliance-{}", script.appliance.0);
        let kind = texts.known(language, &kind, "appliance-other");
        let appliance = texts.segment(language, kind, &FluentArgs::new())?.text;
        let fault = format!("fault-{}", script.fault_class.replace('_', "-"));
        let facts = Self {
            greeting: if brand.is_empty() {
                "greeting-unnamed"
            } else {
                "greeting"
            },
            tail: words.read_out(&tail),
            fault: texts.known(language, &fault, "fault-other").to_owned(),
            is_safe: script.safe_to_use,
            price: if script.price.minor_units == 0 {
                "price-free"
            } else {
                "price"
            },
            has_slot: script.slot.is_some(),
            args: [
                ("brand", brand),
                ("appliance", appliance),
                ("price", words.money(&script.price.currency, script.price.minor_units)),
                (
                    "slot",
                    script.slot.as_ref().map(|slot| words.slot(slot)).unwrap_or_default(),
                ),
                ("by", words.moment(&script.person_rings_by)),
            ]
            .into_iter()
            .collect(),
        };
        Ok(facts)
    }

    fn keys(&self) -> &'static str {
        if self.has_slot { "keys-slot" } else { "keys-no-slot" }
    }

    /// The keys come before the details: nobody has to listen for a minute to learn what can be done.
    fn menu(&self, greeting: bool) -> Vec<&str> {
        let mut names = if greeting { vec![self.greeting] } else { Vec::new() };
        names.extend(["about", &self.fault]);
        if self.has_slot {
            names.push("slot");
        }
        names.push(self.keys());
        if !self.tail.is_empty() {
            names.push(NUMBERED);
        }
        names.extend([if self.is_safe { "safe" } else { "unsafe" }, self.price]);
        names
    }

    /// A key cuts the menu off, so that the last words say it again where an appliance must not be used.
    fn farewell(&self, name: &'static str) -> Vec<&str> {
        if self.is_safe { vec![name] } else { vec!["unsafe", name] }
    }
}

/// The spoken forms of one language.
struct Words(Language);

impl Words {
    fn name(&self, text: &str) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::name(text),
            Language::En => spoken_en::name(text),
        }
    }

    fn one_by_one(&self, text: &str) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::one_by_one(text),
            Language::En => spoken_en::one_by_one(text),
        }
    }

    /// Each letter and figure; the last one ends the sentence. A recording of one is named after it.
    fn read_out(&self, one_by_one: &str) -> Vec<Segment> {
        let (comma, stop) = match self.0 {
            Language::ZhCn => ("，", "。"),
            Language::En => (",", "."),
        };
        let characters: Vec<char> = one_by_one.chars().filter(|c| !c.is_whitespace()).collect();
        let last = characters.len().saturating_sub(1);
        let segment = |(at, character): (usize, &char)| {
            let (name, mark) = if at == last {
                ("last-", stop)
            } else {
                ("character-", comma)
            };
            Segment {
                message: format!("{name}{character}"),
                text: format!("{character}{mark}"),
                fixed: true,
                goes_on: true,
            }
        };
        characters.iter().enumerate().map(segment).collect()
    }

    fn money(&self, currency: &str, minor_units: u64) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::money(currency, minor_units),
            Language::En => spoken_en::money(currency, minor_units),
        }
    }

    fn slot(&self, slot: &Slot) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::slot(&slot.start, &slot.end),
            Language::En => spoken_en::slot(&slot.start, &slot.end),
        }
    }

    fn moment(&self, at: &Zoned) -> String {
        match self.0 {
            Language::ZhCn => spoken_zh::moment(at),
            Language::En => spoken_en::moment(at),
        }
    }
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
