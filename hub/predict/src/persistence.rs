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

    pub(crate) fn next(&mut self, score: f32, at: Timestamp, rule: &manifest::Persistence) -> AlarmState {
        self.recent.push_back(score);
        while self.recent.len() > rule.hold {
            self.recent.pop_front();
        }
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
        let mut held = 0.0;
        if self.recent.len() == rule.hold {
            held = self.recent.iter().copied().fold(f32::INFINITY, f32::min);
            self.alarm |= held >= 1.0;
            if self.since.is_some() {
                self.held_peak = self.held_peak.max(held);
            }
        }
        AlarmState {
            alarm: self.alarm,
            since: self.since,
            held_peak: self.held_peak,
            held,
        }
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
