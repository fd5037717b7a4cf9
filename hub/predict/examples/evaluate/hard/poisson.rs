//! Exact bounds of a count (Garwood, Biometrika 28, 1936).

/// Chance on each side.
const SIDE: f64 = 0.025;

/// Bounds of the mean of a count, 95 %.
pub fn bounds(count: u32) -> (f64, f64) {
    let lower = match count {
        0 => 0.0,
        _ => mean_with(|mean| 1.0 - up_to(count - 1, mean), SIDE, count),
    };
    (lower, mean_with(|mean| -up_to(count, mean), -SIDE, count))
}

/// The mean at which a rising function of it reaches a value.
fn mean_with(rising: impl Fn(f64) -> f64, value: f64, count: u32) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * f64::from(count) + 20.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if rising(middle) < value {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

/// Chance of a count of at most `most`.
fn up_to(most: u32, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut sum = term;
    for k in 1..=most {
        term *= mean / f64::from(k);
        sum += term;
    }
    sum
}
