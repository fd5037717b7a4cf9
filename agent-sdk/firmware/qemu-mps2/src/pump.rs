//! A pump rig as the profile `pump-rig` describes it, sound or behind a valve that is nearly closed. The same unit and number
//! always give the same reading, and the same as `tests/hub/src/rig.rs` gives: a test compares what was stored, value by value.

/// Readings are this far apart, which is the step of the rig's model.
pub const STEP_MS: u64 = 1_000;

/// Channels of the profile, by id less one: the mean in stored integers, and how far from it a sound rig measures.
const CHANNELS: [(i32, i32); 8] = [
    (270_000, 6_000),
    (400_000, 9_000),
    (900_000, 120_000),
    (200_000, 60_000),
    (700_000, 6_000),
    (250_000, 1_500),
    (230_000, 5_000),
    (32_000_000, 500_000),
];
/// How many there are; their ids begin at 1.
pub const CHANNEL_COUNT: u8 = CHANNELS.len() as u8;
/// The channel of the flow, and what is left of it in percent when the pump is worn.
const FLOW: usize = 7;
const FLOW_LEFT: i32 = 60;

/// A pump.
#[derive(Clone, Copy)]
pub struct Pump {
    /// Tells one rig from another.
    pub unit: u64,
    /// From this reading on it is worn.
    pub worn_from: u64,
}

impl Pump {
    /// Its reading of a number: a stored integer of each channel, by id less one.
    pub fn read(&self, number: u64) -> [i32; CHANNELS.len()] {
        let mut values = [0; CHANNELS.len()];
        for (at, (value, (mean, spread))) in values.iter_mut().zip(CHANNELS).enumerate() {
            // The mean of two draws: most readings lie near the middle.
            let draw = |salt: u64| {
                let drawn = chance(self.unit, number << 8 | (at as u64) << 1 | salt);
                (drawn % (2 * spread as u64 + 1)) as i32 - spread
            };
            *value = mean + (draw(0) + draw(1)) / 2;
            if number >= self.worn_from && at == FLOW {
                *value = *value / 100 * FLOW_LEFT;
            }
        }
        values
    }
}

/// A number that looks like chance and is the same each time.
fn chance(one: u64, other: u64) -> u64 {
    let mixed = one.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ other.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 32
}
