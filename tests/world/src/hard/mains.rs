//! The mains at one address, and when they fail.

use super::draw::{Stream, event_days, generator, wander};
use super::effect::{Effect, Effects};
use super::episode::Episode;
use super::figure::{ASSUMED, EN_50160, Figure};
use crate::noise::normal;
use std::f64::consts::TAU;

/// Voltage on the plate, V.
pub(super) const RATED_V: f64 = 230.0;

const LIMITS: Figure = Figure::new(
    Effect::Mains,
    "voltage, share of 230 V, at any time",
    0.85,
    1.10,
    EN_50160,
);
const LEVEL: Figure = Figure::new(
    Effect::Mains,
    "mean of an address, share of 230 V (95 % of addresses)",
    0.96,
    1.04,
    ASSUMED,
);
const SWING: Figure = Figure::new(
    Effect::Mains,
    "swing over hours, V, one standard deviation",
    0.5,
    2.5,
    ASSUMED,
);
const SAG: Figure = Figure::new(
    Effect::EveningSag,
    "fall at half past seven in the evening, V",
    0.0,
    14.0,
    ASSUMED,
);
const OUTAGES: Figure = Figure::new(
    Effect::Outage,
    "outages a month at an address (logarithmic)",
    0.1,
    2.0,
    ASSUMED,
);
const OUTAGE_HOURS: Figure = Figure::new(
    Effect::Outage,
    "length of an outage, h (logarithmic)",
    0.02,
    4.0,
    ASSUMED,
);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[LIMITS, LEVEL, SWING, SAG, OUTAGES, OUTAGE_HOURS];

/// The mains of one address.
#[derive(Debug, Clone)]
pub(super) struct Mains {
    seed: u64,
    level_v: f64,
    swing_v: f64,
    sag_v: f64,
    /// Outages to come, the last first.
    outages: Vec<(f64, f64)>,
}

impl Mains {
    /// Draws the mains of an address, and tells what they do.
    pub(super) fn draw(seed: u64, days: f64, effects: Effects) -> (Self, Vec<Episode>) {
        let mut mains = Self {
            seed,
            level_v: RATED_V,
            swing_v: 0.0,
            sag_v: 0.0,
            outages: Vec::new(),
        };
        let mut episodes = Vec::new();
        if effects.has(Effect::Mains) {
            let rng = &mut generator(seed, Stream::Effect(Effect::Mains));
            let deviation = RATED_V * (LEVEL.high - LEVEL.low) / 4.0;
            mains.level_v = normal(rng, RATED_V, deviation);
            mains.swing_v = SWING.draw(rng);
            episodes.push(Episode::lasting(Effect::Mains, 0.0));
        }
        if effects.has(Effect::EveningSag) {
            mains.sag_v = SAG.draw(&mut generator(seed, Stream::Effect(Effect::EveningSag)));
            episodes.push(Episode::lasting(Effect::EveningSag, 0.0));
        }
        if effects.has(Effect::Outage) {
            let rng = &mut generator(seed, Stream::Effect(Effect::Outage));
            let per_year = 12.0 * OUTAGES.draw_log(rng);
            for from in event_days(rng, per_year, days) {
                let until = from + OUTAGE_HOURS.draw_log(rng) / 24.0;
                mains.outages.push((from, until));
                episodes.push(Episode::plain(Effect::Outage, from, until));
            }
            mains.outages.reverse();
        }
        (mains, episodes)
    }

    /// The voltage without what changes from one minute to the next, by local days since 1970.
    pub(super) fn volts(&self, local_day: f64) -> f64 {
        let evening = (TAU * (local_day - 19.5 / 24.0)).cos().max(0.0);
        let swing = self.swing_v * wander(self.seed ^ 0x6d61_696e, local_day * 6.0);
        let volts = self.level_v + swing - self.sag_v * evening * evening;
        volts.clamp(RATED_V * LIMITS.low, RATED_V * LIMITS.high)
    }

    /// The end of the outage that is on at this day. Days must not fall from one call to the next.
    pub(super) fn out_until(&mut self, day: f64) -> Option<f64> {
        while let Some((from, until)) = self.outages.last() {
            if *until > day {
                return (*from <= day).then_some(*until);
            }
            self.outages.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Effects, Mains};

    #[test]
    fn the_voltage_keeps_the_norm_and_most_of_it_is_near() {
        let (mut within_ten, mut all) = (0, 0);
        for seed in 0..200 {
            let (mains, _) = Mains::draw(seed, 365.0, Effects::ALL);
            for hour in 0..200 {
                let volts = mains.volts(20_000.0 + f64::from(hour) / 3.0);
                assert!((195.5..=253.0).contains(&volts), "{volts}");
                all += 1;
                within_ten += u32::from((207.0..=253.0).contains(&volts));
            }
        }
        assert!(f64::from(within_ten) > 0.95 * f64::from(all));
    }

    #[test]
    fn outages_are_found_in_order() {
        let (mut mains, episodes) = Mains::draw(4, 3_650.0, Effects::ALL);
        let outages: Vec<_> = episodes.iter().filter(|one| one.until_day < 1e9).collect();
        assert!(outages.len() > 10);
        let far = outages.windows(2).filter(|pair| pair[0].until_day < pair[1].from_day);
        for outage in far.map(|pair| pair[0]) {
            let middle = (outage.from_day + outage.until_day) / 2.0;
            assert_eq!(mains.out_until(middle), Some(outage.until_day));
        }
        assert_eq!(mains.out_until(4_000.0), None);
    }
}
