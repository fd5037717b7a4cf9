//! How a household uses a fridge: how often it is opened, left open, filled with warm food.

use super::super::draw::{Stream, event_days, generator, lognormal};
use super::super::effect::{Effect, Effects};
use super::super::episode::{Episode, within};
use super::super::figure::{ASSUMED, Figure, PURDUE};

const OPENINGS: Figure = Figure::base("household", "door openings a day, median", 30.0, 30.0, ASSUMED);
const OPENINGS_DEVIATION: Figure = Figure::new(
    Effect::Households,
    "door openings a day, standard deviation of the logarithm",
    0.5,
    0.5,
    ASSUMED,
);
const OPENINGS_LIMITS: Figure = Figure::new(Effect::Households, "door openings a day of a home", 5.0, 80.0, PURDUE);
const LEFT_OPEN: Figure = Figure::new(Effect::DoorLeftOpen, "times a year", 0.0, 3.0, ASSUMED);
const LEFT_OPEN_HOURS: Figure = Figure::new(Effect::DoorLeftOpen, "length, h", 0.2, 2.0, ASSUMED);
const WARM: Figure = Figure::new(Effect::WarmLoad, "times a month", 1.0, 6.0, ASSUMED);
const WARM_SHARE: Figure = Figure::new(Effect::WarmLoad, "heat, share of the mean load more", 0.2, 0.8, ASSUMED);
const WARM_HOURS: Figure = Figure::new(Effect::WarmLoad, "length, h", 2.0, 12.0, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(in super::super) const FIGURES: &[Figure] = &[
    OPENINGS,
    OPENINGS_DEVIATION,
    OPENINGS_LIMITS,
    LEFT_OPEN,
    LEFT_OPEN_HOURS,
    WARM,
    WARM_SHARE,
    WARM_HOURS,
];

/// Mean heat that comes in, W: what a share of warm food is taken of (assumed).
const MEAN_LOAD_W: f64 = 60.0;

/// Share of the day's openings in each hour: breakfast, lunch, dinner (assumed).
const BY_HOUR: [f64; 24] = [
    0.005, 0.005, 0.005, 0.005, 0.005, 0.01, 0.04, 0.08, 0.07, 0.05, 0.04, 0.05, 0.08, 0.06, 0.03, 0.03, 0.04, 0.07,
    0.105, 0.09, 0.05, 0.04, 0.03, 0.01,
];

/// Habits of one household.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// 0 if nobody opens the door.
    openings_a_day: f64,
}

impl Habits {
    /// Habits of the household of this number at the unit, 0 being the first.
    pub(super) fn draw(seed: u64, number: usize, effects: Effects) -> Self {
        let rng = &mut generator(seed, Stream::Habits(number as u64));
        let differs = effects.has(Effect::Households) || number > 0;
        let drawn = lognormal(rng, OPENINGS.low, OPENINGS_DEVIATION.low);
        let a_day = if differs {
            drawn.clamp(OPENINGS_LIMITS.low, OPENINGS_LIMITS.high)
        } else {
            OPENINGS.low
        };
        Self {
            openings_a_day: if effects.has(Effect::Openings) { a_day } else { 0.0 },
        }
    }

    pub(super) fn openings_a_minute(&self, local_day: f64) -> f64 {
        let hour = (24.0 * local_day.fract()) as usize;
        self.openings_a_day * BY_HOUR[hour] / 60.0
    }
}

/// What happens at the door now and then.
#[derive(Debug, Clone, Default)]
pub(super) struct Doors {
    left_open: Vec<(f64, f64)>,
    /// Spans, and heat of warm food in them.
    warm: Vec<(f64, f64, f64)>,
}

impl Doors {
    /// Draws what happens at a unit's door, and tells it.
    pub(super) fn draw(seed: u64, days: f64, effects: Effects) -> (Self, Vec<Episode>) {
        let (mut doors, mut episodes) = (Self::default(), Vec::new());
        if effects.has(Effect::DoorLeftOpen) {
            let rng = &mut generator(seed, Stream::Effect(Effect::DoorLeftOpen));
            let a_year = LEFT_OPEN.draw(rng);
            for from in event_days(rng, a_year, days) {
                let until = from + LEFT_OPEN_HOURS.draw(rng) / 24.0;
                doors.left_open.push((from, until));
                episodes.push(Episode::plain(Effect::DoorLeftOpen, from, until));
            }
        }
        if effects.has(Effect::WarmLoad) {
            let rng = &mut generator(seed, Stream::Effect(Effect::WarmLoad));
            let a_year = 12.0 * WARM.draw(rng);
            for from in event_days(rng, a_year, days) {
                let until = from + WARM_HOURS.draw(rng) / 24.0;
                doors.warm.push((from, until, MEAN_LOAD_W * WARM_SHARE.draw(rng)));
                episodes.push(Episode::plain(Effect::WarmLoad, from, until));
            }
        }
        (doors, episodes)
    }

    pub(super) fn is_left_open(&self, day: f64) -> bool {
        within(&self.left_open, day)
    }

    /// Heat of warm food, W.
    pub(super) fn warm_w(&self, day: f64) -> f64 {
        let inside = self.warm.iter().filter(|(from, until, _)| *from <= day && day < *until);
        inside.map(|(_, _, watts)| watts).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{BY_HOUR, Effects, Habits};

    #[test]
    fn doors_are_opened_as_often_as_stated() {
        assert!((BY_HOUR.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mut days: Vec<_> = (0..2_001)
            .map(|seed| Habits::draw(seed, 0, Effects::ALL).openings_a_day)
            .collect();
        days.sort_by(f64::total_cmp);
        assert!((27.0..33.0).contains(&days[1_000]) && days[0] >= 5.0 && days[2_000] <= 80.0);
        assert_eq!(Habits::draw(1, 0, Effects::NONE).openings_a_day, 0.0);
    }
}
