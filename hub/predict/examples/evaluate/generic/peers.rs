//! Rules that anybody has, on the same streams: a clock, an alarm that always stands, the statistics of principal components, and an
//! isolation forest. Each learns a unit's first steps, as `generic` does.

use hub_predict::generic::Channel;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::eigen::eigen;
use super::{Block, CALIBRATION, HOLD};

const SEED: u64 = 1;
/// Weight of the newest step in the moving average, as `generic` has it.
const EWMA: f64 = 0.2;
/// Weight of the identity in the correlation of so few steps.
const SHRINKAGE: f64 = 0.1;
/// Share of the variance that the components explain.
const EXPLAINED: f64 = 0.9;
/// Share of the calibration's steps below the limit of a statistic.
const LIMIT: f64 = 0.95;
/// Trees, and steps that each is grown on (Liu, Ting, Zhou: Isolation Forest, ICDM 2008).
const TREES: usize = 100;
const OF_TREE: usize = 32;

/// A rule that gives each step a score.
pub type Peer = fn(&[Vec<f64>]) -> Vec<f64>;

/// Those that a threshold is chosen for, by name.
pub const PEERS: [(&str, Peer); 2] = [
    ("T² and Q of principal components", components),
    ("isolation forest", forest),
];

/// A score for each row: the lowest of the newest steps, as many as an alarm is held for; 0 while it is learned.
pub fn scores(blocks: &[Block], channels: &[Channel], rows: usize, peer: Peer) -> Vec<f64> {
    let mut of_rows = vec![0.0; rows];
    if blocks.len() <= CALIBRATION {
        return of_rows;
    }
    let scores = peer(&standardised(blocks, channels));
    let judged = blocks.iter().skip(CALIBRATION + HOLD - 1);
    for (block, newest) in judged.zip(scores[CALIBRATION..].windows(HOLD)) {
        let held = newest.iter().copied().fold(f64::INFINITY, f64::min);
        of_rows[block.row..].fill(held);
    }
    of_rows
}

/// Steps in deviations of the calibration; a missing value is its mean.
fn standardised(blocks: &[Block], channels: &[Channel]) -> Vec<Vec<f64>> {
    let of_channel = channels.iter().enumerate().map(|(i, channel)| {
        let first: Vec<f64> = blocks
            .iter()
            .take(CALIBRATION)
            .filter_map(|block| block.means[i])
            .collect();
        let mean = first.iter().sum::<f64>() / first.len().max(1) as f64;
        let variance = first.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / first.len().max(1) as f64;
        (mean, variance.sqrt().max(10f64.powi(-i32::from(channel.decimals))))
    });
    let scale: Vec<(f64, f64)> = of_channel.collect();
    let step = |block: &Block| {
        let values = block.means.iter().zip(&scale);
        values
            .map(|(value, (mean, sd))| value.map_or(0.0, |value| (value - mean) / sd))
            .collect()
    };
    blocks.iter().map(step).collect()
}

/// Hotelling's T² within the components and the squared error Q outside of them, each as a share of its limit; the larger counts.
fn components(steps: &[Vec<f64>]) -> Vec<f64> {
    let n = steps.first().map_or(0, Vec::len);
    let mut correlation = vec![0.0; n * n];
    for step in &steps[..CALIBRATION] {
        for (row, one) in correlation.chunks_exact_mut(n.max(1)).zip(step) {
            for (sum, other) in row.iter_mut().zip(step) {
                *sum += (1.0 - SHRINKAGE) * one * other / CALIBRATION as f64;
            }
        }
    }
    (0..n).for_each(|i| correlation[i * n + i] += SHRINKAGE);
    let all = eigen(correlation, n);
    let variance: f64 = all.iter().map(|(value, _)| value).sum();
    let mut explained = 0.0;
    let kept = all.iter().take_while(|(value, _)| {
        let needed = explained < EXPLAINED * variance;
        explained += value;
        needed
    });
    let kept: Vec<_> = kept.collect();
    let mut average = vec![0.0; n];
    let statistics: Vec<(f64, f64)> = steps
        .iter()
        .map(|step| {
            average
                .iter_mut()
                .zip(step)
                .for_each(|(average, value)| *average += EWMA * (value - *average));
            let squares: f64 = average.iter().map(|v| v * v).sum();
            let (mut within, mut t2) = (0.0, 0.0);
            for (value, direction) in &kept {
                let along: f64 = average.iter().zip(direction).map(|(v, d)| v * d).sum();
                within += along * along;
                t2 += along * along / value.max(1e-9);
            }
            (t2, (squares - within).max(0.0))
        })
        .collect();
    let limit = |of: fn(&(f64, f64)) -> f64| {
        let mut first: Vec<f64> = statistics[..CALIBRATION].iter().map(of).collect();
        first.sort_by(f64::total_cmp);
        first[(LIMIT * (CALIBRATION - 1) as f64) as usize].max(1e-9)
    };
    let (t2, q) = (limit(|one| one.0), limit(|one| one.1));
    statistics.iter().map(|one| (one.0 / t2).max(one.1 / q)).collect()
}

/// A tree that parts steps at random until each stands alone.
enum Tree {
    Leaf(usize),
    Split {
        channel: usize,
        at: f64,
        parts: Box<(Tree, Tree)>,
    },
}

fn forest(steps: &[Vec<f64>]) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let trees: Vec<Tree> = (0..TREES)
        .map(|_| {
            let drawn = steps[..CALIBRATION].choose_multiple(&mut rng, OF_TREE).collect();
            grow(drawn, OF_TREE.ilog2(), &mut rng)
        })
        .collect();
    let usual = usual_depth(OF_TREE);
    let score = |step: &Vec<f64>| {
        let depth = trees.iter().map(|tree| depth(tree, step, 0.0)).sum::<f64>() / TREES as f64;
        2f64.powf(-depth / usual)
    };
    steps.iter().map(score).collect()
}

fn grow(steps: Vec<&Vec<f64>>, deeper: u32, rng: &mut ChaCha8Rng) -> Tree {
    let channels = steps.first().map_or(0, |step| step.len());
    let range = |channel: usize| {
        let values = steps.iter().map(|step| step[channel]);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let varied: Vec<usize> = (0..channels).filter(|i| range(*i).0 < range(*i).1).collect();
    let Some(channel) = varied.choose(rng).copied().filter(|_| deeper > 0 && steps.len() > 1) else {
        return Tree::Leaf(steps.len());
    };
    let (low, high) = range(channel);
    let at = rng.random_range(low..high);
    let (below, above) = steps.into_iter().partition(|step| step[channel] <= at);
    Tree::Split {
        channel,
        at,
        parts: Box::new((grow(below, deeper - 1, rng), grow(above, deeper - 1, rng))),
    }
}

fn depth(tree: &Tree, step: &[f64], so_far: f64) -> f64 {
    match tree {
        Tree::Leaf(count) => so_far + usual_depth(*count),
        Tree::Split { channel, at, parts } => {
            let part = if step[*channel] <= *at { &parts.0 } else { &parts.1 };
            depth(part, step, so_far + 1.0)
        }
    }
}

/// Mean depth at which one of so many steps stands alone.
fn usual_depth(count: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_9;
    match count {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = count as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}
