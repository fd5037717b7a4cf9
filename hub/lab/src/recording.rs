//! A recording that no appliance made, for trying `score` and `replay` without one. Pure: the same seed gives the same file. It
//! knows the columns of the profile `pump-rig`, and no model.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Rows of a recording, one a second.
pub const ROWS: u32 = 1_200;
/// The pump is sound for so many rows; then its flow falls.
pub const SOUND_ROWS: u32 = 600;
/// For so many rows the flow falls; then it stays as it is.
const FALLING_ROWS: u32 = 300;
/// The part of the flow that is lost in the end.
const FLOW_LOST: f64 = 0.4;
/// A pump's own mean differs from that of all pumps by at most this part of it.
const OF_THE_UNIT: f64 = 0.05;
/// Time of the first row: 2 March 2026, 08:00 UTC.
const START: Timestamp = Timestamp::constant(1_772_438_400, 0);
const FLOW: &str = "Volume Flow RateRMS";

/// A column: what a sound pump measures.
struct Channel {
    name: &'static str,
    /// Digits behind the point.
    decimals: usize,
    mean: f64,
    /// At most so far from the unit's own mean.
    spread: f64,
}

const fn channel(name: &'static str, decimals: usize, mean: f64, spread: f64) -> Channel {
    Channel {
        name,
        decimals,
        mean,
        spread,
    }
}

const CHANNELS: [Channel; 8] = [
    channel("Accelerometer1RMS", 5, 0.027, 0.0006),
    channel("Accelerometer2RMS", 5, 0.04, 0.0009),
    channel("Current", 4, 0.9, 0.12),
    channel("Pressure", 4, 0.2, 0.06),
    channel("Temperature", 2, 70.0, 0.6),
    channel("Thermocouple", 3, 25.0, 0.15),
    channel("Voltage", 2, 230.0, 5.0),
    channel(FLOW, 3, 32.0, 0.5),
];

/// Twenty minutes of a pump as CSV: sound for ten, then a valve closes slowly. The last column says in each row that it is simulated.
pub fn pump(seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let means = CHANNELS.map(|channel| channel.mean * (1.0 + OF_THE_UNIT * around_zero(&mut random)));
    let names = CHANNELS.map(|channel| channel.name).join(",");
    let mut text = format!("timestamp,{names},simulated\n");
    for row in 0..ROWS {
        let at = START + SignedDuration::from_secs(i64::from(row));
        // Writing to a string does not fail.
        let _ = write!(text, "{at}");
        for (channel, mean) in CHANNELS.iter().zip(means) {
            let sound = mean + channel.spread * around_zero(&mut random);
            let left = if channel.name == FLOW { flow_left(row) } else { 1.0 };
            let _ = write!(text, ",{:.*}", channel.decimals, sound * left);
        }
        text.push_str(",yes\n");
    }
    text
}

/// The part of its flow that a pump has left in a row.
fn flow_left(row: u32) -> f64 {
    let fallen = row.saturating_sub(SOUND_ROWS).min(FALLING_ROWS);
    1.0 - FLOW_LOST * f64::from(fallen) / f64::from(FALLING_ROWS)
}

/// Between −1 and 1, and more often near 0.
fn around_zero(random: &mut ChaCha8Rng) -> f64 {
    random.random::<f64>() + random.random::<f64>() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_channels_of_the_profile() {
        let profile = tests_world::profiles::pump_rig();
        let names: Vec<&str> = profile.channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(CHANNELS.map(|channel| channel.name).as_slice(), names);
        let recording = pump(1);
        for row in recording.lines().skip(1) {
            let fields: Vec<&str> = row.split(',').collect();
            let values = fields[1..=CHANNELS.len()]
                .iter()
                .map(|field| field.parse::<f64>().unwrap());
            for (channel, value) in profile.channels.iter().zip(values) {
                assert!((channel.min..=channel.max).contains(&value), "{} {value}", channel.name);
            }
        }
    }

    #[test]
    fn a_seed_is_a_pump_and_every_row_says_that_it_is_simulated() {
        let recording = pump(7);
        assert_eq!(recording, pump(7));
        assert_ne!(recording, pump(8));
        let rows: Vec<&str> = recording.lines().collect();
        assert_eq!(rows.len(), ROWS as usize + 1);
        assert!(rows[1].starts_with("2026-03-02T08:00:00Z,"), "{}", rows[1]);
        assert!(rows[0].ends_with(",simulated") && rows[1..].iter().all(|row| row.ends_with(",yes")));
        assert_eq!((flow_left(0), flow_left(SOUND_ROWS), flow_left(ROWS)), (1.0, 1.0, 0.6));
    }
}
