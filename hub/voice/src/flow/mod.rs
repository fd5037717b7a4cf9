//! The call flow as data: nodes that say, gather a key, save, and end. What is said is in the translation files; how the
//! nodes are walked is in `machine`.

pub mod machine;

pub use machine::{Flow, FlowAction};

use hub_core::call_result::Disposition;
use std::time::Duration;

/// Something the call can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PromptId {
    /// Who rings, what was seen, the slot, the keys, then the details: serial number, safety, price.
    Menu,
    /// The same without the greeting.
    MenuAgain,
    /// No key came; the menu again.
    NoKey,
    /// That key has no meaning; the keys again.
    WrongKey,
    /// The visit is booked.
    Booked,
    /// A person rings to agree on another time.
    AnotherTime,
    /// A person rings.
    Person,
    /// No such calls again.
    DoNotCall,
    /// The choice could not be saved; a person rings.
    NotSaved,
    /// Nothing was chosen.
    Goodbye,
}

impl PromptId {
    /// All of them.
    pub const ALL: [PromptId; 10] = [
        PromptId::Menu,
        PromptId::MenuAgain,
        PromptId::NoKey,
        PromptId::WrongKey,
        PromptId::Booked,
        PromptId::AnotherTime,
        PromptId::Person,
        PromptId::DoNotCall,
        PromptId::NotSaved,
        PromptId::Goodbye,
    ];

    /// Whether a call begins with it: then it starts with the silence that a network may swallow while it connects.
    pub fn begins_call(self) -> bool {
        self == PromptId::Menu
    }
}

/// A node's place in a definition.
pub type NodeId = usize;

/// One step of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Says something and waits for a key; a key cuts the prompt off.
    Gather {
        /// What is said.
        prompt: PromptId,
        /// Where each key leads.
        keys: &'static [(char, NodeId)],
        /// Where a key leads that is not listed.
        wrong: NodeId,
        /// Where no key leads.
        silence: NodeId,
    },
    /// Saves what the key means. Nothing is confirmed aloud before the host says that it is saved.
    Commit {
        /// What is saved.
        disposition: Disposition,
        /// Where it leads when saved.
        saved: NodeId,
        /// Where it leads when it could not be saved.
        refused: NodeId,
    },
    /// Says something, whatever is pressed, and hangs up.
    Farewell(PromptId),
}

/// A whole flow; it starts at node 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The nodes.
    pub nodes: &'static [Node],
    /// How long a key is waited for after a prompt has ended.
    pub key_wait: Duration,
    /// This many wrong keys in all lead to `wrong_end`.
    pub wrong_max: u8,
    /// Where too many wrong keys lead.
    pub wrong_end: NodeId,
    /// Where the end of the longest call leads.
    pub time_end: NodeId,
}

/// Where a call starts.
pub(crate) const MENU: NodeId = 0;
const AGAIN: NodeId = 1;
const NO_KEY: NodeId = 2;
const WRONG: NodeId = 3;
const BOOK: NodeId = 4;
const ANOTHER: NodeId = 5;
const PERSON: NodeId = 6;
const NEVER: NodeId = 7;
const BOOKED: NodeId = 8;
const ANOTHER_TOLD: NodeId = 9;
const PERSON_TOLD: NodeId = 10;
const NEVER_TOLD: NodeId = 11;
const NOT_SAVED: NodeId = 12;
const GOODBYE: NodeId = 13;

const SLOT_KEYS: &[(char, NodeId)] = &[('1', BOOK), ('2', ANOTHER), ('3', PERSON), ('9', NEVER), ('0', AGAIN)];
const PLAIN_KEYS: &[(char, NodeId)] = &[('2', ANOTHER), ('3', PERSON), ('9', NEVER), ('0', AGAIN)];

const fn gather(prompt: PromptId, keys: &'static [(char, NodeId)], silence: NodeId) -> Node {
    Node::Gather {
        prompt,
        keys,
        wrong: WRONG,
        silence,
    }
}

const fn commit(disposition: Disposition, saved: NodeId) -> Node {
    Node::Commit {
        disposition,
        saved,
        refused: NOT_SAVED,
    }
}

/// The owner's call. After silence the menu is repeated once, then the call ends.
const fn nodes(keys: &'static [(char, NodeId)]) -> [Node; 14] {
    [
        gather(PromptId::Menu, keys, NO_KEY),
        gather(PromptId::MenuAgain, keys, NO_KEY),
        gather(PromptId::NoKey, keys, GOODBYE),
        gather(PromptId::WrongKey, keys, NO_KEY),
        commit(Disposition::AppointmentBooked, BOOKED),
        commit(Disposition::AnotherTime, ANOTHER_TOLD),
        commit(Disposition::PersonWanted, PERSON_TOLD),
        commit(Disposition::DoNotCall, NEVER_TOLD),
        Node::Farewell(PromptId::Booked),
        Node::Farewell(PromptId::AnotherTime),
        Node::Farewell(PromptId::Person),
        Node::Farewell(PromptId::DoNotCall),
        Node::Farewell(PromptId::NotSaved),
        Node::Farewell(PromptId::Goodbye),
    ]
}

static WITH_SLOT: [Node; 14] = nodes(SLOT_KEYS);
static WITHOUT_SLOT: [Node; 14] = nodes(PLAIN_KEYS);

/// The owner's call, with or without a slot to offer.
pub fn owner_call(has_slot: bool) -> Definition {
    Definition {
        nodes: if has_slot { &WITH_SLOT } else { &WITHOUT_SLOT },
        key_wait: Duration::from_secs(8),
        wrong_max: 3,
        wrong_end: PERSON,
        time_end: GOODBYE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_leads_to_a_node_and_every_prompt_is_used() {
        for definition in [owner_call(true), owner_call(false)] {
            let mut said = Vec::new();
            let mut led = vec![MENU, definition.wrong_end, definition.time_end];
            for node in definition.nodes {
                match node {
                    Node::Gather {
                        prompt,
                        keys,
                        wrong,
                        silence,
                    } => {
                        said.push(*prompt);
                        led.extend([*wrong, *silence]);
                        led.extend(keys.iter().map(|(_, node)| *node));
                    }
                    Node::Commit { saved, refused, .. } => led.extend([*saved, *refused]),
                    Node::Farewell(prompt) => said.push(*prompt),
                }
            }
            assert!(led.iter().all(|node| *node < definition.nodes.len()));
            said.sort_unstable();
            assert_eq!(said, PromptId::ALL);
        }
    }
}
