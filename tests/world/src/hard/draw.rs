//! Random numbers: a stream of their own for every purpose, so that an effect more or less shifts no other draw.

use super::effect::Effect;
use crate::noise::normal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// The unit's own constants.
    Unit,
    /// One effect.
    Effect(Effect),
    /// Habits of the household of this number.
    Habits(u64),
    /// The runs of a week.
    Week(u64),
    /// What is drawn for the run of this number.
    Run(u64),
    /// Noise of the readings of that run.
    RunNoise(u64),
    /// Noise of the readings outside of runs.
    Noise,
    /// Scatter of a noisy sensor.
    Sensors,
    /// Delivery of rows.
    Delivery,
    /// Faults of the unit.
    Fault,
    /// Places to which the unit is moved.
    Place,
    /// What the fleet has in common: firmware and production months.
    Fleet(Effect),
}

/// The generator of a stream.
pub(super) fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (purpose, number) = match stream {
        Stream::Unit => (0, 0),
        Stream::Effect(effect) => (1, effect as u64),
        Stream::Habits(household) => (2, household),
        Stream::Week(week) => (3, week),
        Stream::Run(run) => (4, run),
        Stream::RunNoise(run) => (5, run),
        Stream::Noise => (6, 0),
        Stream::Sensors => (7, 0),
        Stream::Delivery => (8, 0),
        Stream::Fault => (9, 0),
        Stream::Place => (10, 0),
        Stream::Fleet(effect) => (11, effect as u64),
    };
    rng.set_stream((purpose << 48) | number);
    rng
}

/// A seed from a seed and a number (the finaliser of splitmix64, Steele 2014).
pub(super) const fn mix(seed: u64, number: u64) -> u64 {
    let mut x = seed ^ number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number in [0, 1) that belongs to a seed and a number.
pub(super) fn share(seed: u64, number: u64) -> f64 {
    (mix(seed, number) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Something that wanders: about normal with deviation 1 at every whole number, straight lines between.
pub(super) fn wander(seed: u64, at: f64) -> f64 {
    let draw = |place: i64| {
        let place = place.cast_unsigned().wrapping_mul(3);
        // The sum of three uniform draws has the variance 1/4.
        2.0 * ((0..3).map(|n| share(seed, place.wrapping_add(n))).sum::<f64>() - 1.5)
    };
    let (whole, part) = (at.floor() as i64, at - at.floor());
    draw(whole) * (1.0 - part) + draw(whole + 1) * part
}

/// A draw whose logarithm is normal, within two and a half deviations.
pub(super) fn lognormal(rng: &mut ChaCha8Rng, median: f64, deviation: f64) -> f64 {
    median * (deviation * normal(rng, 0.0, 1.0).clamp(-2.5, 2.5)).exp()
}

/// Number of events of a mean of at most some dozens (Knuth's product of uniform draws).
pub(super) fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> u32 {
    let (limit, mut product, mut events) = ((-mean).exp(), rng.random::<f64>(), 0);
    while product > limit && events < 1_000 {
        product *= rng.random::<f64>();
        events += 1;
    }
    events
}

/// Days of events that come at a rate a year, in order.
pub(super) fn event_days(rng: &mut ChaCha8Rng, per_year: f64, days: f64) -> Vec<f64> {
    let events = poisson(rng, per_year * days / 365.25);
    let mut found: Vec<f64> = (0..events).map(|_| days * rng.random::<f64>()).collect();
    found.sort_by(f64::total_cmp);
    found
}

/// A draw from the Beta distribution of this mean; the higher `concentration`, the nearer to it.
pub(super) fn beta(rng: &mut ChaCha8Rng, mean: f64, concentration: f64) -> f64 {
    let (a, b) = (
        gamma(rng, mean * concentration),
        gamma(rng, (1.0 - mean) * concentration),
    );
    a / (a + b)
}

/// A draw from the Gamma distribution of scale 1 (Marsaglia and Tsang 2000), for a shape of at least 1.
fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    let d = shape.max(1.0) - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng, 0.0, 1.0);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - rng.random::<f64>();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, beta, event_days, generator, lognormal, poisson, wander};

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn draws_have_the_stated_means() {
        let rng = &mut generator(1, Stream::Unit);
        let of = |draw: &mut dyn FnMut() -> f64| mean(&(0..20_000).map(|_| draw()).collect::<Vec<_>>());
        assert!((of(&mut || beta(rng, 0.55, 8.0)) - 0.55).abs() < 0.01);
        assert!((of(&mut || f64::from(poisson(rng, 4.5))) - 4.5).abs() < 0.1);
        assert!((of(&mut || lognormal(rng, 4.0, 0.5).ln()) - 4_f64.ln()).abs() < 0.02);
        assert!((of(&mut || event_days(rng, 3.0, 365.25).len() as f64) - 3.0).abs() < 0.1);
        let wandered: Vec<_> = (0..20_000).map(|n| wander(7, f64::from(n))).collect();
        let variance = mean(&wandered.iter().map(|value| value * value).collect::<Vec<_>>());
        assert!(
            mean(&wandered).abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{variance}"
        );
    }
}
