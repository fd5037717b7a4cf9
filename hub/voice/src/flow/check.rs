//! What a flow has to keep: it says only what there is to say, and leads to an end.

use super::error::Fault;
use super::load::Wrong;
use super::{Condition, Flow, NodeId, Says, Sentence, Step};
use crate::texts::any_term;
use crate::value::Kind;
use hub_core::language::Language;
use hub_words::Texts;
use std::collections::BTreeSet;

/// Checks a flow whose names are known.
pub(super) fn check(flow: &Flow, texts: &Texts) -> Result<(), Wrong> {
    for node in &flow.nodes {
        for sentence in node.say() {
            can_be_said(flow, texts, sentence).map_err(|fault| Wrong::in_node(&node.name, fault))?;
        }
        if !matches!(node.step, Step::Save { .. }) && !always_speaks(node.say()) {
            return Err(Wrong::in_node(&node.name, Fault::Silent));
        }
    }
    is_reached(flow)?;
    ends(flow)?;
    has_what_it_says(flow, texts)?;
    values_are_used(flow, texts)
}

/// The text is there in every language, and so are the values that it needs.
fn can_be_said(flow: &Flow, texts: &Texts, sentence: &Sentence) -> Result<(), Fault> {
    for language in Language::ALL {
        match &sentence.says {
            Says::Text(text) => {
                is_text(texts, language, text)?;
                for value in texts.needs(language, text) {
                    has_words(flow, texts, language, value)?;
                }
            }
            Says::Value(value) => {
                has_words(flow, texts, language, value)?;
                stands_alone(flow, value)?;
            }
        }
    }
    Ok(())
}

fn is_text(texts: &Texts, language: Language, text: &str) -> Result<(), Fault> {
    if texts.has(language, text) {
        return Ok(());
    }
    Err(Fault::UnknownText {
        text: text.to_owned(),
        language: language.tag(),
    })
}

/// The value is declared, and the language has words for it.
fn has_words(flow: &Flow, texts: &Texts, language: Language, value: &str) -> Result<(), Fault> {
    match kind(flow, value)? {
        Kind::Term => is_text(texts, language, &any_term(value)),
        Kind::YesNo => Err(Fault::Unsayable {
            value: value.to_owned(),
            kind: Kind::YesNo,
            how: "at all",
            instead: "write `when` or `unless` with it",
        }),
        Kind::Text | Kind::DateTime | Kind::TimeWindow | Kind::Money | Kind::Number | Kind::Digits => Ok(()),
    }
}

/// The value is a sentence by itself.
fn stands_alone(flow: &Flow, value: &str) -> Result<(), Fault> {
    match kind(flow, value)? {
        Kind::Term | Kind::Digits => Ok(()),
        kind @ (Kind::Text | Kind::YesNo | Kind::DateTime | Kind::TimeWindow | Kind::Money | Kind::Number) => {
            Err(Fault::Unsayable {
                value: value.to_owned(),
                kind,
                how: "by itself",
                instead: "say a text that names it",
            })
        }
    }
}

fn kind(flow: &Flow, value: &str) -> Result<Kind, Fault> {
    let declared = flow.values.get(value).map(|declared| declared.kind);
    declared.ok_or_else(|| Fault::UnknownValue(value.to_owned()))
}

/// Whether a text is said in every call: one without a condition, or one each for a value that is there and that is not.
fn always_speaks(say: &[Sentence]) -> bool {
    let texts = || say.iter().filter(|sentence| matches!(sentence.says, Says::Text(_)));
    texts().any(|sentence| match &sentence.only {
        None => true,
        Some(only) => {
            let opposite = Condition {
                is_present: !only.is_present,
                ..only.clone()
            };
            texts().any(|other| other.only.as_ref() == Some(&opposite))
        }
    })
}

fn is_reached(flow: &Flow) -> Result<(), Wrong> {
    let reached = reached(flow, None);
    let unreached = flow.nodes.iter().zip(reached).find(|(_, is_reached)| !is_reached);
    unreached.map_or(Ok(()), |(node, _)| Err(Wrong::in_node(&node.name, Fault::Unreached)))
}

/// Whether each node can be reached in calls that do not have the value `absent`; without one in any call.
fn reached(flow: &Flow, absent: Option<&str>) -> Vec<bool> {
    let mut reached = vec![false; flow.nodes.len()];
    let mut next = vec![flow.start];
    while let Some(at) = next.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        match &flow.nodes[at].step {
            Step::Gather {
                keys, wrong, silence, ..
            } => {
                let keys = keys.iter().filter(|key| may_hold(key.only.as_ref(), absent));
                next.extend(keys.map(|key| key.to));
                next.extend([*wrong, *silence, flow.wrong_end, flow.time_end]);
            }
            Step::Enter {
                named,
                unnamed,
                silence,
                ..
            } => next.extend([*named, *unnamed, *silence, flow.time_end]),
            Step::Save { saved, refused, .. } => next.extend([*saved, *refused]),
            Step::Farewell { .. } => {}
        }
    }
    reached
}

fn may_hold(only: Option<&Condition>, absent: Option<&str>) -> bool {
    only.is_none_or(|only| !(only.is_present && absent == Some(only.value.as_str())))
}

/// A call in which no key is pressed ends, from every node on; and so does one that goes on for too long.
fn ends(flow: &Flow) -> Result<(), Wrong> {
    let last = &flow.nodes[flow.time_end];
    if !matches!(last.step, Step::Farewell { .. }) {
        return Err(Wrong::at("time_end", Fault::NoFarewell(last.name.clone())));
    }
    let mut ending = vec![false; flow.nodes.len()];
    // With each round at least one more comes to its end, or none ever does.
    for _ in 0..flow.nodes.len() {
        for at in 0..flow.nodes.len() {
            ending[at] = ways_without_a_key(flow, at).all(|next| ending[next]);
        }
    }
    let endless = flow.nodes.iter().zip(ending).find(|(_, is_ending)| !is_ending);
    endless.map_or(Ok(()), |(node, _)| Err(Wrong::in_node(&node.name, Fault::Endless)))
}

fn ways_without_a_key(flow: &Flow, at: NodeId) -> impl Iterator<Item = NodeId> {
    let (one, other) = match flow.nodes[at].step {
        Step::Gather { silence, .. } | Step::Enter { silence, .. } => (Some(silence), None),
        Step::Save { saved, refused, .. } => (Some(saved), Some(refused)),
        Step::Farewell { .. } => (None, None),
    };
    one.into_iter().chain(other)
}

/// No text is said in a call that has not the values for it.
fn has_what_it_says(flow: &Flow, texts: &Texts) -> Result<(), Wrong> {
    for (value, declared) in &flow.values {
        // Of a name or digits it may be that nothing can be spoken.
        if !declared.is_optional && !matches!(declared.kind, Kind::Text | Kind::Digits) {
            continue;
        }
        let reached = reached(flow, Some(value.as_str()));
        for (node, _) in flow.nodes.iter().zip(reached).filter(|(_, is_reached)| *is_reached) {
            let said = node
                .say()
                .iter()
                .filter(|said| may_hold(said.only.as_ref(), Some(value.as_str())));
            let mut lacking = said.filter_map(|said| match &said.says {
                Says::Text(text) if needs(texts, text).contains(value) => Some(text),
                Says::Text(_) | Says::Value(_) => None,
            });
            if let Some(text) = lacking.next() {
                let fault = Fault::ValueMayLack {
                    text: text.clone(),
                    value: value.clone(),
                };
                return Err(Wrong::in_node(&node.name, fault));
            }
        }
    }
    Ok(())
}

fn needs(texts: &Texts, text: &str) -> BTreeSet<String> {
    Language::ALL
        .into_iter()
        .flat_map(|language| texts.needs(language, text))
        .map(str::to_owned)
        .collect()
}

/// Nobody has to hand in what is never needed.
fn values_are_used(flow: &Flow, texts: &Texts) -> Result<(), Wrong> {
    let mut used = BTreeSet::new();
    for node in &flow.nodes {
        for sentence in node.say() {
            match &sentence.says {
                Says::Text(text) => used.extend(needs(texts, text)),
                Says::Value(value) => _ = used.insert(value.clone()),
            }
            used.extend(sentence.only.iter().map(|only| only.value.clone()));
        }
        if let Step::Gather { keys, .. } = &node.step {
            let conditions = keys.iter().filter_map(|key| key.only.as_ref());
            used.extend(conditions.map(|only| only.value.clone()));
        }
    }
    match flow.values.iter().find(|(value, _)| !used.contains(*value)) {
        Some((value, declared)) => {
            let table = if declared.is_optional {
                "optional_values"
            } else {
                "values"
            };
            Err(Wrong::at(format!("{table}.{value}"), Fault::Unused))
        }
        None => Ok(()),
    }
}
