//! A pump rig's readings as the shipped model knows them: sound with some noise, or while a valve closes. The same unit and
//! number always give the same reading.

use crate::hub::{Lab, project};
use agent_sdk_wire::{BatchEncoder, Header, MAX_MESSAGE_BYTES, TelemetryEncoder, TimeBase, Value};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::fmt::Write;

/// The appliance profile, and the model's family.
pub const PROFILE: &str = "pump-rig";
/// Readings are this far apart; the model's step.
pub const STEP_MS: i64 = 1_000;
/// Readings that fit into one message with room.
pub const BATCH: usize = 50;

/// A channel as the profile has it, with what a sound rig measures: stored integers around the mean.
pub struct Channel {
    /// Its name in JSON.
    pub name: &'static str,
    /// Digits behind the point.
    pub decimals: u8,
    /// In units of the last digit.
    pub mean: i32,
    /// At most so far from it.
    pub spread: i32,
}

const fn channel(name: &'static str, decimals: u8, mean: i32, spread: i32) -> Channel {
    Channel {
        name,
        decimals,
        mean,
        spread,
    }
}

/// All of them, in the order of their ids.
pub const CHANNELS: [Channel; 8] = [
    channel("Accelerometer1RMS", 7, 270_000, 6_000),
    channel("Accelerometer2RMS", 7, 400_000, 9_000),
    channel("Current", 6, 900_000, 120_000),
    channel("Pressure", 6, 200_000, 60_000),
    channel("Temperature", 4, 700_000, 6_000),
    channel("Thermocouple", 4, 250_000, 1_500),
    channel("Voltage", 3, 230_000, 5_000),
    channel(FLOW, 6, 32_000_000, 500_000),
];
const FLOW: &str = "Volume Flow RateRMS";
/// What is left of the flow behind a valve that is nearly closed, in percent.
const FLOW_LEFT: i32 = 60;

/// One reading: a stored integer of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading([i32; CHANNELS.len()]);

impl Reading {
    /// What the unit measures as its n-th reading.
    pub fn new(unit: u64, number: u64, is_worn: bool) -> Self {
        let mut values = [0; CHANNELS.len()];
        for (at, (value, channel)) in values.iter_mut().zip(&CHANNELS).enumerate() {
            // The mean of two draws: most readings lie near the middle.
            let draw = |salt: u64| {
                let drawn = chance(unit, number << 8 | (at as u64) << 1 | salt);
                (drawn % (2 * channel.spread as u64 + 1)) as i32 - channel.spread
            };
            *value = channel.mean + (draw(0) + draw(1)) / 2;
            if is_worn && channel.name == FLOW {
                *value = *value / 100 * FLOW_LEFT;
            }
        }
        Self(values)
    }

    /// A stored integer of each channel.
    pub fn stored(&self) -> &[i32; CHANNELS.len()] {
        &self.0
    }

    /// Writes it as telemetry JSON with its time.
    pub fn write_json(&self, ts_ms: i64, into: &mut Vec<u8>) {
        let mut text = format!("{{\"ts\":{ts_ms},\"values\":{{");
        for (n, (value, channel)) in self.0.iter().zip(&CHANNELS).enumerate() {
            let comma = if n > 0 { "," } else { "" };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}\"{}\":", channel.name);
            decimal(*value, channel.decimals, &mut text);
        }
        text.push_str("}}");
        into.extend_from_slice(text.as_bytes());
    }

    fn values(&self) -> [(u8, Value); CHANNELS.len()] {
        let mut values = [(0, Value::Int(0)); CHANNELS.len()];
        for (at, (value, channel)) in values.iter_mut().zip(&CHANNELS).enumerate() {
            let number = f64::from(self.0[at]) / 10f64.powi(i32::from(channel.decimals));
            *value = (at as u8 + 1, Value::at_resolution(number, channel.decimals));
        }
        values
    }
}

/// Telemetry CBOR of readings that follow each other by [`STEP_MS`], at most [`BATCH`].
///
/// # Errors
/// They do not fit.
pub fn cbor(boot_id: u64, seq: u64, t0_ms: i64, readings: &[Reading]) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let header = Header {
        time_base: TimeBase::Utc,
        boot_id,
        seq,
        t0_ms,
    };
    let mut encoder = TelemetryEncoder::new(&mut buffer, &header)?;
    for (n, reading) in readings.iter().enumerate() {
        encoder.push(u32::try_from(n)? * STEP_MS as u32, &reading.values())?;
    }
    Ok(encoder.finish()?.to_vec())
}

/// The same as [`cbor`], in columns.
///
/// # Errors
/// They do not fit.
pub fn batch(boot_id: u64, seq: u64, t0_ms: i64, readings: &[Reading]) -> Result<Vec<u8>> {
    let mut buffer = [0; MAX_MESSAGE_BYTES];
    let header = Header {
        time_base: TimeBase::Utc,
        boot_id,
        seq,
        t0_ms,
    };
    let times = (0..u32::try_from(readings.len())?).map(|n| n * STEP_MS as u32);
    let mut encoder = BatchEncoder::new(&mut buffer, &header, times)?;
    for (at, channel) in (1..=CHANNELS.len() as u8).enumerate() {
        encoder.column(channel, readings.iter().map(|reading| Some(reading.0[at])))?;
    }
    Ok(encoder.finish()?.to_vec())
}

/// With how many of these readings, a step apart, the model's alarm stands for the first time; `None` if it never does. Asks
/// `forecall score`, which is the hub's own detector.
///
/// # Errors
/// The program does not score them.
pub async fn alarm_after(lab: &Lab, readings: &[Reading]) -> Result<Option<usize>> {
    let path = |name: &str| lab.path().join(name).display().to_string();
    let (input, output) = (path("rig.csv"), path("rig-scored.csv"));
    let names: Vec<&str> = CHANNELS.iter().map(|channel| channel.name).collect();
    let mut text = format!("timestamp,{}\n", names.join(","));
    for (n, reading) in readings.iter().enumerate() {
        let at = Timestamp::from_millisecond(i64::try_from(n)? * STEP_MS)?;
        let _ = write!(text, "{at}");
        for (value, channel) in reading.0.iter().zip(&CHANNELS) {
            text.push(',');
            decimal(*value, channel.decimals, &mut text);
        }
        text.push('\n');
    }
    std::fs::write(&input, text)?;
    let models = project().join("models").display().to_string();
    let files = ["--input", &input, "--output", &output, "--models", &models];
    lab.run(&[["score", "--family", PROFILE].as_slice(), files.as_slice()].concat())
        .await?;
    let scored = std::fs::read_to_string(&output)?;
    let mut alarms = Vec::new();
    for line in scored.lines().skip(1) {
        alarms.push(line.split(',').nth(2).context("a row without an alarm column")? == "1");
    }
    Ok(alarms.iter().position(|alarm| *alarm).map(|first| first + 1))
}

fn decimal(value: i32, decimals: u8, text: &mut String) {
    let one = 10_i32.pow(u32::from(decimals));
    // No channel here goes below zero.
    let _ = write!(
        text,
        "{}.{:0width$}",
        value / one,
        value % one,
        width = usize::from(decimals)
    );
}

/// A number that looks like chance and is the same each time.
fn chance(one: u64, other: u64) -> u64 {
    let mixed = one.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ other.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::{CHANNELS, Reading, cbor};

    #[test]
    fn the_channels_are_those_of_the_profile() {
        let profile = tests_world::profiles::pump_rig();
        let ours = CHANNELS.iter().map(|channel| (channel.name, channel.decimals));
        assert!(ours.eq(profile.channels.iter().map(|c| (c.name.as_str(), c.decimals))));
    }

    #[test]
    fn json_and_cbor_say_the_same() {
        let reading = Reading::new(7, 3, true);
        let at_ms = 1_764_000_000_000;
        let mut json = Vec::new();
        reading.write_json(at_ms, &mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let cbor = agent_sdk_wire::decode_telemetry(&cbor(1, 2, at_ms, &[reading]).unwrap()).unwrap();
        assert_eq!((json["ts"].as_i64(), cbor.t0_ms), (Some(at_ms), at_ms));
        for (at, channel) in CHANNELS.iter().enumerate() {
            let scale = 10f64.powi(i32::from(channel.decimals));
            let said = json["values"][channel.name].as_f64().unwrap();
            for value in [said, cbor.samples[0].values[at].1] {
                assert_eq!((value * scale).round() as i32, reading.0[at], "{}", channel.name);
            }
        }
    }
}
