//! The recent past that a ticket's chart is drawn from. Older points are packed, in memory and in a checkpoint alike, so that
//! a detector that was restored draws what one draws that was never interrupted.

use std::collections::VecDeque;

use hub_core::prediction::{Evidence, EvidencePoint, FaultPrediction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::pack::{self, Unpack};

/// Points that are packed together.
const BLOCK: usize = 24;
/// Numbers beyond this are drawn as this.
const LARGEST: f32 = 1e30;

/// The last model steps: the manifest's `evidence_points`, and less than a block more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    /// Blocks of points, the oldest first: times, then a column of scores, then one for each feature.
    packed: VecDeque<Box<[u8]>>,
    /// Milliseconds of the newest points, fewer than a block.
    times: Vec<i64>,
    /// Of each of these the score and the value of each feature. Single precision: they are drawn, not computed with.
    numbers: Vec<f32>,
}

/// A point as it is drawn: the score, then the value of each feature.
struct Drawn {
    at: Timestamp,
    numbers: Vec<f64>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self {
            packed: VecDeque::new(),
            times: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Adds a step; a value that was never known is drawn as 0.
    pub(crate) fn push(&mut self, at: Timestamp, score: f32, values: &[Option<f64>], manifest: &Manifest) {
        self.times.push(at.as_millisecond());
        self.numbers.push(finite(score));
        self.numbers
            .extend(values.iter().map(|value| finite(value.unwrap_or(0.0) as f32)));
        if self.times.len() == BLOCK {
            self.pack(values.len() + 1);
        }
        let wanted = manifest.persistence.evidence_points;
        while self.packed.len().saturating_sub(1) * BLOCK + self.times.len() >= wanted && !self.packed.is_empty() {
            self.packed.pop_front();
        }
    }

    fn pack(&mut self, columns: usize) {
        let mut block = Vec::new();
        pack::put_times(&mut block, &self.times);
        for column in 0..columns {
            let numbers: Vec<f32> = self.numbers.iter().skip(column).step_by(columns).copied().collect();
            pack::put_column(&mut block, &numbers);
        }
        self.packed.push_back(block.into_boxed_slice());
        self.times.clear();
        self.numbers.clear();
    }

    /// Whether it may be that of a model with so many features.
    pub(crate) fn fits(&self, features: usize) -> bool {
        self.times.len() < BLOCK && self.numbers.len() == self.times.len() * (features + 1)
    }

    pub(crate) fn evidence(&self, manifest: &Manifest, prediction: &FaultPrediction) -> Evidence {
        let position = |name: &str| manifest.features.iter().position(|f| f.name == name);
        let shown: Vec<(usize, _)> = prediction
            .top
            .iter()
            .filter_map(|c| Some((position(&c.channel)?, c.clone())))
            .collect();
        let drawn = self.drawn(manifest.features.len() + 1);
        let surplus = drawn.len().saturating_sub(manifest.persistence.evidence_points);
        let points = drawn.into_iter().skip(surplus).map(|point| EvidencePoint {
            at: point.at,
            score: point.numbers[0] as f32,
            values: shown.iter().map(|(i, _)| point.numbers[i + 1]).collect(),
        });
        Evidence {
            points: points.collect(),
            channels: shown.iter().map(|(_, c)| c.clone()).collect(),
            anomalous_since: prediction.since,
        }
    }

    /// All points; a block that does not read is left out.
    fn drawn(&self, columns: usize) -> Vec<Drawn> {
        let packed = self.packed.iter().filter_map(|block| unpack(block, columns)).flatten();
        let newest = self.times.iter().zip(self.numbers.chunks_exact(columns));
        let newest = newest.filter_map(|(time, numbers)| {
            let numbers = numbers.iter().map(|number| pack::shortest(*number)).collect();
            point(*time, numbers)
        });
        packed.chain(newest).collect()
    }
}

fn unpack(block: &[u8], columns: usize) -> Option<Vec<Drawn>> {
    let mut unpack = Unpack(block);
    let times = unpack.times(BLOCK)?;
    let columns: Vec<Vec<f64>> = (0..columns).map(|_| unpack.column(BLOCK)).collect::<Option<_>>()?;
    let row = |i: usize| columns.iter().map(|column| column[i]).collect();
    times.iter().enumerate().map(|(i, time)| point(*time, row(i))).collect()
}

fn point(milliseconds: i64, numbers: Vec<f64>) -> Option<Drawn> {
    let at = Timestamp::from_millisecond(milliseconds).ok()?;
    Some(Drawn { at, numbers })
}

/// A number that can be drawn.
fn finite(number: f32) -> f32 {
    if number.is_nan() {
        0.0
    } else {
        number.clamp(-LARGEST, LARGEST)
    }
}
