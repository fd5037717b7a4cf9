//! One appliance under named faults, with the detector beside them that knows none: what is unusual and looks like no fault opens a ticket
//! without a name.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::Step;
use super::super::channel::Channel;
use super::super::settings::Settings;
use super::super::unit::Unit;
use super::{NamedFaults, Sign, Signs, Told};

/// What an appliance is compared by.
#[derive(Debug, Clone, Copy)]
pub struct NamedRule<'a> {
    /// Figures of a run that faults are told by, in the order of the metrics.
    pub figures: &'a [Channel],
    /// The faults.
    pub faults: &'a NamedFaults,
    /// What the detector without names watches; nothing, perhaps.
    pub channels: &'a [Channel],
    /// Its figures. Its threshold is the level of what has no name.
    pub settings: &'a Settings,
}

/// What a step, a programme run or a day, said.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedStep {
    /// Of the faults and of both together; none while the normals of most figures are learned.
    pub sign: Option<Sign>,
    /// Score of the detector without names, in floors, that was held for its hold time; 0 until it was.
    pub unnamed: f64,
    /// What that detector said.
    pub beside: Step,
}

/// State of one appliance: less than 1.5 kB of 16 figures and 16 channels while it is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedUnit {
    signs: Signs,
    beside: Unit,
    /// Newest scores of the detector without names, by its normal of now and by the first one; one less than it holds.
    newest: VecDeque<[f64; 2]>,
    stands: bool,
}

impl NamedUnit {
    /// An appliance of which nothing is known.
    pub fn new(rule: NamedRule<'_>) -> Self {
        Self {
            signs: Signs::new(rule.figures.len()),
            beside: Unit::new(rule.channels, rule.settings),
            newest: VecDeque::new(),
            stands: false,
        }
    }

    /// Takes a step: a value for each channel of the detector without names, and one for each figure.
    pub fn step(&mut self, rule: NamedRule<'_>, values: &[Option<f64>], figures: &[Option<f64>]) -> NamedStep {
        let beside = self
            .beside
            .step(rule.channels, rule.settings, values, false, self.stands);
        let unnamed = match &beside {
            Step::Watching { score, slow_score, .. } => self.hold([*score, *slow_score], rule.settings.hold),
            Step::Calibrating { .. } | Step::CannotCalibrate { .. } => 0.0,
        };
        let in_levels = unnamed / rule.settings.threshold;
        let sign = self
            .signs
            .step(rule.figures, rule.faults, figures, in_levels, self.stands);
        self.stands = sign.as_ref().is_some_and(|sign| sign.alarm);
        NamedStep { sign, unnamed, beside }
    }

    /// The higher of the lowest scores of the hold time.
    fn hold(&mut self, scores: [f64; 2], hold: u32) -> f64 {
        self.newest.push_back(scores);
        let hold = hold.max(1) as usize;
        if self.newest.len() < hold {
            return 0.0;
        }
        let lowest = |of: usize| self.newest.iter().map(|pair| pair[of]).fold(f64::INFINITY, f64::min);
        let held = lowest(0).max(lowest(1));
        while self.newest.len() >= hold {
            self.newest.pop_front();
        }
        held
    }

    /// Takes what the hub was told. The detector without names begins again in either case: it cannot tell new levels from a fault.
    pub fn told(&mut self, rule: NamedRule<'_>, told: Told) {
        self.signs.told(told);
        self.beside.restart(rule.channels, rule.settings);
        self.newest.clear();
        match told {
            Told::Changed => {}
            Told::Repaired => self.stands = false,
        }
    }

    /// Whether it may be that of these figures and faults.
    pub(crate) fn fits(&self, rule: NamedRule<'_>) -> bool {
        self.signs.fits(rule.figures.len(), rule.faults.signatures.len())
    }

    /// What it shows of each fault.
    pub fn signs(&self) -> &Signs {
        &self.signs
    }

    /// The detector without names.
    pub(crate) fn beside(&self) -> &Unit {
        &self.beside
    }
}
