//! The life of one unit: which effects are at work when, and what breaks. It is the truth beside the rows.

use super::effect::Effects;
use super::episode::Episode;
use super::fault::Fault;
use super::quantity::Levels;

/// The truth about one unit, complete from the start: it hangs on nothing that is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Life {
    pub(super) episodes: Vec<Episode>,
    pub(super) faults: Vec<Fault>,
}

impl Life {
    /// Healthy effects at work on the unit, in no order. What is drawn for single runs is with the runs.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// Faults of the unit, by day of the onset.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Effects that were at work at some time between two days of the record, or began there; those that last for the
    /// unit's whole life are always among them.
    pub fn effects_between(&self, from_day: f64, until_day: f64) -> Effects {
        let overlapping = self
            .episodes
            .iter()
            .filter(|one| one.from_day <= until_day && one.until_day >= from_day);
        overlapping.fold(Effects::NONE, |effects, one| effects.with(one.effect))
    }

    /// Effects that began or ended between two days of the record: what a change in the readings may come from.
    pub fn changes_between(&self, from_day: f64, until_day: f64) -> Effects {
        let is_within = |day: f64| from_day <= day && day <= until_day;
        let changing = self
            .episodes
            .iter()
            .filter(|one| (one.from_day > 0.0 && is_within(one.from_day)) || is_within(one.until_day));
        changing.fold(Effects::NONE, |effects, one| effects.with(one.effect))
    }

    /// The fault that shows most on a day, with its share of the amplitude: the label of a row.
    pub fn worst_fault(&self, day: f64) -> Option<(&Fault, f64)> {
        let shown = self.faults.iter().map(|fault| (fault, fault.progress(day)));
        shown
            .filter(|(_, progress)| *progress > 0.0)
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Whether the appliance stands still after a failure.
    pub(super) fn is_down(&self, day: f64) -> bool {
        self.faults.iter().any(|fault| fault.is_down(day))
    }

    /// How far everything is moved on a day.
    pub(super) fn levels(&self, day: f64) -> Levels {
        let mut levels = Levels::unmoved();
        for episode in self.episodes.iter().filter(|episode| episode.is_on(day)) {
            episode.apply(day, &mut levels);
        }
        for fault in &self.faults {
            fault.apply(day, &mut levels);
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effect, Effects, Episode, Quantity};
    use super::Life;
    use crate::hard::episode::Shape;

    #[test]
    fn what_overlaps_is_told_and_what_is_on_moves() {
        let life = Life {
            episodes: vec![
                Episode::lasting(Effect::Mains, 0.0),
                Episode::plain(Effect::Foam, 10.0, 20.0).moving(Quantity::DrainRate, -0.2, Shape::Step),
                Episode::lasting(Effect::Move, 30.0).moving(Quantity::DrainRate, 0.1, Shape::Step),
            ],
            faults: Vec::new(),
        };
        let told = |from, until| life.effects_between(from, until).iter().collect::<Vec<_>>();
        assert_eq!(told(0.0, 9.0), [Effect::Mains]);
        assert_eq!(told(15.0, 16.0), [Effect::Mains, Effect::Foam]);
        assert_eq!(told(21.0, 31.0), [Effect::Mains, Effect::Move]);
        assert_eq!(life.changes_between(0.0, 12.0), Effects::NONE.with(Effect::Foam));
        assert_eq!(life.changes_between(12.0, 18.0), Effects::NONE);
        let drain = |day| life.levels(day).of(Quantity::DrainRate);
        assert!(
            (drain(15.0) - 0.8).abs() < 1e-9 && (drain(25.0) - 1.0).abs() < 1e-9 && (drain(40.0) - 1.1).abs() < 1e-9
        );
        assert!(!life.is_down(3.0) && life.worst_fault(3.0).is_none());
    }
}
