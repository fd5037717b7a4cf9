//! The course of a device, thinned out so that a page can draw it.

use super::judge::Block;
use super::report::{Baseline, Plot, PlotChannel, rounded, time_of};
use crate::generic::Channel;

/// Points of a plot.
const POINTS: usize = 240;

/// Draws the score of each block, and these channels (their number, their place in a block).
pub(crate) fn plot(
    blocks: &[Block],
    scores: &[Option<f64>],
    channels: impl Iterator<Item = (usize, usize)>,
    baselines: &[Baseline],
    known: &[Channel],
) -> Plot {
    let size = blocks.len().div_ceil(POINTS).max(1);
    let course = |(channel, place): (usize, usize)| {
        let baseline = baselines
            .iter()
            .find(|baseline| baseline.channel == known[channel].name)?;
        Some(PlotChannel {
            channel: baseline.channel.clone(),
            unit: baseline.unit.clone(),
            low: rounded(baseline.centre - baseline.floor),
            high: rounded(baseline.centre + baseline.floor),
            values: blocks.chunks(size).map(|blocks| mean(blocks, place)).collect(),
        })
    };
    Plot {
        times: blocks
            .chunks(size)
            .filter_map(|blocks| Some(time_of(blocks.last()?.at)))
            .collect(),
        score: scores
            .chunks(size)
            .map(|scores| scores.iter().flatten().copied().reduce(f64::max))
            .collect(),
        channels: channels.filter_map(course).collect(),
    }
}

fn mean(blocks: &[Block], place: usize) -> Option<f64> {
    let values = || blocks.iter().filter_map(|block| block.values[place]);
    let count = values().count();
    (count > 0).then(|| rounded(values().sum::<f64>() / count as f64))
}
