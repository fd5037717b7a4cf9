//! The distribution function of the beta distribution. A crate for it would bring all distributions along; this is all that is needed.

/// Terms of the continued fraction, at most; for parameters up to some thousands a hundred are enough.
const TERMS_MAX: u32 = 500;
/// Relative change at which it has converged.
const PRECISION: f64 = 1e-14;
/// Stands in for a denominator of nothing.
const TINY: f64 = 1e-300;

/// Probability that a share with the distribution Beta(`a`, `b`) is at most `x`: the regularised incomplete beta function
/// (NIST Digital Library of Mathematical Functions, 8.17). `a` and `b` above 0, `x` from 0 to 1.
pub(super) fn at_most(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on one side of the mean; on the other one the share that is left is computed (8.17.4).
    let is_above = x > (a + 1.0) / (a + b + 2.0);
    let (x, a, b) = if is_above { (1.0 - x, b, a) } else { (x, a, b) };
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let share = front.exp() / (a * fraction(x, a, b));
    if is_above { 1.0 - share } else { share }
}

/// The continued fraction 1 + d₁/(1 + d₂/(1 + …)) of 8.17.22, by the modified method of Lentz (Thompson and Barnett, Journal of
/// Computational Physics 64, 1986).
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let keep = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for term in 1..=TERMS_MAX {
        let m = f64::from(term / 2);
        let numerator = if term % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / keep(1.0 + numerator * d);
        c = keep(1.0 + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

/// Logarithm of the gamma function of `x` above 0: Stirling's series (5.11.1) from 10 on, below it by recurrence (5.5.1).
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - inverse * (1.0 / 360.0 - inverse * (1.0 / 1_260.0 - inverse * (1.0 / 1_680.0 - inverse / 1_188.0))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::{at_most, ln_gamma};

    #[test]
    fn the_gamma_function_of_whole_and_half_numbers() {
        let factorials = [(1.0, 1.0_f64), (2.0, 1.0), (5.0, 24.0), (11.0, 3_628_800.0)];
        for (x, factorial) in factorials {
            assert!((ln_gamma(x) - factorial.ln()).abs() < 1e-12, "{x}");
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
    }

    #[test]
    fn known_values_and_both_sides_agree() {
        for x in [0.01, 0.3, 0.9, 0.999] {
            assert!((at_most(x, 1.0, 1.0) - x).abs() < 1e-12, "uniform");
            assert!((at_most(x, 7.0, 1.0) - x.powi(7)).abs() < 1e-12, "a power");
            assert!((at_most(x, 1.0, 7.0) - (1.0 - (1.0 - x).powi(7))).abs() < 1e-12);
            // Binomial sum: at most x of Beta(2, 3) is at least two of four.
            let q = 1.0 - x;
            let binomial = 6.0 * x * x * q * q + 4.0 * x.powi(3) * q + x.powi(4);
            assert!((at_most(x, 2.0, 3.0) - binomial).abs() < 1e-12);
            for (a, b) in [(0.5, 0.5), (9.0, 1.0), (31.5, 2.25), (900.0, 90.0)] {
                assert!((at_most(x, a, b) + at_most(1.0 - x, b, a) - 1.0).abs() < 1e-12);
            }
        }
        let arc_sine = |x: f64| 2.0 / std::f64::consts::PI * x.sqrt().asin();
        assert!((at_most(0.3, 0.5, 0.5) - arc_sine(0.3)).abs() < 1e-12);
        assert_eq!((at_most(0.0, 2.0, 3.0), at_most(1.0, 2.0, 3.0)), (0.0, 1.0));
    }
}
