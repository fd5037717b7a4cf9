//! The highest held score of each appliance and month, as far as it has to be saved: with the next checkpoint, and only where it has grown
//! since the last one. After a restart it begins with what detectors are given again; what is stored only grows. Pure.

use std::collections::HashMap;

use hub_core::budget::Month;
use hub_core::id::ApplianceId;
use hub_store::budget::MonthScore;

use crate::verdict::Verdict;

/// Months of one appliance that wait for its checkpoint, at most: a device that has been silent for a year sends 13. Of more the oldest
/// are given up.
const MONTHS_MAX: usize = 14;
/// Months that are remembered once they are saved, the newest.
const MONTHS_REMEMBERED: usize = 2;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Highest {
    appliances: HashMap<ApplianceId, Vec<Peak>>,
}

/// The highest score of a month.
#[derive(Debug, Clone, Copy)]
struct Peak {
    month: Month,
    score: f32,
    /// It has grown since it was saved.
    is_news: bool,
}

impl Highest {
    /// Takes a step that was judged, if a score was held with it.
    pub(super) fn note(&mut self, appliance: ApplianceId, verdict: &Verdict) {
        // Also where it is no number.
        if !(verdict.judged && verdict.held > 0.0 && verdict.held.is_finite()) {
            return;
        }
        let (month, score) = (Month::at(verdict.at), verdict.held);
        let peaks = self.appliances.entry(appliance).or_default();
        match peaks.iter_mut().find(|peak| peak.month == month) {
            Some(peak) if score > peak.score => (peak.score, peak.is_news) = (score, true),
            Some(_) => {}
            None => {
                let is_news = true;
                peaks.push(Peak { month, score, is_news });
                peaks.sort_by_key(|peak| peak.month);
                let too_many = peaks.len().saturating_sub(MONTHS_MAX);
                peaks.drain(..too_many);
            }
        }
    }

    /// What is to be saved with the checkpoint of an appliance; from then on it is.
    pub(super) fn take(&mut self, appliance: ApplianceId, family: &str) -> Vec<MonthScore> {
        let Some(peaks) = self.appliances.get_mut(&appliance) else {
            return Vec::new();
        };
        let news = peaks.iter().filter(|peak| peak.is_news);
        let scores = news.map(|peak| MonthScore {
            appliance,
            family: family.to_owned(),
            month: peak.month,
            score: peak.score,
        });
        let scores = scores.collect();
        peaks.iter_mut().for_each(|peak| peak.is_news = false);
        let old = peaks.len().saturating_sub(MONTHS_REMEMBERED);
        peaks.drain(..old);
        scores
    }

    /// Its detector is not in memory any more.
    pub(super) fn forget(&mut self, appliance: ApplianceId) {
        self.appliances.remove(&appliance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn verdict(day: &str, held: f32) -> Verdict {
        Verdict {
            at: format!("{day}T12:00:00Z").parse::<Timestamp>().unwrap(),
            calibrating: false,
            judged: true,
            score: held,
            held,
            baseline_score: held,
            autoencoder_score: held,
            alarm: false,
            prediction: None,
            apart: vec![],
            contributions: vec![],
            values: vec![],
            suspect: vec![],
        }
    }

    fn taken(highest: &mut Highest) -> Vec<(i32, f32)> {
        let scores = highest.take(ApplianceId(1), "pump-rig");
        let first = Month::at("2026-01-01T00:00:00Z".parse().unwrap());
        scores
            .iter()
            .map(|score| (score.month.since(first), score.score))
            .collect()
    }

    #[test]
    fn a_month_is_saved_where_its_highest_has_grown() {
        let mut highest = Highest::default();
        let note = |highest: &mut Highest, day, held| highest.note(ApplianceId(1), &verdict(day, held));
        for (day, held) in [
            ("2026-01-31", 0.4),
            ("2026-01-30", 0.6),
            ("2026-02-01", 0.5),
            ("2026-02-02", 0.0),
        ] {
            note(&mut highest, day, held);
        }
        assert_eq!(taken(&mut highest), [(0, 0.6), (1, 0.5)]);
        note(&mut highest, "2026-02-03", 0.5);
        note(&mut highest, "2026-02-04", f32::NAN);
        assert!(taken(&mut highest).is_empty(), "nothing has grown");
        note(&mut highest, "2026-02-05", 0.7);
        assert_eq!(taken(&mut highest), [(1, 0.7)]);
        highest.forget(ApplianceId(1));
        assert!(taken(&mut highest).is_empty());
    }

    #[test]
    fn months_of_one_appliance_are_bounded() {
        let mut highest = Highest::default();
        for year in 1990..2050 {
            highest.note(ApplianceId(1), &verdict(&format!("{year}-06-01"), 0.5));
        }
        assert_eq!(taken(&mut highest).len(), MONTHS_MAX);
        assert_eq!(highest.appliances[&ApplianceId(1)].len(), MONTHS_REMEMBERED);
    }
}
