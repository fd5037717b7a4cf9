//! From the file to the flow: every name is looked up once, here.

use super::check::check;
use super::error::{Fault, FlowError};
use super::file::{FlowFile, NodeInFile};
use super::{Condition, Declared, Flow, Key, Node, NodeId, Says, Sentence, Step};
use crate::texts;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest file, in bytes.
pub(super) const BYTES_MAX: usize = 64 << 10;
/// How long a key may be waited for, in seconds.
const KEY_WAIT_S: RangeInclusive<u64> = 3..=30;
/// How many wrong keys may be borne.
const WRONG_MAX: RangeInclusive<u64> = 1..=9;
/// The keys of a telephone.
const KEYS: &str = "0123456789*#";

/// A fault and where it is.
#[derive(Debug)]
pub(super) struct Wrong {
    pub place: String,
    pub fault: Fault,
}

impl Wrong {
    pub fn at(place: impl Into<String>, fault: Fault) -> Self {
        let place = place.into();
        Self { place, fault }
    }

    /// In this node.
    pub fn in_node(name: &str, fault: Fault) -> Self {
        Self::at(format!("nodes.{name}"), fault)
    }
}

impl Flow {
    /// Reads a flow from the text of its `file`, which is only named in errors, and checks it.
    pub fn load(file: &str, text: &str) -> Result<Self, FlowError> {
        let file = file.to_owned();
        if text.len() > BYTES_MAX {
            return Err(FlowError::TooLong { file });
        }
        let read: FlowFile = match toml::from_str(text) {
            Ok(read) => read,
            Err(error) => {
                let source = Box::new(error);
                return Err(FlowError::Toml { file, source });
            }
        };
        let texts = texts::load()?;
        let flow = resolve(&file, read).and_then(|flow| check(&flow, &texts).map(|()| flow));
        flow.map_err(|Wrong { place, fault }| FlowError::Fault { file, place, fault })
    }
}

/// Looks all names up.
fn resolve(file: &str, read: FlowFile) -> Result<Flow, Wrong> {
    let values = declared(&read)?;
    let mut names = Names {
        nodes: read.nodes.keys().map(String::as_str).zip(0..).collect(),
        prompts: BTreeMap::new(),
        values: &values,
    };
    for (name, sentences) in &read.prompts {
        let sentences: Result<_, _> = sentences.iter().map(|text| names.sentence(text)).collect();
        let sentences = sentences.map_err(|fault| Wrong::at(format!("prompts.{name}"), fault))?;
        names.prompts.insert(name, sentences);
    }
    let mut nodes = Vec::with_capacity(read.nodes.len());
    for (name, node) in &read.nodes {
        let step = names.step(node).map_err(|fault| Wrong::in_node(name, fault))?;
        let name = name.clone();
        nodes.push(Node { name, step });
    }
    is_said(&read)?;
    let node = |key: &str, name: &str| names.node(name).map_err(|fault| Wrong::at(key, fault));
    Ok(Flow {
        file: file.to_owned(),
        start: node("start", &read.start)?,
        key_wait: Duration::from_secs(within("key_wait_s", read.key_wait_s, KEY_WAIT_S)?),
        wrong_max: u8::try_from(within("wrong_max", read.wrong_max, WRONG_MAX)?).unwrap_or(u8::MAX),
        wrong_end: node("wrong_end", &read.wrong_end)?,
        time_end: node("time_end", &read.time_end)?,
        nodes,
        values,
    })
}

fn declared(read: &FlowFile) -> Result<BTreeMap<String, Declared>, Wrong> {
    let mut values = BTreeMap::new();
    for (table, is_optional) in [(&read.values, false), (&read.optional_values, true)] {
        for (name, kind) in table {
            let kind = *kind;
            if values.insert(name.clone(), Declared { kind, is_optional }).is_some() {
                return Err(Wrong::at(format!("optional_values.{name}"), Fault::Twice));
            }
        }
    }
    Ok(values)
}

/// Each prompt is said by a node.
fn is_said(read: &FlowFile) -> Result<(), Wrong> {
    let said: BTreeSet<&String> = read.nodes.values().flat_map(NodeInFile::say).collect();
    match read.prompts.keys().find(|prompt| !said.contains(prompt)) {
        Some(prompt) => Err(Wrong::at(format!("prompts.{prompt}"), Fault::Unused)),
        None => Ok(()),
    }
}

impl NodeInFile {
    fn say(&self) -> &[String] {
        match self {
            NodeInFile::Gather { say, .. } | NodeInFile::Enter { say, .. } | NodeInFile::Farewell { say } => say,
            NodeInFile::Save { .. } => &[],
        }
    }
}

fn within(key: &str, is: u64, bounds: RangeInclusive<u64>) -> Result<u64, Wrong> {
    if bounds.contains(&is) {
        return Ok(is);
    }
    let (min, max) = bounds.into_inner();
    Err(Wrong::at(key, Fault::OutOfBounds { is, min, max }))
}

/// What the names in a file stand for.
struct Names<'a> {
    nodes: BTreeMap<&'a str, NodeId>,
    prompts: BTreeMap<&'a str, Vec<Sentence>>,
    values: &'a BTreeMap<String, Declared>,
}

impl Names<'_> {
    fn step(&self, node: &NodeInFile) -> Result<Step, Fault> {
        Ok(match node {
            NodeInFile::Gather {
                say,
                keys,
                wrong,
                silence,
            } => Step::Gather {
                say: self.sentences(say)?,
                keys: keys
                    .iter()
                    .map(|(key, to)| self.key(key, to))
                    .collect::<Result<_, _>>()?,
                wrong: self.node(wrong)?,
                silence: self.node(silence)?,
            },
            NodeInFile::Enter {
                say,
                named,
                unnamed,
                silence,
            } => Step::Enter {
                say: self.sentences(say)?,
                named: self.node(named)?,
                unnamed: self.node(unnamed)?,
                silence: self.node(silence)?,
            },
            NodeInFile::Save { choice, saved, refused } => Step::Save {
                choice: *choice,
                saved: self.node(saved)?,
                refused: self.node(refused)?,
            },
            NodeInFile::Farewell { say } => Step::Farewell {
                say: self.sentences(say)?,
            },
        })
    }

    fn node(&self, name: &str) -> Result<NodeId, Fault> {
        let node = self.nodes.get(name).copied();
        node.ok_or_else(|| Fault::UnknownNode(name.to_owned()))
    }

    fn key(&self, key: &str, to: &str) -> Result<Key, Fault> {
        let mut characters = key.chars();
        let (Some(key), None) = (characters.next().filter(|key| KEYS.contains(*key)), characters.next()) else {
            return Err(Fault::Key(key.to_owned()));
        };
        let (to, only) = self.conditional(to)?;
        let to = self.node(to)?;
        Ok(Key { key, to, only })
    }

    /// What these prompts say, one after the other.
    fn sentences(&self, prompts: &[String]) -> Result<Vec<Sentence>, Fault> {
        let mut all = Vec::new();
        for prompt in prompts {
            let sentences = self.prompts.get(prompt.as_str());
            all.extend_from_slice(sentences.ok_or_else(|| Fault::UnknownPrompt(prompt.clone()))?);
        }
        Ok(all)
    }

    fn sentence(&self, text: &str) -> Result<Sentence, Fault> {
        let (name, only) = self.conditional(text)?;
        let says = match name.strip_prefix('$') {
            Some(value) => Says::Value(self.value(value)?),
            None => Says::Text(name.to_owned()),
        };
        Ok(Sentence { says, only })
    }

    /// `name`, `name when value` or `name unless value`.
    fn conditional<'t>(&self, text: &'t str) -> Result<(&'t str, Option<Condition>), Fault> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, value, is_present) = match words[..] {
            [name] => return Ok((name, None)),
            [name, "when", value] => (name, value, true),
            [name, "unless", value] => (name, value, false),
            _ => return Err(Fault::Unreadable(text.to_owned())),
        };
        let value = self.value(value)?;
        Ok((name, Some(Condition { value, is_present })))
    }

    fn value(&self, name: &str) -> Result<String, Fault> {
        let declared = self.values.get_key_value(name);
        declared.map_or_else(
            || Err(Fault::UnknownValue(name.to_owned())),
            |(name, _)| Ok(name.clone()),
        )
    }
}
