//! The way from the appliance to the hub: a clock that may be wrong, rows that are lost, late, doubled or held back.

use super::draw::{Stream, event_days, generator};
use super::effect::{Effect, Effects};
use super::episode::{Episode, within};
use super::figure::{ASSUMED, Figure};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const LOST: Figure = Figure::new(
    Effect::RowsLost,
    "share of a unit's rows (logarithmic)",
    0.001,
    0.05,
    ASSUMED,
);
const LATE: Figure = Figure::new(Effect::RowsLate, "share of rows", 0.01, 0.01, ASSUMED);
const LATE_HOURS: Figure = Figure::new(Effect::RowsLate, "lateness, h (logarithmic)", 1.0, 72.0, ASSUMED);
const DOUBLED: Figure = Figure::new(Effect::Duplicates, "share of rows", 0.001, 0.01, ASSUMED);
const OFFLINE: Figure = Figure::new(
    Effect::Offline,
    "days a year without a connection, in up to four times",
    1.0,
    10.0,
    ASSUMED,
);
const SKEW: Figure = Figure::new(Effect::ClockSkew, "wrong by, min", -5.0, 5.0, ASSUMED);
const SUMMER_TIME: Figure = Figure::new(
    Effect::ClockSkew,
    "share of clocks that jump by an hour at the end of March and October",
    0.05,
    0.05,
    ASSUMED,
);
const RESET: Figure = Figure::new(
    Effect::ClockReset,
    "share of units whose clock starts at 1970 after an outage",
    0.2,
    0.2,
    ASSUMED,
);
const RESET_HOURS: Figure = Figure::new(
    Effect::ClockReset,
    "time until it is set, h (logarithmic)",
    0.02,
    12.0,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[
    LOST,
    LATE,
    LATE_HOURS,
    DOUBLED,
    OFFLINE,
    SKEW,
    SUMMER_TIME,
    RESET,
    RESET_HOURS,
];

const DAY_S: f64 = 86_400.0;
/// Summer time, roughly: days of the year.
const SUMMER_DAYS: (f64, f64) = (89.0, 299.0);

/// How a unit's rows come to the hub.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    rng: ChaCha8Rng,
    lost: f64,
    late: f64,
    doubled: f64,
    skew_s: i64,
    keeps_summer_time: bool,
    offline: Vec<(f64, f64)>,
    /// Spans in which the clock counts from 1970.
    reset: Vec<(f64, f64)>,
}

impl Delivery {
    /// Draws a unit's connection and clock; `episodes` has its outages, and gets what happens here.
    pub(super) fn draw(seed: u64, days: f64, effects: Effects, episodes: &mut Vec<Episode>) -> Self {
        let mut told = |effect: Effect| {
            let on = effects.has(effect);
            if on {
                episodes.push(Episode::lasting(effect, 0.0));
            }
            on.then(|| generator(seed, Stream::Effect(effect)))
        };
        let lost = told(Effect::RowsLost).map_or(0.0, |mut rng| LOST.draw_log(&mut rng));
        let late = told(Effect::RowsLate).map_or(0.0, |_| LATE.low);
        let doubled = told(Effect::Duplicates).map_or(0.0, |mut rng| DOUBLED.draw(&mut rng));
        let clock = told(Effect::ClockSkew).map(|mut rng| (60.0 * SKEW.draw(&mut rng), SUMMER_TIME.happens(&mut rng)));
        let (skew_s, keeps_summer_time) = clock.unwrap_or_default();
        let mut offline = Vec::new();
        if effects.has(Effect::Offline) {
            let rng = &mut generator(seed, Stream::Effect(Effect::Offline));
            let (spells, a_year) = (rng.random_range(1..=4), OFFLINE.draw(rng));
            let length = a_year / f64::from(spells);
            for from in event_days(rng, f64::from(spells), days) {
                offline.push((from, from + length));
                episodes.push(Episode::plain(Effect::Offline, from, from + length));
            }
        }
        Self {
            rng: generator(seed, Stream::Delivery),
            lost,
            late,
            doubled,
            skew_s: skew_s as i64,
            keeps_summer_time,
            offline,
            reset: resets(seed, effects, episodes),
        }
    }

    /// When a row taken at this second of the record arrives, in seconds of the record: never, once, or twice.
    pub(super) fn arrivals(&mut self, second: i64) -> [Option<i64>; 2] {
        // One draw for the three, since they exclude each other.
        let drawn = self.rng.random::<f64>();
        if drawn < self.lost {
            return [None; 2];
        }
        let day = second as f64 / DAY_S;
        let mut arrival = second;
        if let Some((_, until)) = self.offline.iter().find(|(from, until)| *from <= day && day < *until) {
            arrival = (until * DAY_S) as i64;
        }
        if drawn < self.lost + self.late {
            arrival += (3_600.0 * LATE_HOURS.draw_log(&mut self.rng)) as i64;
        }
        let twice = drawn > 1.0 - self.doubled;
        [Some(arrival), twice.then_some(arrival + 30)]
    }

    /// What the unit's clock shows, in seconds of the epoch, at a second of the record that is `true_s` in truth.
    pub(super) fn clock_s(&self, second: i64, true_s: i64, local_day: f64) -> i64 {
        let day = second as f64 / DAY_S;
        if let Some((from, _)) = self.reset.iter().find(|(from, until)| *from <= day && day < *until) {
            return ((day - from) * DAY_S) as i64;
        }
        let day_of_year = local_day % 365.25;
        let is_summer = SUMMER_DAYS.0 <= day_of_year && day_of_year < SUMMER_DAYS.1;
        let jumped = self.keeps_summer_time && is_summer;
        true_s + self.skew_s + if jumped { 3_600 } else { 0 }
    }
}

/// Spans after outages in which the clock of a unit that forgets the time is wrong.
fn resets(seed: u64, effects: Effects, episodes: &mut Vec<Episode>) -> Vec<(f64, f64)> {
    let rng = &mut generator(seed, Stream::Effect(Effect::ClockReset));
    if !effects.has(Effect::ClockReset) || !RESET.happens(rng) {
        return Vec::new();
    }
    let outages: Vec<_> = episodes.iter().filter(|one| one.effect == Effect::Outage).collect();
    let mut reset = Vec::new();
    for outage in outages {
        let until = outage.until_day + RESET_HOURS.draw_log(rng) / 24.0;
        if !within(&reset, outage.until_day) {
            reset.push((outage.until_day, until));
        }
    }
    episodes.extend(
        reset
            .iter()
            .map(|(from, until)| Episode::plain(Effect::ClockReset, *from, *until)),
    );
    reset
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Effect, Effects, Episode};

    fn drawn(seed: u64, effects: Effects) -> Delivery {
        Delivery::draw(
            seed,
            365.0,
            effects,
            &mut vec![Episode::plain(Effect::Outage, 3.0, 3.1)],
        )
    }

    #[test]
    fn without_effects_every_row_comes_at_once() {
        let mut delivery = drawn(1, Effects::NONE);
        assert!((0..1_000).all(|n| delivery.arrivals(n * 60) == [Some(n * 60), None]));
        assert_eq!(delivery.clock_s(86_400 * 4, 1_000_000, 20_000.0), 1_000_000);
    }

    #[test]
    fn rows_are_lost_late_and_doubled_in_their_shares() {
        let (mut lost, mut late, mut twice) = (0, 0, 0);
        for seed in 0..200 {
            let mut delivery = drawn(seed, Effects::ALL.without(Effect::Offline));
            for n in 0..1_000 {
                let [arrival, again] = delivery.arrivals(n * 60);
                lost += u32::from(arrival.is_none());
                late += u32::from(arrival.is_some_and(|arrival| arrival > n * 60));
                twice += u32::from(again.is_some());
            }
        }
        assert!((1_000..4_000).contains(&lost), "{lost} of 200,000");
        assert!((1_700..2_300).contains(&late), "{late} of 200,000");
        assert!((700..1_500).contains(&twice), "{twice} of 200,000");
    }

    #[test]
    fn some_clocks_begin_at_1970_after_an_outage() {
        let after = (3.1 * 86_400.0) as i64 + 30;
        let shown = (0..500).map(|seed| drawn(seed, Effects::ALL).clock_s(after, 1_767_000_000, 20_000.0));
        let begins = shown.filter(|second| *second < 100).count();
        assert!((60..140).contains(&begins), "{begins} of 500");
    }
}
