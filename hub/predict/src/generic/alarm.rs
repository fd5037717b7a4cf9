//! Hold time and hysteresis of one score.

use serde::{Deserialize, Serialize};

use super::settings::Settings;

/// State between steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    standing: bool,
    /// Steps in a row at the threshold or above.
    held: u32,
    /// Healthy steps in a row.
    healthy: u32,
}

impl Alarm {
    pub(super) fn standing(&self) -> bool {
        self.standing
    }

    /// A gap: what was held starts over. A standing alarm stays, because silence heals nothing.
    pub(super) fn interrupt(&mut self) {
        self.held = 0;
    }

    /// Takes the score of a step. One in which a watched channel was silent (`whole` is false) is no sign of health.
    pub(super) fn next(&mut self, score: f64, whole: bool, settings: &Settings) {
        self.held = if score >= settings.threshold {
            self.held.saturating_add(1)
        } else {
            0
        };
        if score >= settings.clear_below * settings.threshold {
            self.healthy = 0;
        } else if whole {
            self.healthy = self.healthy.saturating_add(1);
        }
        if self.held >= settings.hold.max(1) {
            self.standing = true;
        } else if self.healthy >= settings.clear_after {
            self.standing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scores: &[f64], whole: bool) -> String {
        let settings = Settings {
            threshold: 1.0,
            hold: 3,
            clear_below: 0.5,
            clear_after: 2,
            ..Settings::default()
        };
        let mut alarm = Alarm::default();
        let mut stands = |score: &f64| {
            alarm.next(*score, whole, &settings);
            if alarm.standing() { '!' } else { '.' }
        };
        scores.iter().map(&mut stands).collect()
    }

    #[test]
    fn an_alarm_needs_the_whole_hold_time() {
        assert_eq!(run(&[1.2, 1.2, 0.9, 1.2, 1.2, 1.2], true), ".....!");
    }

    #[test]
    fn an_alarm_ends_only_after_enough_healthy_steps_in_a_row() {
        assert_eq!(run(&[2.0, 2.0, 2.0, 0.4, 0.6, 0.4, 0.4, 2.0], true), "..!!!!..");
    }

    #[test]
    fn steps_without_a_watched_channel_end_no_alarm() {
        assert_eq!(run(&[2.0, 2.0, 2.0, 0.4, 0.4, 0.4, 0.4], false), "..!!!!!");
    }
}
