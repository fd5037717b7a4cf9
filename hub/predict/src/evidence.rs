//! The recent past that a ticket's chart is drawn from.

use std::collections::VecDeque;

use hub_core::prediction::{Evidence, EvidencePoint, FaultPrediction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// The last model steps, bounded by the manifest's `evidence_points`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    points: VecDeque<Point>,
}

/// One step. Single precision: these numbers are drawn, not computed with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    at: Timestamp,
    score: f32,
    values: Vec<f32>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self {
            points: VecDeque::new(),
        }
    }

    /// Adds a step; a value that was never known is drawn as 0.
    pub(crate) fn push(&mut self, at: Timestamp, score: f32, values: &[Option<f64>], manifest: &Manifest) {
        let values = values.iter().map(|v| v.unwrap_or(0.0) as f32).collect();
        self.points.push_back(Point { at, score, values });
        while self.points.len() > manifest.persistence.evidence_points {
            self.points.pop_front();
        }
    }

    pub(crate) fn evidence(&self, manifest: &Manifest, prediction: &FaultPrediction) -> Evidence {
        let position = |name: &str| manifest.features.iter().position(|f| f.name == name);
        let shown: Vec<(usize, _)> = prediction
            .top
            .iter()
            .filter_map(|c| Some((position(&c.channel)?, c.clone())))
            .collect();
        let points = self.points.iter().map(|point| EvidencePoint {
            at: point.at,
            score: point.score,
            values: shown.iter().map(|(i, _)| shortest(point.values[*i])).collect(),
        });
        Evidence {
            points: points.collect(),
            channels: shown.iter().map(|(_, c)| c.clone()).collect(),
            anomalous_since: prediction.since,
        }
    }
}

/// The double with the fewest digits that still is this single: 1.23 instead of 1.2300000190734863.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
