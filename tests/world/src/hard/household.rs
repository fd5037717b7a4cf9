//! People: holidays, second homes, and the days on which a household, an owner or a place changes.

use super::draw::{Stream, event_days, generator, mix};
use super::effect::{Effect, Effects};
use super::episode::{Episode, within};
use super::figure::{ASSUMED, Figure};
use rand_chacha::ChaCha8Rng;

const HOLIDAYS: Figure = Figure::new(Effect::Holiday, "holidays a year", 1.0, 3.0, ASSUMED);
const HOLIDAY_DAYS: Figure = Figure::new(Effect::Holiday, "length, days", 5.0, 24.0, ASSUMED);
const SECOND_HOMES: Figure = Figure::new(
    Effect::LongIdle,
    "share of homes that are second homes",
    0.06,
    0.06,
    ASSUMED,
);
const IDLE_WEEKS: Figure = Figure::new(
    Effect::LongIdle,
    "length of standing still, weeks (logarithmic)",
    1.0,
    24.0,
    ASSUMED,
);
const IDLE_SPELLS: Figure = Figure::new(Effect::LongIdle, "times a year", 2.0, 4.0, ASSUMED);
const NEW_HOUSEHOLD: Figure = Figure::new(Effect::NewHousehold, "changes a year and home", 0.03, 0.10, ASSUMED);
const NEW_OWNER: Figure = Figure::new(Effect::NewOwner, "sales a year and unit", 0.03, 0.10, ASSUMED);
const MOVES: Figure = Figure::new(Effect::Move, "moves a year and unit", 0.03, 0.08, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[
    HOLIDAYS,
    HOLIDAY_DAYS,
    SECOND_HOMES,
    IDLE_WEEKS,
    IDLE_SPELLS,
    NEW_HOUSEHOLD,
    NEW_OWNER,
    MOVES,
];

/// The course of a home's life, in days of the record.
#[derive(Debug, Clone)]
pub(super) struct Household {
    /// Spans in which nobody is at home.
    away: Vec<(f64, f64)>,
    /// Days on which habits are drawn again, in order.
    changes: Vec<f64>,
    /// Days on which the appliance is moved, in order, each with its cause: a move, or a sale.
    moves: Vec<(f64, Effect)>,
}

impl Household {
    /// Draws a home's life, and tells what happens in it. What a move does to the appliance is the appliance's matter.
    pub(super) fn draw(seed: u64, days: f64, effects: Effects) -> (Self, Vec<Episode>) {
        let of = |effect: Effect| effects.has(effect).then(|| generator(seed, Stream::Effect(effect)));
        let (mut away, mut episodes) = (Vec::new(), Vec::new());
        if let Some(rng) = &mut of(Effect::Holiday) {
            let a_year = HOLIDAYS.draw(rng);
            for from in event_days(rng, a_year, days) {
                away.push((from, from + HOLIDAY_DAYS.draw(rng)));
            }
        }
        let holidays = away.len();
        if let Some(rng) = &mut of(Effect::LongIdle)
            && SECOND_HOMES.happens(rng)
        {
            let a_year = IDLE_SPELLS.draw(rng);
            for from in event_days(rng, a_year, days) {
                away.push((from, from + 7.0 * IDLE_WEEKS.draw_log(rng)));
            }
        }
        for (place, (from, until)) in away.iter().enumerate() {
            let effect = if place < holidays {
                Effect::Holiday
            } else {
                Effect::LongIdle
            };
            episodes.push(Episode::plain(effect, *from, *until));
        }
        let mut at_rate = |effect: Effect, figure: Figure| {
            let found = of(effect).map_or_else(Vec::new, |mut rng| {
                let a_year = figure.draw(&mut rng);
                event_days(&mut rng, a_year, days)
            });
            if effect == Effect::NewHousehold {
                episodes.extend(found.iter().map(|day| Episode::lasting(effect, *day)));
            }
            found
        };
        let mut changes = at_rate(Effect::NewHousehold, NEW_HOUSEHOLD);
        let sales = at_rate(Effect::NewOwner, NEW_OWNER);
        let moved = at_rate(Effect::Move, MOVES).into_iter().map(|day| (day, Effect::Move));
        let sold = sales.iter().map(|day| (*day, Effect::NewOwner));
        let mut moves: Vec<_> = moved.chain(sold).collect();
        changes.extend(&sales);
        changes.sort_by(f64::total_cmp);
        moves.sort_by(|a, b| a.0.total_cmp(&b.0));
        (Self { away, changes, moves }, episodes)
    }

    /// What new places do to the unit: each replaces the one before. `place` adds what a place moves.
    pub(super) fn places(&self, seed: u64, place: impl Fn(Episode, &mut ChaCha8Rng) -> Episode) -> Vec<Episode> {
        let until = self.moves.iter().skip(1).map(|(day, _)| *day).chain([f64::INFINITY]);
        let spans = self.moves.iter().zip(until);
        let at = |((from, cause), until): (&(f64, Effect), f64)| {
            let rng = &mut generator(mix(seed, from.to_bits()), Stream::Place);
            place(Episode::plain(*cause, *from, until), rng)
        };
        spans.map(at).collect()
    }

    pub(super) fn is_away(&self, day: f64) -> bool {
        within(&self.away, day)
    }

    /// Number of the household that lives there: 0 at first.
    pub(super) fn number(&self, day: f64) -> usize {
        self.changes.iter().filter(|change| **change <= day).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Effects, Household};

    #[test]
    fn changes_moves_and_second_homes_come_at_their_rates() {
        let (mut changed, mut moved, mut second) = (0, 0, 0);
        for seed in 0..4_000 {
            let (home, episodes) = Household::draw(seed, 365.0, Effects::ALL);
            changed += home.number(365.0);
            moved += home.moves.len();
            second += usize::from(episodes.iter().any(|one| one.effect == Effect::LongIdle));
        }
        // Two causes of 6.5 % a year each; moves of 5.5 %, and sales.
        assert!((440..600).contains(&changed), "{changed}");
        assert!((410..550).contains(&moved), "{moved}");
        assert!((170..290).contains(&second), "{second}");
        let (calm, episodes) = Household::draw(1, 365.0, Effects::NONE);
        assert!(episodes.is_empty() && !calm.is_away(100.0) && calm.number(365.0) == 0);
    }
}
