//! What a connection knows of an integrator: its subscriptions, and what waits for it.

use crate::router::{Delivery as Message, Subscriber};
use std::collections::VecDeque;

/// What a connection knows of an integrator. Bounded by the subscriptions of one session.
#[derive(Default)]
pub(super) struct IntegratorSide {
    pub(super) subscriber: Option<Subscriber>,
    /// Subscriptions to change, in order; one for each filter.
    pub(super) changes: VecDeque<Change>,
    /// Filters that the router has, or is about to.
    pub(super) held: Vec<String>,
    /// The subscriber is away to be changed, or states are read.
    pub(super) runs: bool,
    /// Filters, with whether messages keep their retain flag.
    pub(super) filters: Vec<(String, bool)>,
    /// What the session had no room for.
    pub(super) waiting: VecDeque<Message>,
}

pub(super) enum Change {
    Add {
        filter: String,
        qos: u8,
        retained: bool,
    },
    Remove {
        filter: String,
    },
    /// The next page of retained states.
    States {
        filter: String,
        qos: u8,
        after: Option<String>,
    },
}

impl Change {
    pub(super) fn filter(&self) -> &str {
        match self {
            Self::Add { filter, .. } | Self::Remove { filter } | Self::States { filter, .. } => filter,
        }
    }

    fn brings_states(&self) -> bool {
        matches!(self, Self::Add { retained: true, .. } | Self::States { .. })
    }
}

impl IntegratorSide {
    /// Puts a change in the place of what waits for the same filter, so that no client piles them up.
    pub(super) fn put(&mut self, change: Change) {
        let mut states = false;
        self.changes.retain(|waiting| {
            let same = waiting.filter() == change.filter();
            states |= same && waiting.brings_states();
            !same
        });
        match change {
            Change::Add { filter, qos, retained } => {
                let retained = retained || states;
                self.changes.push_back(Change::Add { filter, qos, retained });
            }
            // First: room for those that come.
            change if self.held.iter().any(|held| held == change.filter()) => self.changes.push_front(change),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(filter: &str, retained: bool) -> Change {
        let filter = filter.to_owned();
        Change::Add {
            filter,
            qos: 1,
            retained,
        }
    }

    fn remove(filter: &str) -> Change {
        let filter = filter.to_owned();
        Change::Remove { filter }
    }

    #[test]
    fn changes_do_not_pile_up() {
        let mut integrator = IntegratorSide::default();
        integrator.held.push("d/+/s".into());
        for n in 0..10_000 {
            integrator.put(add("d/+/s", n == 0));
            // Of other filters nothing has come to the router.
            integrator.put(add(&format!("d/{n}/t"), true));
            integrator.put(remove(&format!("d/{n}/t")));
        }
        assert_eq!(integrator.changes.len(), 1);
        assert!(integrator.changes.iter().all(Change::brings_states), "asked for once");
        integrator.put(add("d/+/e", false));
        integrator.put(remove("d/+/s"));
        let order: Vec<_> = integrator.changes.iter().map(Change::filter).collect();
        assert_eq!(order, ["d/+/s", "d/+/e"], "room first");
    }
}
