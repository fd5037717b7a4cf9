//! A unit of the hard world as it was lived: the steps that were read of it, and the truth beside them.

use tests_world::hard::{Effect, Effects, Fleet, Life};

use super::fridge;
use super::machine::{Kit, Run, Source};

/// Weeks before an event in which a healthy effect may have made it, in days.
const WEEKS: f64 = 28.0;

/// A unit until some day of the record.
pub struct Lived {
    pub runs: Vec<Run>,
    pub life: Life,
    /// Effects of single runs, by day.
    singles: Vec<(f64, Effects)>,
}

impl Lived {
    /// The unit of this number until a day that hangs on its life.
    pub fn live(kit: &Kit, fleet: &Fleet, number: u64, until_day: impl FnOnce(&Life) -> f64) -> Self {
        match &kit.source {
            Source::Runs(machines) => {
                let mut unit = fleet.washing_machine(number);
                let life = unit.life().clone();
                let singles = unit.runs().iter().map(|run| (run.day, run.effects)).collect();
                let runs = machines.runs(fleet, &mut unit, until_day(&life));
                Self { runs, life, singles }
            }
            Source::Days => {
                let mut unit = fleet.fridge(number);
                let life = unit.life().clone();
                let runs = fridge::days(fleet, &mut unit, until_day(&life));
                Self {
                    runs,
                    life,
                    singles: Vec::new(),
                }
            }
        }
    }

    /// Healthy effects of the weeks before a day: those at work, and those of single runs.
    pub fn effects_before(&self, day: f64) -> Effects {
        let at_work = self.life.effects_between(day - WEEKS, day);
        let singles = self.singles.iter();
        let close = singles.filter(|(of, _)| (day - WEEKS..=day).contains(of));
        close.fold(at_work, |effects, (_, single)| effects.or(*single))
    }
}

/// Days on which the hub is told what begins a new normal: the unit goes to another household, or gets a part.
pub fn told_days(life: &Life) -> Vec<f64> {
    let episodes = life.episodes().iter();
    let told = episodes.filter(|one| matches!(one.effect, Effect::NewOwner | Effect::PartChange) && one.from_day > 0.0);
    told.map(|one| one.from_day).collect()
}

/// Whether the hub was told something since the step before this day; what it was told is taken off the list.
pub fn begins_afresh(told: &mut Vec<f64>, day: f64) -> bool {
    let before = told.len();
    told.retain(|told| *told > day);
    told.len() < before
}
