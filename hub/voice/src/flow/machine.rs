//! Walks a flow: what happened goes in by `handle_*`, what is to be done comes out of `poll_action`. No sound, no network,
//! no clock of its own.

use super::{Flow, Key, NodeId, Present, Step, holds};
use hub_core::call_result::Disposition;
use hub_core::situation::FIGURES_MAX;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Something the call has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowAction {
    /// Say what the node of this name says, from its beginning; cut off what is being said.
    Say(String),
    /// Be silent.
    Hush,
    /// Save this; answer with `handle_commit`.
    Commit(Disposition),
    /// Ask whether these figures name something; answer with `handle_commit`.
    Find(String),
    /// End the call.
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the call is answered.
    Waiting,
    /// A prompt is being said.
    Saying(NodeId),
    /// The prompt has ended; a key is waited for until then.
    Listening(NodeId, Instant),
    /// The host is saving, or looking for what figures name.
    Saving(NodeId),
    /// The host is at it and the owner has gone: what is saved still counts.
    SavingAlone(NodeId),
    /// The call is over.
    Ended,
}

/// One call's walk through a flow.
#[derive(Debug)]
pub struct Walk {
    flow: Arc<Flow>,
    present: Present,
    state: State,
    actions: VecDeque<FlowAction>,
    wrong: u8,
    /// Figures so far, of a node that takes them.
    entered: String,
    /// The repeat after silence was used.
    repeated: bool,
    saved: Option<Disposition>,
    refused: Option<Disposition>,
}

impl Walk {
    /// A walk that has not started, of a call that has the values `present`.
    pub fn new(flow: Arc<Flow>, present: Present) -> Self {
        Self {
            flow,
            present,
            state: State::Waiting,
            actions: VecDeque::new(),
            wrong: 0,
            entered: String::new(),
            repeated: false,
            saved: None,
            refused: None,
        }
    }

    /// The call was answered and audio flows.
    pub fn handle_answered(&mut self) {
        if self.state == State::Waiting {
            self.enter(self.flow.start);
        }
    }

    /// The owner pressed a key.
    pub fn handle_digit(&mut self, key: char, now: Instant) {
        let (State::Saying(at) | State::Listening(at, _)) = self.state else {
            return;
        };
        let (keys, wrong) = match self.flow.step(at) {
            Some(Step::Gather { keys, wrong, .. }) => (keys, wrong),
            Some(Step::Enter { .. }) => return self.take_figure(at, key, now),
            Some(Step::Save { .. } | Step::Farewell { .. }) | None => return,
        };
        let has_meaning = |known: &&Key| known.key == key && holds(known.only.as_ref(), &self.present);
        let next = match keys.iter().find(has_meaning) {
            Some(known) => known.to,
            None => {
                self.wrong = self.wrong.saturating_add(1);
                if self.wrong >= self.flow.wrong_max {
                    self.flow.wrong_end
                } else {
                    *wrong
                }
            }
        };
        self.enter(next);
    }

    /// The prompt that was being said has ended.
    pub fn handle_prompt_finished(&mut self, now: Instant) {
        let State::Saying(at) = self.state else { return };
        match self.flow.step(at) {
            Some(Step::Gather { .. } | Step::Enter { .. }) => {
                self.state = State::Listening(at, now + self.flow.key_wait);
            }
            _ => self.end(),
        }
    }

    /// The host saved what `FlowAction::Commit` asked for, or refused.
    pub fn handle_commit(&mut self, is_saved: bool) {
        let (State::Saving(at) | State::SavingAlone(at)) = self.state else {
            return;
        };
        let next = match self.flow.step(at) {
            Some(&Step::Save { choice, saved, refused }) => {
                *(if is_saved { &mut self.saved } else { &mut self.refused }) = Some(choice);
                if is_saved { saved } else { refused }
            }
            Some(&Step::Enter { named, .. }) if is_saved => named,
            Some(&Step::Enter { unnamed, .. }) => unnamed,
            Some(Step::Gather { .. } | Step::Farewell { .. }) | None => return,
        };
        if self.state == State::SavingAlone(at) {
            self.state = State::Ended;
        } else {
            self.enter(next);
        }
    }

    /// A figure cuts the prompt off; the next one is waited for as long as any key.
    fn take_figure(&mut self, at: NodeId, key: char, now: Instant) {
        match key {
            '#' => return self.find(at),
            '*' => self.entered.clear(),
            figure if self.entered.len() <= FIGURES_MAX => self.entered.push(figure),
            // As many as there are now name nothing.
            _ => {}
        }
        if matches!(self.state, State::Saying(_)) {
            self.actions.push_back(FlowAction::Hush);
        }
        self.state = State::Listening(at, now + self.flow.key_wait);
    }

    fn find(&mut self, at: NodeId) {
        self.state = State::Saving(at);
        self.actions.push_back(FlowAction::Hush);
        let figures = std::mem::take(&mut self.entered);
        self.actions.push_back(FlowAction::Find(figures));
    }

    /// The owner hung up, or the call was cut.
    pub fn handle_hang_up(&mut self) {
        // A commit that was asked for and not yet taken up is still wanted: the key was pressed.
        self.actions
            .retain(|action| matches!(action, FlowAction::Commit(_) | FlowAction::Find(_)));
        self.state = match self.state {
            State::Saving(at) | State::SavingAlone(at) => State::SavingAlone(at),
            _ => State::Ended,
        };
    }

    /// The host is saving something.
    pub fn is_saving(&self) -> bool {
        matches!(self.state, State::Saving(_) | State::SavingAlone(_))
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Listening(_, until) => Some(until),
            _ => None,
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let State::Listening(at, until) = self.state else {
            return;
        };
        if now < until {
            return;
        }
        let silence = match self.flow.step(at) {
            Some(&Step::Gather { silence, .. }) => silence,
            Some(&Step::Enter { silence, .. }) if self.entered.is_empty() => return self.enter(silence),
            Some(Step::Enter { .. }) => return self.find(at),
            Some(Step::Save { .. } | Step::Farewell { .. }) | None => return,
        };
        let second = std::mem::replace(&mut self.repeated, true);
        match self.flow.step(silence) {
            // Silence is answered with one repeat in all, whichever way the owner came back to listening.
            Some(&Step::Gather { silence: end, .. }) if second => self.enter(end),
            _ => self.enter(silence),
        }
    }

    /// The call has gone on for nearly as long as it may: it says goodbye instead of being cut off. False where it ends by
    /// itself soon: what was pressed is being saved, or its last words are being said.
    pub fn handle_time_up(&mut self) -> bool {
        let (State::Saying(at) | State::Listening(at, _)) = self.state else {
            return false;
        };
        let gathers = matches!(self.flow.step(at), Some(Step::Gather { .. } | Step::Enter { .. }));
        if gathers {
            self.enter(self.flow.time_end);
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
        let Some(node) = self.flow.nodes.get(at) else {
            return self.end();
        };
        match node.step {
            Step::Gather { .. } | Step::Enter { .. } | Step::Farewell { .. } => {
                self.entered.clear();
                self.state = State::Saying(at);
                self.actions.push_back(FlowAction::Say(node.name.clone()));
            }
            Step::Save { choice, .. } => {
                self.state = State::Saving(at);
                self.actions.push_back(FlowAction::Hush);
                self.actions.push_back(FlowAction::Commit(choice));
            }
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.actions.push_back(FlowAction::HangUp);
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
