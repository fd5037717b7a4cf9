//! The probability that a call would be right, and what else a call needs: base rate, the fleet's tail and found faults give a first
//! belief, verdicts of people correct it. A call goes out by itself only where that has been earned.

use super::Month;
use super::beta;
use super::history::ConfirmedFault;
use crate::outcome::Verdict;
use crate::prediction::UNKNOWN_FAULT;
use serde::{Deserialize, Serialize};

/// Share of appliances that get a covered fault in a year, where service statistics say nothing else.
pub const FAULTS_A_YEAR: f64 = 0.01;
/// Faults that a simulator's count for, at most, beside those of the fleet.
const SIMULATED_MAX: f64 = 10.0;
/// Verdicts that the first belief counts for.
const BELIEF_WEIGHT: f64 = 10.0;
/// Share of what verdicts said that is forgotten in a month: half of it in 23 months.
const FORGOTTEN_A_MONTH: f64 = 0.03;
/// Precision that calls need.
pub const PRECISION_MIN: f64 = 0.9;
/// Probability of that precision that a call needs, the first belief included.
const SURE_MIN: f64 = 0.5;
/// Probability of that precision, by verdicts alone, with which calls are earned.
pub const EARNED_SURE: f64 = 0.9;
/// Appliances of a family below which calls must be earned by verdicts: a wrong first belief would be noticed too late.
pub const EARNED_BELOW: u32 = 10_000;
/// Verdicts beyond which nobody asks how many more it takes.
const VERDICTS_MAX: u32 = 10_000;

/// Confirmed faults, and how many of them came to a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// All of them.
    pub confirmed: u32,
    /// Those whose highest score was at least the one in question.
    pub reached: u32,
}

/// Bands of scores, each with verdicts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum ScoreBand {
    /// A ticket, and below the score of a call.
    Ticket,
    /// High enough for a call.
    Call,
}

/// Verdicts of people about the predictions of one band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Right ones, those of long ago counting less.
    right: f64,
    /// Wrong ones, likewise.
    wrong: f64,
    /// Month up to which they have been forgotten.
    month: Month,
    /// All of them.
    #[serde(default)]
    pub counted: Counted,
}

/// Verdicts as people count them: 14 of 16 right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The predicted fault was found.
    pub right: u32,
    /// It was not.
    pub wrong: u32,
}

/// How sure a call would be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Precision {
    /// Probability that this prediction is right, verdicts included.
    pub probability: f64,
    /// Probability that of such predictions nine in ten are right.
    pub sure: f64,
    /// Verdicts it stands on, to be shown with it.
    pub counted: Counted,
}

/// All that the gate of calls looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallFacts<'a> {
    /// Fault class of the prediction.
    pub fault_class: &'a str,
    /// Its held score.
    pub score: f64,
    /// Score that a call needs; none while too little is known of the appliance model.
    pub call_level: Option<f64>,
    /// Whether the breaker of the appliance model lets calls out.
    pub breaker_lets_out: bool,
    /// How sure the call would be.
    pub precision: Precision,
    /// Appliances of the family that are watched.
    pub watched: u32,
}

/// Why the hub does not ring by itself: a person reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// No fault class is named, so that there is nothing to say.
    NoNamedClass,
    /// Too little is known of the appliance model for any call.
    NoCallLevel,
    /// The score opens a ticket, and is too low for a call.
    BelowCallLevel,
    /// The tickets of the appliance model surge.
    Surge,
    /// The probability is below nine in ten.
    Improbable,
    /// It is more likely than not that fewer than nine in ten are right.
    Unsure,
    /// The family is small, and too few verdicts have shown that its predictions are right.
    NotEarned,
}

/// What the confirmed faults say at this score.
pub fn faults_at<'a>(faults: impl IntoIterator<Item = &'a ConfirmedFault>, score: f64) -> Faults {
    faults.into_iter().fold(Faults::default(), |mut so_far, fault| {
        so_far.confirmed += 1;
        so_far.reached += u32::from(f64::from(fault.score) >= score);
        so_far
    })
}

/// Share of faults that reach the score, by the fleet's own and at most ten of a simulator's: the rule of succession (Laplace, 1774).
pub fn recall(fleet: Faults, simulated: Faults) -> f64 {
    let weight = (SIMULATED_MAX / f64::from(simulated.confirmed.max(1))).min(1.0);
    let sum = |own: u32, simulated: u32| f64::from(own) + weight * f64::from(simulated);
    (sum(fleet.reached, simulated.reached) + 1.0) / (sum(fleet.confirmed, simulated.confirmed) + 2.0)
}

/// Probability that a score is of a fault, before any verdict (Bayes): `faults_a_year` of the appliances get one, this share of those
/// reaches the score, and so do at most `harmless_rate` of the harmless months.
pub fn belief(faults_a_year: f64, recall: f64, harmless_rate: f64) -> f64 {
    let right = faults_a_year / 12.0 * recall;
    right / (right + harmless_rate).max(f64::MIN_POSITIVE)
}

/// Verdicts, wrong ones among them, from which the precision that calls need is so sure, by verdicts alone. None where 10,000 are too few.
pub fn verdicts_needed(wrong: u32, sure: f64) -> Option<u32> {
    (wrong..=VERDICTS_MAX).find(|all| {
        self::sure(Counted {
            right: all - wrong,
            wrong,
        }) >= sure
    })
}

/// Whether verdicts alone, without any first belief, show nine in ten to be right: 21 of 21, 36 of 37, 49 of 51.
pub fn is_earned(counted: Counted) -> bool {
    sure(counted) >= EARNED_SURE
}

/// Probability that nine in ten are right, by these verdicts alone.
pub fn sure(counted: Counted) -> f64 {
    let (right, wrong) = (f64::from(counted.right), f64::from(counted.wrong));
    1.0 - beta::at_most(PRECISION_MIN, 1.0 + right, 1.0 + wrong)
}

impl Counted {
    /// How many verdicts there are.
    pub fn all(self) -> u32 {
        self.right.saturating_add(self.wrong)
    }
}

impl ScoreBand {
    /// The band of a score, by the score that a call needs.
    pub fn of(score: f64, call_level: Option<f64>) -> Self {
        if call_level.is_some_and(|level| score >= level) {
            Self::Call
        } else {
            Self::Ticket
        }
    }
}

impl Verdicts {
    /// None yet, in this month.
    pub fn new(month: Month) -> Self {
        Self {
            right: 0.0,
            wrong: 0.0,
            month,
            counted: Counted::default(),
        }
    }

    /// Takes the verdict of a closed ticket. Another fault than the predicted one is wrong: the owner would have heard of a part that is
    /// sound. Where nobody looked, nothing was learned.
    pub fn observe(&mut self, verdict: Verdict, now: Month) {
        self.forget(now);
        match verdict {
            Verdict::Right => {
                self.right += 1.0;
                self.counted.right = self.counted.right.saturating_add(1);
            }
            Verdict::OtherFault | Verdict::Wrong => {
                self.wrong += 1.0;
                self.counted.wrong = self.counted.wrong.saturating_add(1);
            }
            Verdict::NotChecked => {}
        }
    }

    /// A verdict of the month `given` was corrected: what is still remembered of it is taken back.
    pub fn take_back(&mut self, verdict: Verdict, given: Month, now: Month) {
        self.forget(now);
        let left = remembered(self.month.since(given));
        match verdict {
            Verdict::Right => {
                self.right = (self.right - left).max(0.0);
                self.counted.right = self.counted.right.saturating_sub(1);
            }
            Verdict::OtherFault | Verdict::Wrong => {
                self.wrong = (self.wrong - left).max(0.0);
                self.counted.wrong = self.counted.wrong.saturating_sub(1);
            }
            Verdict::NotChecked => {}
        }
    }

    /// What they make of a first belief from 0 to 1: it counts as ten verdicts.
    pub fn precision(mut self, belief: f64, now: Month) -> Precision {
        self.forget(now);
        let right = BELIEF_WEIGHT * belief + self.right;
        let wrong = BELIEF_WEIGHT * (1.0 - belief) + self.wrong;
        // A distribution needs both above nothing.
        let (a, b) = (right.max(f64::EPSILON), wrong.max(f64::EPSILON));
        Precision {
            probability: a / (a + b),
            sure: 1.0 - beta::at_most(PRECISION_MIN, a, b),
            counted: self.counted,
        }
    }

    fn forget(&mut self, now: Month) {
        let left = remembered(now.since(self.month));
        self.right *= left;
        self.wrong *= left;
        self.month = self.month.max(now);
    }
}

/// Share of a verdict that is left after so many months.
fn remembered(months: i32) -> f64 {
    (1.0 - FORGOTTEN_A_MONTH).powi(months.max(0))
}

impl CallFacts<'_> {
    /// Every reason why the hub does not ring by itself; empty where it does, as far as the prediction is concerned.
    pub fn withheld(&self) -> Vec<Withheld> {
        let is_earned = self.watched >= EARNED_BELOW || is_earned(self.precision.counted);
        // What is no number reaches nothing.
        let reaches = |value: f64, least: f64| value >= least;
        let reasons = [
            (self.fault_class == UNKNOWN_FAULT, Withheld::NoNamedClass),
            (self.call_level.is_none(), Withheld::NoCallLevel),
            (
                self.call_level.is_some_and(|level| !reaches(self.score, level)),
                Withheld::BelowCallLevel,
            ),
            (!self.breaker_lets_out, Withheld::Surge),
            (
                !reaches(self.precision.probability, PRECISION_MIN),
                Withheld::Improbable,
            ),
            (!reaches(self.precision.sure, SURE_MIN), Withheld::Unsure),
            (!is_earned, Withheld::NotEarned),
        ];
        reasons
            .into_iter()
            .filter_map(|(holds, reason)| holds.then_some(reason))
            .collect()
    }
}
