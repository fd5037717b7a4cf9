//! Random numbers from a seed: a stream of their own for every purpose, so that one draw more never shifts another.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// The unit's own constants.
    Unit,
    /// The plan of a day, by day number.
    Day(i64),
    /// One programme run, by its planned second.
    Run(i64),
    /// The weather of a day, by day number.
    Weather(i64),
}

/// The generator of a stream.
pub(crate) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Day numbers and seconds take far fewer than 62 bits.
    let (purpose, number) = match stream {
        Stream::Unit => (0, 0),
        Stream::Day(day) => (1, day),
        Stream::Run(second) => (2, second),
        Stream::Weather(day) => (3, day),
    };
    rng.set_stream((purpose << 62) | (number.cast_unsigned() & (u64::MAX >> 2)));
    rng
}

/// A draw from the normal distribution (Box and Muller, 1958).
pub(crate) fn normal(rng: &mut ChaCha8Rng, mean: f64, deviation: f64) -> f64 {
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    mean + deviation * radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
