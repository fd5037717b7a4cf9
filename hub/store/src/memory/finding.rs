//! Findings as they are kept.

use super::state::State;
use hub_core::finding::{Finding, FindingState};
use hub_core::id::{ApplianceId, FindingId};
use hub_core::prediction::{Contribution, Evidence, FaultPrediction};
use jiff::Timestamp;

/// Most points of an evidence series that are kept.
const EVIDENCE_POINTS_MAX: usize = 300;
/// Most sensors named by a prediction.
const TOP_MAX: usize = 5;
/// Findings that get their ticket at the end of a cool-down with one batch.
const DUE_MAX: usize = 100;

impl State {
    /// Open findings of an appliance, oldest first.
    pub(super) fn open_findings(&self, appliance: ApplianceId) -> Vec<Finding> {
        let open = |finding: &&Finding| finding.appliance == appliance && finding.state == FindingState::Open;
        let mut found: Vec<Finding> = self.findings.values().filter(open).cloned().collect();
        found.sort_by_key(|finding| (finding.first_seen, finding.id));
        found
    }

    /// Appliances with an open finding whose cool-down has ended without a ticket; the longest due first.
    pub(super) fn findings_due(&self, now: Timestamp) -> Vec<ApplianceId> {
        let waits = |finding: &&Finding| finding.state == FindingState::Open && finding.ticket.is_none();
        let mut due: Vec<(Timestamp, FindingId, ApplianceId)> = self
            .findings
            .values()
            .filter(waits)
            .filter_map(|finding| Some((finding.suppressed_until?, finding.id, finding.appliance)))
            .filter(|(until, ..)| *until <= now)
            .collect();
        due.sort_unstable();
        due.into_iter()
            .take(DUE_MAX)
            .map(|(_, _, appliance)| appliance)
            .collect()
    }

    /// Until when a person's "false alarm" keeps this fault of this appliance quiet.
    pub(super) fn suppressed_until(&self, appliance: ApplianceId, class: &str, now: Timestamp) -> Option<Timestamp> {
        let same = |finding: &&Finding| finding.appliance == appliance && finding.fault_class == class;
        let until = self
            .findings
            .values()
            .filter(same)
            .filter_map(|finding| finding.suppressed_until);
        until.max().filter(|until| *until > now)
    }
}

/// What a model says, within the bounds, and without the infinities that JSON cannot hold and nobody could read back.
pub(super) fn bounded(mut prediction: FaultPrediction, mut evidence: Evidence) -> (FaultPrediction, Evidence) {
    prediction.probability = finite32(prediction.probability).clamp(0.0, 1.0);
    prediction.score = finite32(prediction.score);
    prediction.top.truncate(TOP_MAX);
    evidence.channels.truncate(TOP_MAX);
    prediction.top.iter_mut().for_each(finite_contribution);
    evidence.channels.iter_mut().for_each(finite_contribution);
    let over = evidence.points.len().saturating_sub(EVIDENCE_POINTS_MAX);
    evidence.points.drain(..over);
    for point in &mut evidence.points {
        point.score = finite32(point.score);
        point.values.iter_mut().for_each(finite64);
    }
    (prediction, evidence)
}

fn finite_contribution(contribution: &mut Contribution) {
    contribution.share = finite32(contribution.share);
    finite64(&mut contribution.value);
    finite64(&mut contribution.baseline_mean);
    finite64(&mut contribution.baseline_deviation);
}

/// Beyond these a stored number does not come back: JSON would spell it out in hundreds of digits.
const LARGEST_32: f32 = 1e30;
const LARGEST_64: f64 = 1e100;

fn finite32(value: f32) -> f32 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_32, LARGEST_32)
    }
}

fn finite64(value: &mut f64) {
    *value = if value.is_nan() {
        0.0
    } else {
        value.clamp(-LARGEST_64, LARGEST_64)
    };
}
