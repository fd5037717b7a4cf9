//! What is done to the hub, and how much of it.

use super::crowd::Habit;
use std::time::Duration;

/// A call that is not up so long after its alarm never will be.
pub(super) const UP_WITHIN: Duration = Duration::from_secs(30);

/// What is done to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Nothing: what the others are compared with.
    Quiet,
    /// So many connections to the HTTP listener, from so many addresses.
    Crowd(Habit, usize, u8),
    /// So many new calls a second from strangers.
    Invites(u32),
    /// So many new calls in all from the trunk's own address, whose answers are not acknowledged.
    Unacknowledged(usize),
    /// The end of so many unknown calls a second, from strangers.
    Byes(u32),
}

impl Load {
    /// For figures.
    pub fn name(self) -> String {
        match self {
            Self::Quiet => "quiet".into(),
            Self::Crowd(habit, _, 1) => format!("{}_from_one", habit.name()),
            Self::Crowd(habit, _, addresses) => format!("{}_from_{addresses}", habit.name()),
            Self::Invites(_) => "invites".into(),
            Self::Unacknowledged(_) => "unacknowledged".into(),
            Self::Byes(_) => "byes".into(),
        }
    }
}

/// How much is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// One after the other, each for so long. The first one is quiet.
    pub loads: Vec<(Load, Duration)>,
    /// Before each of the others, how long acknowledgements are measured that nothing disturbs.
    pub quiet: Duration,
    /// Calls that are up during each of them.
    pub calls: usize,
    /// Monitor and carrier wait so long for an answer.
    pub answers_within: Duration,
    /// An owner who hangs up waits so long for the hub to take it.
    pub bye_within: Duration,
    /// Memory returns within this.
    pub memory_within: Duration,
    /// New calls a second from strangers while the hub is told to end.
    pub invites_at_end: u32,
}

impl Plan {
    /// What the bars hold for: about eight minutes.
    pub fn full() -> Self {
        let crowds = [Habit::NeverReads, Habit::Silent, Habit::HalfHeader]
            .into_iter()
            .flat_map(|habit| [1, 50].map(|addresses| (Load::Crowd(habit, 1_100, addresses), Duration::from_secs(30))));
        let floods = [
            // Longer than the hub remembers an answer that nobody acknowledges.
            (Load::Invites(16_000), Duration::from_secs(40)),
            (Load::Unacknowledged(400), Duration::from_secs(20)),
            (Load::Byes(6_000), Duration::from_secs(20)),
        ];
        let quiet = [(Load::Quiet, Duration::from_secs(20))];
        Self {
            loads: quiet.into_iter().chain(crowds).chain(floods).collect(),
            quiet: Duration::from_secs(15),
            calls: 20,
            answers_within: Duration::from_secs(1),
            bye_within: Duration::from_secs(4),
            memory_within: Duration::from_secs(30),
            invites_at_end: 16_000,
        }
    }

    /// Some seconds, on a machine that does other things too: is every answer given, and every load counted?
    pub fn quick() -> Self {
        let loads = [
            Load::Quiet,
            Load::Crowd(Habit::NeverReads, 10, 1),
            Load::Crowd(Habit::HalfHeader, 40, 4),
            Load::Invites(100),
            Load::Unacknowledged(8),
            Load::Byes(200),
        ];
        Self {
            loads: loads.map(|load| (load, Duration::from_millis(500))).to_vec(),
            quiet: Duration::from_millis(300),
            // One of them has no owner who hangs up.
            calls: 2,
            answers_within: Duration::from_secs(10),
            bye_within: Duration::from_secs(20),
            memory_within: Duration::ZERO,
            invites_at_end: 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, UP_WITHIN};
    use std::collections::BTreeSet;
    use std::time::Duration;

    /// A call whose owner says nothing goes on for at least so long: the menu for half a minute and more, 8 s for a key, the
    /// menu without its greeting, 8 s again, and the goodbye.
    const CALL_LASTS: Duration = Duration::from_secs(75);

    /// Otherwise the hub would end it, and nothing would tell that from a call that the load has broken.
    #[test]
    fn no_call_comes_to_its_own_end_beneath_a_load() {
        for plan in [Plan::full(), Plan::quick()] {
            for (load, lasts) in &plan.loads {
                assert!(UP_WITHIN + *lasts + plan.bye_within <= CALL_LASTS, "{load:?}");
            }
        }
    }

    #[test]
    fn each_load_has_a_name_of_its_own_and_the_first_is_quiet() {
        for plan in [Plan::full(), Plan::quick()] {
            let names: BTreeSet<String> = plan.loads.iter().map(|(load, _)| load.name()).collect();
            assert_eq!(names.len(), plan.loads.len());
            assert_eq!(plan.loads[0].0.name(), "quiet");
        }
    }
}
