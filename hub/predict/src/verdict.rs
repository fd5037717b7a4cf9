//! What the detector says of one model step.

use hub_core::prediction::FaultPrediction;
use jiff::Timestamp;

use crate::manifest::Manifest;

/// One model step, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Event time of the step.
    pub at: Timestamp,
    /// The baseline is still being learned; no alarm is possible.
    pub calibrating: bool,
    /// Both detectors have spoken. They do not while calibrating, nor until a window is full; without a network the one has
    /// spoken of something that was measured.
    pub judged: bool,
    /// The lower of the two scores below: 1.0 means that both have reached their threshold. 0 while calibrating and
    /// until a window is full. Without a network the higher one of the unit's normal as it is now and as it was at first; of named faults
    /// the strongest in its own level, or that of what has no name.
    pub score: f32,
    /// The lowest score of the whole hold time: what would have raised an alarm. 0 while that is not over.
    pub held: f32,
    /// Distance from the unit's own baseline in units of its threshold.
    pub baseline_score: f32,
    /// Error of the autoencoder in units of its threshold; 0 without a network.
    pub autoencoder_score: f32,
    /// An alarm stands.
    pub alarm: bool,
    /// The prediction, whenever an alarm stands.
    pub prediction: Option<FaultPrediction>,
    /// Other faults that are seen apart from the prediction's, each on the step from which it is to be told, and again where it has grown.
    pub apart: Vec<FaultPrediction>,
    /// Each feature's share of the deviation, 0 to 1, in the order of the manifest.
    pub contributions: Vec<f32>,
    /// Value of each feature, before any transform.
    pub values: Vec<Option<f64>>,
    /// Features whose sensor is missing or stuck, as positions in the manifest.
    pub suspect: Vec<usize>,
}

/// A feature and its share of the deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorShare<'a> {
    /// Name of the feature.
    pub name: &'a str,
    /// Share of the deviation, 0 to 1.
    pub share: f32,
}

impl Verdict {
    /// The features with the largest shares, largest first, without those below 5 %.
    pub fn top<'a>(&self, manifest: &'a Manifest, most: usize) -> Vec<SensorShare<'a>> {
        let mut shares: Vec<_> = manifest
            .features
            .iter()
            .zip(&self.contributions)
            .map(|(feature, &share)| SensorShare {
                name: &feature.name,
                share,
            })
            .filter(|s| s.share >= 0.05)
            .collect();
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
        shares.truncate(most);
        shares
    }
}
