//! The values of one call as its language says them, and what the nodes of its flow say with them.

use crate::flow::{self, Flow, Present, Sentence};
use crate::texts::any_term;
use crate::value::{Value, Values};
use hub_core::language::Language;
use hub_words::{TextError, Texts, spoken};
use std::collections::BTreeMap;

/// A sentence or two that are spoken in one breath, or a letter or figure that is read out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The text's name in the translation files, by which a recording is looked up; or the name of a value that is said by
    /// itself.
    pub message: String,
    /// What is said.
    pub text: String,
    /// The text is the same in every call, so that a recording can stand for it.
    pub fixed: bool,
    /// It goes on with the sentence before it, without a pause between the two.
    pub goes_on: bool,
}

/// See the module.
pub(super) struct Facts<'a> {
    texts: &'a Texts,
    language: Language,
    /// What is said of each value that the flow declares, in a text.
    spoken: BTreeMap<String, String>,
    /// Values that are said by themselves.
    alone: BTreeMap<String, Vec<Segment>>,
    pub present: Present,
}

impl<'a> Facts<'a> {
    /// The values that `flow` declares. What is not among `values` has no words.
    pub fn new(texts: &'a Texts, language: Language, flow: &Flow, values: &Values) -> Result<Self, TextError> {
        let mut facts = Self {
            texts,
            language,
            spoken: BTreeMap::new(),
            alone: BTreeMap::new(),
            present: Present::new(),
        };
        for name in flow.values.keys() {
            let spoken = match values.get(name) {
                Some(value) => facts.take(name, value)?,
                None => String::new(),
            };
            facts.spoken.insert(name.clone(), spoken);
        }
        Ok(facts)
    }

    /// What is said of a value in a text.
    fn take(&mut self, name: &str, value: &Value) -> Result<String, TextError> {
        let language = self.language;
        let spoken = match value {
            Value::Text(text) => spoken::name(language, text),
            Value::Term(words) => {
                let segment = match words {
                    Some(text) => Segment {
                        message: name.to_owned(),
                        text: text.clone(),
                        fixed: false,
                        goes_on: false,
                    },
                    None => self.segment(&any_term(name), &BTreeMap::new())?,
                };
                let text = segment.text.clone();
                self.alone.insert(name.to_owned(), vec![segment]);
                text
            }
            Value::YesNo(_) => String::new(),
            Value::DateTime(at) => spoken::moment(language, at),
            Value::TimeWindow { start, end } => spoken::slot(language, start, end),
            Value::Money { currency, minor_units } => spoken::money(language, currency, *minor_units),
            Value::Number(number) => spoken::number(language, *number),
            Value::Digits(text) => {
                let spoken = spoken::one_by_one(language, text);
                self.alone.insert(name.to_owned(), read_out(language, &spoken));
                spoken
            }
        };
        let is_present = match value {
            Value::YesNo(is_yes) => *is_yes,
            Value::Money { minor_units, .. } => *minor_units > 0,
            Value::Text(_)
            | Value::Term(_)
            | Value::DateTime(_)
            | Value::TimeWindow { .. }
            | Value::Number(_)
            | Value::Digits(_) => !spoken.is_empty(),
        };
        if is_present {
            self.present.insert(name.to_owned());
        }
        Ok(spoken)
    }

    /// What a node says, in order.
    pub fn segments(&self, say: &[Sentence]) -> Result<Vec<Segment>, TextError> {
        let mut segments = Vec::with_capacity(say.len());
        for sentence in say {
            if !flow::holds(sentence.only.as_ref(), &self.present) {
                continue;
            }
            match &sentence.says {
                flow::Says::Text(name) => segments.push(self.segment(name, &self.spoken)?),
                flow::Says::Value(name) => segments.extend(self.alone.get(name).into_iter().flatten().cloned()),
            }
        }
        Ok(segments)
    }

    fn segment(&self, name: &str, spoken: &BTreeMap<String, String>) -> Result<Segment, TextError> {
        let values = spoken.iter().map(|(name, spoken)| (name.as_str(), spoken.as_str()));
        Ok(Segment {
            message: name.to_owned(),
            text: self.texts.fill(self.language, name, values)?,
            fixed: self.texts.needs(self.language, name).next().is_none(),
            goes_on: false,
        })
    }
}

/// Each letter and figure, spoken by itself: a voice takes longer for a sentence than all else takes before a call, and so it need
/// not speak a new one for every appliance. The last one ends the sentence. A recording of one is named after it.
fn read_out(language: Language, one_by_one: &str) -> Vec<Segment> {
    let (comma, stop) = match language {
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

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
