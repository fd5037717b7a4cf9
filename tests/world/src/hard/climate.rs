//! Room air and tap water of one home.

use super::draw::{Stream, generator, wander};
use super::effect::{Effect, Effects};
use super::figure::{ASSUMED, Figure};
use crate::noise::normal;
use std::f64::consts::TAU;

const YEAR_DAYS: f64 = 365.25;
/// The end of July, as a share of the year.
const WARMEST: f64 = 0.57;

const ROOM: Figure = Figure::base(
    "home",
    "yearly mean of the room, °C (95 % of homes)",
    18.0,
    24.0,
    ASSUMED,
);
const ROOM_SEASON: Figure = Figure::new(
    Effect::Season,
    "half of the difference between summer and winter in the room, K",
    1.0,
    6.0,
    ASSUMED,
);
const ROOM_WEATHER: Figure = Figure::new(
    Effect::Season,
    "weather in the room, K, one standard deviation",
    0.5,
    1.8,
    ASSUMED,
);
const ROOM_LIMITS: Figure = Figure::new(Effect::Season, "room at any time, °C", 10.0, 36.0, ASSUMED);
const INLET: Figure = Figure::base("home", "yearly mean of the tap water, °C", 11.0, 17.0, ASSUMED);
const INLET_SEASON: Figure = Figure::new(
    Effect::Season,
    "half of the difference between summer and winter in the tap water, K",
    3.0,
    9.0,
    ASSUMED,
);
const INLET_LAG: Figure = Figure::new(
    Effect::Season,
    "lag of the tap water behind the air, weeks",
    4.0,
    6.0,
    ASSUMED,
);
const INLET_LIMITS: Figure = Figure::new(Effect::Season, "tap water at any time, °C", 3.0, 28.0, ASSUMED);

/// Ranges of this file.
#[cfg(test)]
pub(super) const FIGURES: &[Figure] = &[
    ROOM,
    ROOM_SEASON,
    ROOM_WEATHER,
    ROOM_LIMITS,
    INLET,
    INLET_SEASON,
    INLET_LAG,
    INLET_LIMITS,
];

/// The climate of one home.
#[derive(Debug, Clone)]
pub(super) struct Climate {
    seed: u64,
    room_c: f64,
    room_season_k: f64,
    weather_k: f64,
    inlet_c: f64,
    inlet_season_k: f64,
    inlet_lag_days: f64,
}

impl Climate {
    pub(super) fn draw(seed: u64, effects: Effects) -> Self {
        let rng = &mut generator(seed, Stream::Effect(Effect::Season));
        let seasons = f64::from(u8::from(effects.has(Effect::Season)));
        Self {
            seed,
            room_c: normal(rng, f64::midpoint(ROOM.low, ROOM.high), (ROOM.high - ROOM.low) / 4.0),
            room_season_k: seasons * ROOM_SEASON.draw(rng),
            weather_k: seasons * ROOM_WEATHER.draw(rng),
            inlet_c: INLET.draw(rng),
            inlet_season_k: seasons * INLET_SEASON.draw(rng),
            inlet_lag_days: 7.0 * INLET_LAG.draw(rng),
        }
    }

    /// Air in the room, °C, by local days since 1970; warmest at three in the afternoon.
    pub(super) fn room_c(&self, local_day: f64) -> f64 {
        let hour = (TAU * (local_day - 15.0 / 24.0)).cos();
        let weather = self.weather_k * wander(self.seed ^ 0x7765_6174, local_day / 2.0);
        let room_c = self.room_c + self.room_season_k * season(local_day) + 0.8 * hour + weather;
        room_c.clamp(ROOM_LIMITS.low, ROOM_LIMITS.high)
    }

    /// Tap water, °C.
    pub(super) fn inlet_c(&self, local_day: f64) -> f64 {
        let inlet_c = self.inlet_c + self.inlet_season_k * season(local_day - self.inlet_lag_days);
        inlet_c.clamp(INLET_LIMITS.low, INLET_LIMITS.high)
    }

    /// How humid the air is against the yearly mean.
    pub(super) fn humidity(&self, local_day: f64) -> f64 {
        1.0 + 0.4 * (self.room_season_k / ROOM_SEASON.high) * season(local_day)
    }
}

/// 1 at the end of July, -1 half a year later.
pub(super) fn season(local_day: f64) -> f64 {
    (TAU * (local_day / YEAR_DAYS - WARMEST)).cos()
}

#[cfg(test)]
mod tests {
    use super::{Climate, Effect, Effects};

    #[test]
    fn temperatures_stay_within_their_ranges_and_follow_the_year() {
        for seed in 0..100 {
            let home = Climate::draw(seed, Effects::ALL);
            let year: Vec<_> = (0..365).map(|day| 20_000.0 + f64::from(day)).collect();
            assert!(year.iter().all(|day| (10.0..=36.0).contains(&home.room_c(*day))));
            assert!(year.iter().all(|day| (3.0..=28.0).contains(&home.inlet_c(*day))));
            let spread = |of: &dyn Fn(f64) -> f64| {
                let all: Vec<_> = year.iter().map(|day| of(*day)).collect();
                all.iter().copied().fold(f64::MIN, f64::max) - all.iter().copied().fold(f64::MAX, f64::min)
            };
            assert!((5.0..19.0).contains(&spread(&|day| home.inlet_c(day))));
            let even = Climate::draw(seed, Effects::ALL.without(Effect::Season));
            assert!(spread(&|day| even.room_c(day)) < 0.1, "at one hour of the day");
        }
    }
}
