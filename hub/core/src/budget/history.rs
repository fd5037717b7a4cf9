//! The harmless past of one appliance model: how high the held score of each appliance came in each month, without those in which a
//! fault was confirmed. Of a month only the upper fifth is kept; below it a tail is never looked at.

use super::Month;
use crate::id::ApplianceId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Months that are kept, and looked at where all of them are there: a whole year has every season.
pub const MONTHS_MAX: usize = 12;
/// Months that are looked at before.
pub const MONTHS_FIRST: usize = 4;
/// Months before a confirmed fault that say nothing of a healthy appliance.
pub const MONTHS_BEFORE_FAULT: i32 = 3;
/// One in so many scores of a month is kept. At 16 bytes each a year of 100,000 appliances takes 4 MB in place of 19 MB.
const KEPT_ONE_IN: usize = 5;
/// Scores of a month that are kept in any case.
const KEPT_MIN: usize = 60;
/// Confirmed faults that are kept: 5 % a year of a million appliances. The oldest go first.
pub const FAULTS_MAX: usize = 50_000;
/// Scores are taken for no lower and no higher than this, so that each has a logarithm.
const SCORES: (f32, f32) = (1e-3, 1e6);

/// The highest held score of an appliance in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HighestScore {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Score in units of the model, as it comes out; what is not a number counts as nothing.
    pub score: f32,
}

/// One month of one appliance model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthOfScores {
    /// The month.
    pub month: Month,
    /// Appliances that were watched, those with low scores included.
    pub watched: u32,
    /// The highest scores, highest first: a fifth of them, at least 60.
    upper: Vec<HighestScore>,
}

/// A fault that a person confirmed, or a part that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ConfirmedFault {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Month in which it was confirmed.
    pub month: Month,
    /// Highest held score of the appliance in that month and the three before it.
    pub score: f32,
}

/// What is known of one appliance model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first; at most 12.
    months: Vec<MonthOfScores>,
    /// Oldest first; at most 50,000, none older than the months that are kept.
    #[serde(default)]
    faults: Vec<ConfirmedFault>,
    /// Faults that were dropped since there were too many.
    #[serde(default)]
    faults_dropped: u64,
}

/// What would have been opened in the months that are looked at, each appliance once a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldHave {
    /// Appliances' months without a confirmed fault: false, as far as anybody knows.
    pub unconfirmed: u32,
    /// Confirmed faults.
    pub confirmed: u32,
}

/// The upper harmless scores of one appliance model, or of all models of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Logarithm of each score with the place of its appliance, highest first. Every score above the last one is here.
    pub(super) upper: Vec<(f64, u32)>,
    /// Appliances that have a score in `upper`: places are below it.
    pub(super) placed: u32,
    /// Appliances in all.
    pub appliances: u32,
    /// Appliances' months in all.
    pub device_months: u32,
}

impl MonthOfScores {
    /// A month of an appliance model, from one score an appliance.
    pub fn new(month: Month, scores: impl IntoIterator<Item = HighestScore>) -> Self {
        let bounded = |mut one: HighestScore| {
            one.score = if one.score.is_nan() {
                SCORES.0
            } else {
                one.score.clamp(SCORES.0, SCORES.1)
            };
            one
        };
        let mut upper: Vec<_> = scores.into_iter().map(bounded).collect();
        let watched = u32::try_from(upper.len()).unwrap_or(u32::MAX);
        upper.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.appliance.cmp(&b.appliance)));
        upper.truncate((upper.len() / KEPT_ONE_IN).max(KEPT_MIN));
        upper.shrink_to_fit();
        Self { month, watched, upper }
    }

    /// Score below which nothing is known of the month; none where all of it was kept.
    fn known_from(&self) -> Option<f32> {
        let lowest = self.upper.last()?;
        (self.upper.len() < self.watched as usize).then_some(lowest.score)
    }
}

impl History {
    /// Takes a month, in place of one that is there already, and forgets what is too old.
    pub fn record(&mut self, month: MonthOfScores) {
        self.months.retain(|other| other.month != month.month);
        self.months.push(month);
        self.months.sort_by_key(|month| month.month);
        let too_many = self.months.len().saturating_sub(MONTHS_MAX);
        self.months.drain(..too_many);
        if let Some(oldest) = self.months.first().map(|month| month.month) {
            self.faults.retain(|fault| fault.month >= oldest);
        }
    }

    /// Takes a confirmed fault: its appliance's month and the three before it are left out from now on. One that is confirmed again
    /// in the same month counts once.
    pub fn confirm(&mut self, fault: ConfirmedFault) {
        self.take_back(fault.appliance, fault.month);
        self.faults.push(fault);
        self.faults.sort_by_key(|fault| (fault.month, fault.appliance));
        let too_many = self.faults.len().saturating_sub(FAULTS_MAX);
        self.faults.drain(..too_many);
        self.faults_dropped += too_many as u64;
    }

    /// A label was wrong: the fault was none, and its appliance's months count again.
    pub fn take_back(&mut self, appliance: ApplianceId, month: Month) {
        self.faults
            .retain(|fault| (fault.appliance, fault.month) != (appliance, month));
    }

    /// Confirmed faults that are kept, oldest first.
    pub fn faults(&self) -> &[ConfirmedFault] {
        &self.faults
    }

    /// Faults that were dropped since there were too many.
    pub fn faults_dropped(&self) -> u64 {
        self.faults_dropped
    }

    /// What this score as a threshold would have opened in the months that are looked at. Exact from the level of a budget on;
    /// far below it scores are missing that were not kept.
    pub fn would_have(&self, score: f64) -> WouldHave {
        let reached = |held: f32| f64::from(held) >= score;
        let looked_at = self.looked_at();
        let unconfirmed = looked_at
            .iter()
            .flat_map(|month| self.harmless(month))
            .filter(|one| reached(one.score));
        let first = looked_at.first().map(|month| month.month);
        let confirmed = self
            .faults
            .iter()
            .filter(|fault| Some(fault.month) >= first && reached(fault.score));
        WouldHave {
            unconfirmed: count(unconfirmed.count()),
            confirmed: count(confirmed.count()),
        }
    }

    fn looked_at(&self) -> &[MonthOfScores] {
        let there = self.months.len();
        let first = if there < MONTHS_MAX {
            there.saturating_sub(MONTHS_FIRST)
        } else {
            0
        };
        &self.months[first..]
    }

    /// Appliances of which this month is left out.
    fn left_out(&self, month: Month) -> BTreeSet<ApplianceId> {
        let close = |fault: &&ConfirmedFault| (0..=MONTHS_BEFORE_FAULT).contains(&fault.month.since(month));
        self.faults.iter().filter(close).map(|fault| fault.appliance).collect()
    }

    fn harmless<'a>(&self, month: &'a MonthOfScores) -> impl Iterator<Item = &'a HighestScore> + use<'a> {
        let left_out = self.left_out(month.month);
        month.upper.iter().filter(move |one| !left_out.contains(&one.appliance))
    }
}

impl Sample {
    /// The upper scores of all these appliance models together.
    pub fn of<'a>(histories: impl IntoIterator<Item = &'a History>) -> Self {
        let (mut scores, mut known_from) = (Vec::new(), 0.0_f32);
        let (mut appliances, mut device_months) = (0, 0);
        for history in histories {
            let months = history.looked_at();
            appliances += months.iter().map(|month| month.watched).max().unwrap_or(0);
            for month in months {
                // An appliance with a confirmed fault is taken to have been watched, as it nearly always was.
                device_months += month.watched.saturating_sub(count(history.left_out(month.month).len()));
                known_from = month.known_from().map_or(known_from, |score| score.max(known_from));
                scores.extend(history.harmless(month).copied());
            }
        }
        scores.retain(|one| one.score >= known_from);
        scores.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.appliance.cmp(&b.appliance)));
        let mut places = BTreeMap::new();
        let mut place = |appliance| {
            let next = count(places.len());
            *places.entry(appliance).or_insert(next)
        };
        let upper = scores
            .iter()
            .map(|one| (f64::from(one.score).ln(), place(one.appliance)))
            .collect();
        let placed = count(places.len());
        Self {
            upper,
            placed,
            appliances: appliances.max(placed),
            device_months,
        }
    }
}

/// A count of what is held in memory: it fits by the bounds above.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
