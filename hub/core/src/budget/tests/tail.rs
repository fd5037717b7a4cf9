use super::super::tail::{Tail, excesses_of, family_shape};
use super::Random;

const SCALE: f64 = 0.2;

/// Scores of which one in twenty exceeds 0 by a generalised Pareto excess of this shape, highest first.
fn falling(shape: f64, count: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut one = || {
        if random.unit() > 0.05 {
            return -random.unit();
        }
        let survival = random.unit();
        if shape == 0.0 {
            -SCALE * survival.ln()
        } else {
            SCALE / shape * (survival.powf(-shape) - 1.0)
        }
    };
    let mut scores: Vec<f64> = (0..count).map(|_| one()).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores
}

/// Level of that distribution.
fn truth(shape: f64, rate: f64) -> f64 {
    let rarer: f64 = 0.05 / rate;
    if shape == 0.0 {
        SCALE * rarer.ln()
    } else {
        SCALE / shape * (rarer.powf(shape) - 1.0)
    }
}

#[test]
fn a_tail_of_known_shape_is_found() {
    for (seed, shape) in [(1, -0.2), (2, 0.0), (3, 0.3)] {
        let tail = Tail::fit(&falling(shape, 100_000, seed), 100_000).unwrap();
        // Four standard errors of the estimate of Hosking and Wallis for 5,000 excesses are 0.04 to 0.08.
        assert!((tail.shape - shape).abs() < 0.08, "{tail:?}");
        assert!((tail.scale / SCALE - 1.0).abs() < 0.1, "{tail:?}");
        assert_eq!((tail.share, tail.excesses), (0.05, 5_000));
        for rate in [1e-2, 1e-3, 1e-4] {
            let (found, truth) = (tail.level(rate), truth(shape, rate));
            assert!(
                (found / truth - 1.0).abs() < 0.15,
                "{shape} {rate}: {found} for {truth}"
            );
        }
    }
}

#[test]
fn level_and_rate_are_each_others_inverse() {
    for (seed, shape) in [(4, -0.3), (5, 0.0), (6, 0.4)] {
        let tail = Tail::fit(&falling(shape, 20_000, seed), 20_000).unwrap();
        for rate in [4e-2, 1e-3, 5e-5] {
            assert!((tail.rate(tail.level(rate)) / rate - 1.0).abs() < 1e-9);
        }
        assert_eq!(tail.level(0.2), tail.start, "no lower than the tail");
        assert_eq!(tail.rate(tail.start - 1.0), tail.share);
    }
    let ended = Tail {
        start: 0.0,
        shape: -0.5,
        scale: 1.0,
        share: 0.05,
        excesses: 100,
    };
    assert_eq!(ended.rate(2.5), 0.0, "beyond its end");
}

#[test]
fn the_shape_stays_within_its_bounds_and_goes_towards_the_familys() {
    let heavy = Tail::fit(&falling(2.0, 2_000, 7), 2_000).unwrap();
    assert_eq!(heavy.shape, 0.6);
    let even: Vec<f64> = (0..31).rev().map(f64::from).collect();
    let tail = Tail::fit(&even, 400).unwrap();
    assert_eq!(
        (tail.shape, tail.excesses, tail.start),
        (-0.5, 30, 0.0),
        "evenly spread: it ends"
    );
    let same = Tail::fit(&[1.0; 100], 400).unwrap();
    assert!(same.shape == 0.0 && same.level(1e-6) < 1.0001);
    let mean = |tail: Tail| tail.scale / (1.0 - tail.shape);
    let pooled = tail.pooled(0.3);
    assert!((pooled.shape - (30.0 * -0.5 + 50.0 * 0.3) / 80.0).abs() < 1e-12);
    assert!((mean(pooled) - mean(tail)).abs() < 1e-12);
    assert!((family_shape([tail, heavy]) - (30.0 * -0.5 + 100.0 * 0.6) / 130.0).abs() < 1e-12);
    assert_eq!(family_shape([]), 0.0);
}

#[test]
fn a_twentieth_is_the_tail_if_that_is_enough() {
    let counts = [0, 40, 100, 400, 2_000, 100_000].map(excesses_of);
    assert_eq!(counts, [0, 10, 25, 30, 100, 5_000]);
    assert_eq!(Tail::fit(&[], 0), None);
    assert_eq!(Tail::fit(&[1.0; 10], 1_000), None, "nine excesses");
}
