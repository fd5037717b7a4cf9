//! When a deviation becomes an alarm and when the alarm ends: hold time and hysteresis.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest;

/// State between steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Persistence {
    /// The last `hold` scores.
    recent: VecDeque<f32>,
    alarm: bool,
    healthy_steps: u32,
    /// Since when the score has been above the clearing level.
    since: Option<Timestamp>,
    /// Highest score that was held, since `since`.
    held_peak: f32,
}

/// The alarm after one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AlarmState {
    /// An alarm is standing.
    pub(crate) alarm: bool,
    /// Start of the deviation.
    pub(crate) since: Option<Timestamp>,
    /// Highest score held for the whole hold time in this deviation.
    pub(crate) held_peak: f32,
    /// Lowest score of the hold time that ends here; 0 where it is not over.
    pub(crate) held: f32,
}

impl Persistence {
    pub(crate) fn new() -> Self {
        Self {
            recent: VecDeque::new(),
            alarm: false,
            healthy_steps: 0,
            since: None,
            held_peak: 0.0,
        }
    }

    /// An alarm is standing.
    pub(crate) fn alarm(&self) -> bool {
        self.alarm
    }

    /// The highest score that was held in the deviation that is under way.
    pub(crate) fn held_peak(&self) -> f32 {
        self.held_peak
    }

    /// A gap: held scores start over; a standing alarm stays, because silence heals nothing.
    pub(crate) fn interrupt(&mut self) {
        self.recent.clear();
        if !self.alarm {
            self.since = None;
            self.held_peak = 0.0;
        }
    }

    /// The same for a detector that says itself whether its alarm `stands`: what was held at most is kept for as long as it does.
    pub(crate) fn follow(
        &mut self,
        score: f32,
        stands: bool,
        at: Timestamp,
        rule: &manifest::Persistence,
    ) -> AlarmState {
        self.push(score, rule);
        self.alarm = stands;
        self.healthy_steps = 0;
        if stands || score >= rule.clear_below {
            self.since.get_or_insert(at);
        } else {
            self.since = None;
            self.held_peak = 0.0;
        }
        let held = self.held(rule).unwrap_or(0.0);
        AlarmState {
            held,
            ..self.unchanged()
        }
    }

    /// A step in which nothing was measured: nothing is held with it, and nothing heals.
    pub(crate) fn unchanged(&self) -> AlarmState {
        AlarmState {
            alarm: self.alarm,
            since: self.since,
            held_peak: self.held_peak,
            held: 0.0,
        }
    }

    pub(crate) fn next(&mut self, score: f32, at: Timestamp, rule: &manifest::Persistence) -> AlarmState {
        self.push(score, rule);
        if score >= rule.clear_below {
            self.healthy_steps = 0;
            self.since.get_or_insert(at);
        } else {
            self.healthy_steps = self.healthy_steps.saturating_add(1);
        }
        let ended = if self.alarm {
            self.healthy_steps >= rule.clear_after
        } else {
            self.healthy_steps > 0
        };
        if ended {
            self.alarm = false;
            self.since = None;
            self.held_peak = 0.0;
        }
        let held = self.held(rule);
        self.alarm |= held.is_some_and(|held| held >= 1.0);
        AlarmState {
            held: held.unwrap_or(0.0),
            ..self.unchanged()
        }
    }

    fn push(&mut self, score: f32, rule: &manifest::Persistence) {
        self.recent.push_back(score);
        while self.recent.len() > rule.hold {
            self.recent.pop_front();
        }
    }

    /// The lowest score of the hold time, noted where a deviation is under way; none where the time is not over.
    fn held(&mut self, rule: &manifest::Persistence) -> Option<f32> {
        if self.recent.len() != rule.hold {
            return None;
        }
        let held = self.recent.iter().copied().fold(f32::INFINITY, f32::min);
        if self.since.is_some() {
            self.held_peak = self.held_peak.max(held);
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> manifest::Persistence {
        manifest::Persistence {
            hold: 3,
            clear_below: 0.5,
            clear_after: 2,
            evidence_points: 10,
        }
    }

    fn run(scores: &[f32]) -> String {
        let mut state = Persistence::new();
        let alarm = |(i, s): (usize, &f32)| {
            let at = Timestamp::from_second(i as i64).unwrap();
            if state.next(*s, at, &rule()).alarm { '!' } else { '.' }
        };
        scores.iter().enumerate().map(alarm).collect()
    }

    #[test]
    fn an_alarm_needs_the_whole_hold_time() {
        assert_eq!(run(&[1.2, 1.2, 0.9, 1.2, 1.2, 1.2]), ".....!");
    }

    #[test]
    fn an_alarm_ends_only_after_enough_healthy_steps() {
        assert_eq!(run(&[2.0, 2.0, 2.0, 0.4, 0.6, 0.4, 0.4, 2.0]), "..!!!!..");
    }

    #[test]
    fn what_was_held_is_kept_for_as_long_as_the_detectors_own_alarm_stands() {
        let mut state = Persistence::new();
        let mut last = None;
        for (i, (score, stands)) in [(1.5, false), (1.4, false), (1.6, true), (0.1, true)]
            .iter()
            .enumerate()
        {
            let at = Timestamp::from_second(i as i64).unwrap();
            last = Some(state.follow(*score, *stands, at, &rule()));
        }
        let before = last.unwrap();
        assert_eq!((before.alarm, before.held_peak, before.held), (true, 1.4, 0.1));
        // Two more healthy steps would end an alarm of this rule; this one ends where its detector says so.
        let at = Timestamp::from_second(9).unwrap();
        assert_eq!(state.follow(0.1, true, at, &rule()).held_peak, 1.4);
        assert_eq!((state.unchanged().held_peak, state.unchanged().held), (1.4, 0.0));
        let ended = state.follow(0.1, false, at, &rule());
        assert_eq!((ended.alarm, ended.since, ended.held_peak), (false, None, 0.0));
    }

    #[test]
    fn since_is_where_the_deviation_began() {
        let mut state = Persistence::new();
        let mut last = None;
        for (i, s) in [0.1, 0.6, 1.0, 1.5, 1.4].iter().enumerate() {
            last = Some(state.next(*s, Timestamp::from_second(i as i64).unwrap(), &rule()));
        }
        let last = last.unwrap();
        assert!(last.alarm);
        assert_eq!(last.since, Some(Timestamp::from_second(1).unwrap()));
        assert_eq!(last.held_peak, 1.0);
    }
}
