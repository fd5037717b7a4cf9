//! Walks a flow: what happened goes in by `handle_*`, what is to be done comes out of `poll_action`. No sound, no network,
//! no clock of its own.

use super::{Definition, Node, NodeId, PromptId};
use hub_core::call_result::Disposition;
use std::collections::VecDeque;
use std::time::Instant;

/// Something the call has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowAction {
    /// Say this from its beginning; cut off what is being said.
    Say(PromptId),
    /// Be silent.
    Hush,
    /// Save this; answer with `handle_commit`.
    Commit(Disposition),
    /// End the call.
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Before the call is answered.
    Waiting,
    /// A prompt is being said.
    Saying(NodeId),
    /// The prompt has ended; a key is waited for until then.
    Listening(NodeId, Instant),
    /// The host is saving.
    Saving(NodeId),
    /// The host is saving and the owner has gone: what is saved still counts.
    SavingAlone(NodeId),
    /// The call is over.
    Ended,
}

/// One call's walk through a definition.
#[derive(Debug)]
pub struct Flow {
    definition: Definition,
    step: Step,
    actions: VecDeque<FlowAction>,
    wrong: u8,
    /// The repeat after silence was used.
    repeated: bool,
    saved: Option<Disposition>,
    refused: Option<Disposition>,
}

impl Flow {
    /// A flow that has not started.
    pub fn new(definition: Definition) -> Self {
        Self {
            definition,
            step: Step::Waiting,
            actions: VecDeque::new(),
            wrong: 0,
            repeated: false,
            saved: None,
            refused: None,
        }
    }

    /// The call was answered and audio flows.
    pub fn handle_answered(&mut self) {
        if self.step == Step::Waiting {
            self.enter(super::MENU);
        }
    }

    /// The owner pressed a key.
    pub fn handle_digit(&mut self, key: char) {
        let (Step::Saying(at) | Step::Listening(at, _)) = self.step else {
            return;
        };
        let Some(Node::Gather { keys, wrong, .. }) = self.definition.nodes.get(at) else {
            return;
        };
        let next = match keys.iter().find(|(k, _)| *k == key) {
            Some((_, next)) => *next,
            None => {
                self.wrong = self.wrong.saturating_add(1);
                if self.wrong >= self.definition.wrong_max {
                    self.definition.wrong_end
                } else {
                    *wrong
                }
            }
        };
        self.enter(next);
    }

    /// The prompt that was being said has ended.
    pub fn handle_prompt_finished(&mut self, now: Instant) {
        let Step::Saying(at) = self.step else { return };
        match self.definition.nodes.get(at) {
            Some(Node::Gather { .. }) => self.step = Step::Listening(at, now + self.definition.key_wait),
            _ => self.end(),
        }
    }

    /// The host saved what `FlowAction::Commit` asked for, or refused.
    pub fn handle_commit(&mut self, is_saved: bool) {
        let (Step::Saving(at) | Step::SavingAlone(at)) = self.step else {
            return;
        };
        let Some(Node::Commit {
            disposition,
            saved,
            refused,
        }) = self.definition.nodes.get(at).cloned()
        else {
            return;
        };
        *(if is_saved { &mut self.saved } else { &mut self.refused }) = Some(disposition);
        if self.step == Step::SavingAlone(at) {
            self.step = Step::Ended;
        } else {
            self.enter(if is_saved { saved } else { refused });
        }
    }

    /// The owner hung up, or the call was cut.
    pub fn handle_hang_up(&mut self) {
        // A commit that was asked for and not yet taken up is still wanted: the key was pressed.
        self.actions.retain(|action| matches!(action, FlowAction::Commit(_)));
        self.step = match self.step {
            Step::Saving(at) | Step::SavingAlone(at) => Step::SavingAlone(at),
            _ => Step::Ended,
        };
    }

    /// The host is saving something.
    pub fn is_saving(&self) -> bool {
        matches!(self.step, Step::Saving(_) | Step::SavingAlone(_))
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.step {
            Step::Listening(_, until) => Some(until),
            _ => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Step::Listening(at, until) = self.step else { return };
        let Some(Node::Gather { silence, .. }) = self.definition.nodes.get(at) else {
            return;
        };
        if now < until {
            return;
        }
        let silence = *silence;
        let second = std::mem::replace(&mut self.repeated, true);
        match self.definition.nodes.get(silence) {
            // Silence is answered with one repeat in all, whichever way the owner came back to listening.
            Some(Node::Gather { silence: end, .. }) if second => self.enter(*end),
            _ => self.enter(silence),
        }
    }

    /// The call has gone on for nearly as long as it may: it says goodbye instead of being cut off. False where it ends by
    /// itself soon: what was pressed is being saved, or its last words are being said.
    pub fn handle_time_up(&mut self) -> bool {
        let (Step::Saying(at) | Step::Listening(at, _)) = self.step else {
            return false;
        };
        let gathers = matches!(self.definition.nodes.get(at), Some(Node::Gather { .. }));
        if gathers {
            self.enter(self.definition.time_end);
        }
        gathers
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<FlowAction> {
        self.actions.pop_front()
    }

    /// What was saved.
    pub fn saved(&self) -> Option<Disposition> {
        self.saved
    }

    /// What the owner pressed for and could not be saved.
    pub fn refused(&self) -> Option<Disposition> {
        self.refused
    }

    fn enter(&mut self, at: NodeId) {
        match self.definition.nodes.get(at) {
            Some(Node::Gather { prompt, .. } | Node::Farewell(prompt)) => {
                self.step = Step::Saying(at);
                self.actions.push_back(FlowAction::Say(*prompt));
            }
            Some(Node::Commit { disposition, .. }) => {
                self.step = Step::Saving(at);
                self.actions.push_back(FlowAction::Hush);
                self.actions.push_back(FlowAction::Commit(*disposition));
            }
            None => self.end(),
        }
    }

    fn end(&mut self) {
        self.step = Step::Ended;
        self.actions.push_back(FlowAction::HangUp);
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
