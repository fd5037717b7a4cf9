//! The call flow as data: nodes that say, gather a key, save, and end. It is read from a file (`file`), its names are resolved
//! (`load`), and what it says and where it leads is checked (`check`). How the nodes are walked is in `machine`.

mod check;
mod error;
mod file;
mod load;
pub mod machine;

pub use error::{Fault, FlowError, ValueError};
pub use machine::{FlowAction, Walk};

use crate::value::{Kind, Values};
use hub_core::call_result::Disposition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A flow that was checked: each name in it is known, each node can be reached, and a call in which nobody presses a key ends.
#[derive(Debug)]
pub struct Flow {
    /// The name of its file.
    file: String,
    pub(crate) nodes: Vec<Node>,
    /// Where a call starts.
    pub(crate) start: NodeId,
    /// How long a key is waited for after a prompt has ended.
    key_wait: Duration,
    /// This many wrong keys in all lead to `wrong_end`.
    wrong_max: u8,
    wrong_end: NodeId,
    /// Where the end of the longest call leads.
    time_end: NodeId,
    /// The values that its texts and conditions name.
    pub(crate) values: BTreeMap<String, Declared>,
}

/// A node's place in its flow.
pub(crate) type NodeId = usize;

/// The values that a call has: those of which something can be said.
pub type Present = BTreeSet<String>;

/// A value that a flow speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Declared {
    pub kind: Kind,
    /// A call order may lack it.
    pub is_optional: bool,
}

/// One step of a call.
#[derive(Debug)]
pub(crate) struct Node {
    pub name: String,
    pub step: Step,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Step {
    /// Says something and waits for a key; a key cuts the prompt off.
    Gather {
        say: Vec<Sentence>,
        /// Where each key leads.
        keys: Vec<Key>,
        /// Where a key leads that is not listed.
        wrong: NodeId,
        /// Where no key leads.
        silence: NodeId,
    },
    /// Says something and takes figures, ended by `#` or by a pause; `*` begins again. The host says whether they name something.
    Enter {
        say: Vec<Sentence>,
        /// Where it leads when they do.
        named: NodeId,
        /// Where it leads when they do not, or the host cannot say.
        unnamed: NodeId,
        /// Where no key leads.
        silence: NodeId,
    },
    /// Saves what the key means. Nothing is confirmed aloud before the host says that it is saved.
    Save {
        choice: Disposition,
        /// Where it leads when saved.
        saved: NodeId,
        /// Where it leads when it could not be saved.
        refused: NodeId,
    },
    /// Says something, whatever is pressed, and hangs up.
    Farewell { say: Vec<Sentence> },
}

/// A text, or a value that is said by itself.
#[derive(Debug, Clone)]
pub(crate) struct Sentence {
    pub says: Says,
    /// When it is said; in every call if there is none.
    pub only: Option<Condition>,
}

/// What a sentence says.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// The text of this name.
    Text(String),
    /// The value of this name.
    Value(String),
}

/// A key and where it leads.
#[derive(Debug)]
pub(crate) struct Key {
    pub key: char,
    pub to: NodeId,
    /// When it has this meaning; in every call if there is none.
    pub only: Option<Condition>,
}

/// That a call has a value, or that it has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub value: String,
    pub is_present: bool,
}

impl Node {
    /// What it says; nothing if it only saves.
    pub fn say(&self) -> &[Sentence] {
        match &self.step {
            Step::Gather { say, .. } | Step::Enter { say, .. } | Step::Farewell { say } => say,
            Step::Save { .. } => &[],
        }
    }
}

/// Whether this holds of a call.
pub(crate) fn holds(only: Option<&Condition>, present: &Present) -> bool {
    only.is_none_or(|only| present.contains(&only.value) == only.is_present)
}

/// A flow that ships with the hub.
fn shipped(file: &str, text: &str) -> Arc<Flow> {
    Arc::new(Flow::load(file, text).expect("the flow is compiled in, and a test loads it"))
}

static OWNER_CALL: LazyLock<Arc<Flow>> =
    LazyLock::new(|| shipped("owner-call.toml", include_str!("../../flows/owner-call.toml")));
static VISIT_CALL: LazyLock<Arc<Flow>> =
    LazyLock::new(|| shipped("visit-call.toml", include_str!("../../flows/visit-call.toml")));
static KNOWN_CALLER: LazyLock<Arc<Flow>> =
    LazyLock::new(|| shipped("known-caller.toml", include_str!("../../flows/known-caller.toml")));
static UNKNOWN_CALLER: LazyLock<Arc<Flow>> =
    LazyLock::new(|| shipped("unknown-caller.toml", include_str!("../../flows/unknown-caller.toml")));

impl Flow {
    /// The call to an owner about a fault, and of an owner who rings back.
    pub fn owner_call() -> Arc<Self> {
        Arc::clone(&OWNER_CALL)
    }

    /// The call with an owner who has a visit: it is said first, and stands unless it is moved.
    pub fn visit_call() -> Arc<Self> {
        Arc::clone(&VISIT_CALL)
    }

    /// The call of an owner to whom there is nothing to say.
    pub fn known_caller() -> Arc<Self> {
        Arc::clone(&KNOWN_CALLER)
    }

    /// The call of somebody whose number nobody has, or who withholds it.
    pub fn unknown_caller() -> Arc<Self> {
        Arc::clone(&UNKNOWN_CALLER)
    }

    fn step(&self, at: NodeId) -> Option<&Step> {
        self.nodes.get(at).map(|node| &node.step)
    }

    /// Whether a call with these values can be made: each that it declares is there, and of its kind. Others do no harm.
    pub fn accepts(&self, values: &Values) -> Result<(), ValueError> {
        for (name, declared) in &self.values {
            match values.get(name).map(|value| value.kind()) {
                None if !declared.is_optional => {
                    return Err(ValueError::Missing {
                        flow: self.file.clone(),
                        value: name.clone(),
                    });
                }
                Some(is) if is != declared.kind => {
                    return Err(ValueError::Kind {
                        flow: self.file.clone(),
                        value: name.clone(),
                        is,
                        wanted: declared.kind,
                    });
                }
                None | Some(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
