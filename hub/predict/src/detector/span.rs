//! Sums over the deviation that is under way: what an alarm is named by, and what its causes were on average.

use serde::{Deserialize, Serialize};

use crate::persistence::AlarmState;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Span {
    count: Vec<u32>,
    values: Vec<f64>,
    steps: u32,
    pub(super) scaled: Vec<f64>,
}

impl Span {
    pub(super) fn new(n: usize) -> Self {
        Self {
            count: vec![0; n],
            values: vec![0.0; n],
            steps: 0,
            scaled: vec![0.0; n],
        }
    }

    pub(super) fn next(&mut self, state: AlarmState, values: &[Option<f64>], scaled: &[f64]) {
        if state.since.is_none() {
            if self.steps > 0 {
                *self = Self::new(self.scaled.len());
            }
            return;
        }
        self.steps = self.steps.saturating_add(1);
        for i in 0..scaled.len() {
            self.scaled[i] += scaled[i];
            if let Some(value) = values[i] {
                self.values[i] += value;
                self.count[i] = self.count[i].saturating_add(1);
            }
        }
    }

    pub(super) fn mean(&self, i: usize) -> Option<f64> {
        (self.count[i] > 0).then(|| self.values[i] / f64::from(self.count[i]))
    }
}
