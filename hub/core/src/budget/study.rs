//! What a family's past says, gathered month by month: the harmless history of each of its appliance models, and the faults that people
//! confirmed. It is handed one month after the other, so that no more than one of them is held as a whole.

use super::Month;
use super::history::{ConfirmedFault, HighestScore, History, MONTHS_BEFORE_FAULT, MONTHS_MAX, MonthOfScores};
use super::judged::JudgedTicket;
use super::ledger::OTHER_MODELS;
use crate::id::ApplianceId;
use std::collections::{BTreeMap, BTreeSet};

/// Appliance models of a family that have thresholds of their own, those with the most appliances. Devices say what model they are, so
/// that their number has no other bound.
pub const MODELS_MAX: usize = 200;

/// The past of one family, as far as it was handed in.
#[derive(Debug)]
pub struct Study {
    now: Month,
    faults: Vec<JudgedTicket>,
    /// Highest score of appliances with a fault, by month.
    highest: BTreeMap<(ApplianceId, Month), f32>,
    histories: BTreeMap<String, History>,
    watched: BTreeMap<String, u32>,
    has_scores: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Studied {
    /// By appliance model; [`OTHER_MODELS`] has none of its own.
    pub histories: BTreeMap<String, History>,
    /// Appliances that were watched in the newest month, by appliance model.
    pub watched: BTreeMap<String, u32>,
    /// Some appliance was watched in one of the months, the one that runs included.
    pub has_scores: bool,
}

impl Study {
    /// Begins in the month `now` with the closed tickets of the tenant.
    pub fn new(now: Month, judged: &[JudgedTicket]) -> Self {
        Self {
            now,
            faults: judged.iter().filter(|ticket| ticket.is_fault()).cloned().collect(),
            highest: BTreeMap::new(),
            histories: BTreeMap::new(),
            watched: BTreeMap::new(),
            has_scores: false,
        }
    }

    /// Months to hand in, oldest first: a year, and the one that runs, in which faults may have been confirmed.
    pub fn months(&self) -> impl Iterator<Item = Month> + use<> {
        let (now, kept) = (self.now, i32::try_from(MONTHS_MAX).unwrap_or(i32::MAX));
        (0..=kept).map(move |later| now.plus(later - kept))
    }

    /// Takes a month: one score of each appliance that was watched, by appliance model. The one that runs is no history yet.
    pub fn take(&mut self, month: Month, scores: BTreeMap<String, Vec<HighestScore>>) {
        self.has_scores |= !scores.is_empty();
        let concerned: BTreeSet<ApplianceId> = self.faults.iter().map(|fault| fault.appliance).collect();
        let all = scores.values().flatten();
        let of_faults = all.filter(|one| concerned.contains(&one.appliance));
        self.highest
            .extend(of_faults.map(|one| ((one.appliance, month), one.score)));
        if month >= self.now || scores.is_empty() {
            return;
        }
        self.watched = scores
            .iter()
            .map(|(model, scores)| (model.clone(), u32::try_from(scores.len()).unwrap_or(u32::MAX)))
            .collect();
        for (model, scores) in scores {
            let history = self.histories.entry(model).or_default();
            history.record(MonthOfScores::new(month, scores));
        }
    }

    /// The histories, without the months of faults; those of the appliance models with the most appliances.
    pub fn end(mut self) -> Studied {
        let mut largest: Vec<(u32, String)> = self
            .histories
            .keys()
            .map(|model| (self.watched_of(model), model.clone()))
            .collect();
        largest.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (_, model) in largest.into_iter().skip(MODELS_MAX) {
            self.histories.remove(&model);
        }
        for fault in &self.faults {
            if let Some(history) = self.histories.get_mut(&fault.model) {
                history.confirm(Self::confirmed(&self.highest, fault));
            }
        }
        // No months of its own, so that the family's count for it.
        self.histories.entry(OTHER_MODELS.to_owned()).or_default();
        Studied {
            histories: self.histories,
            watched: self.watched,
            has_scores: self.has_scores,
        }
    }

    fn watched_of(&self, model: &str) -> u32 {
        self.watched.get(model).copied().unwrap_or(0)
    }

    fn confirmed(highest: &BTreeMap<(ApplianceId, Month), f32>, fault: &JudgedTicket) -> ConfirmedFault {
        let months = (0..=MONTHS_BEFORE_FAULT).map(|before| fault.month().plus(-before));
        let scores = months.filter_map(|month| highest.get(&(fault.appliance, month)).copied());
        fault.fault(scores.fold(0.0, f32::max))
    }
}
