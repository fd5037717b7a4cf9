//! A healthy effect at work on one unit: from when to when, and what it moves.

use super::draw::{Stream, generator};
use super::effect::{Effect, Effects};
use super::quantity::{Levels, Quantity};
use rand_chacha::ChaCha8Rng;

/// One effect at work, in days from the start of the record. What lasts for the whole life begins at 0 or before.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Effect that is at work.
    pub effect: Effect,
    /// Day on which it begins.
    pub from_day: f64,
    /// Day on which it ends; infinite if it stays.
    pub until_day: f64,
    pub(super) shifts: Vec<Shift>,
}

/// One quantity that an episode moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    pub(super) quantity: Quantity,
    /// A share of the quantity, or an amount of it.
    pub(super) change: f64,
    pub(super) shape: Shape,
}

/// How a change comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// At once.
    Step,
    /// Evenly, full at the episode's end.
    Rising,
    /// Evenly, the change being that of a year.
    Yearly,
    /// Soon, then slower: 63 % after so many days.
    Settling(f64),
}

impl Episode {
    /// An effect that moves nothing by itself: it is told for reports, and acted on elsewhere.
    pub(super) fn plain(effect: Effect, from_day: f64, until_day: f64) -> Self {
        Self {
            effect,
            from_day,
            until_day,
            shifts: Vec::new(),
        }
    }

    /// An effect that stays for good.
    pub(super) fn lasting(effect: Effect, from_day: f64) -> Self {
        Self::plain(effect, from_day, f64::INFINITY)
    }

    /// The episode with one more quantity that it moves.
    #[must_use]
    pub(super) fn moving(mut self, quantity: Quantity, change: f64, shape: Shape) -> Self {
        self.shifts.push(Shift {
            quantity,
            change,
            shape,
        });
        self
    }

    pub(super) fn is_on(&self, day: f64) -> bool {
        self.from_day <= day && day < self.until_day
    }

    /// Adds what the episode moves on a day within it.
    pub(super) fn apply(&self, day: f64, levels: &mut Levels) {
        let since = day - self.from_day;
        for shift in &self.shifts {
            let share = match shift.shape {
                Shape::Step => 1.0,
                Shape::Rising => since / (self.until_day - self.from_day),
                Shape::Yearly => since / 365.25,
                Shape::Settling(days) => 1.0 - (-since / days).exp(),
            };
            levels.shift(shift.quantity, shift.change * share);
        }
    }
}

/// How the episodes of one effect in a record of so many days are drawn.
pub(super) type Draw = fn(&mut ChaCha8Rng, f64) -> Vec<Episode>;

/// Episodes of those effects that are on, each drawn from a stream of its own.
pub(super) fn draw(seed: u64, days: f64, effects: Effects, by_effect: &[(Effect, Draw)]) -> Vec<Episode> {
    let on = by_effect.iter().filter(|(effect, _)| effects.has(*effect));
    on.flat_map(|(effect, draw)| draw(&mut generator(seed, Stream::Effect(*effect)), days))
        .collect()
}

/// Whether a day lies within one of the spans.
pub(super) fn within(spans: &[(f64, f64)], day: f64) -> bool {
    spans.iter().any(|(from, until)| *from <= day && day < *until)
}

#[cfg(test)]
mod tests {
    use super::{Effect, Episode, Levels, Quantity, Shape};

    #[test]
    fn a_filter_fills_and_is_cleaned() {
        let lint = Episode::plain(Effect::LintFilter, 10.0, 110.0).moving(Quantity::DrainRate, -0.3, Shape::Rising);
        let at = |day: f64| {
            let mut levels = Levels::unmoved();
            lint.apply(day, &mut levels);
            levels.of(Quantity::DrainRate)
        };
        assert!((at(60.0) - 0.85).abs() < 1e-9);
        assert!(lint.is_on(109.9) && !lint.is_on(110.0) && !lint.is_on(9.9));
    }
}
