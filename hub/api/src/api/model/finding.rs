//! Findings: what a model saw, and the frozen window that shows it.

use crate::api::schema;
use hub_core::finding::FindingState;
use hub_core::prediction as core;
use hub_core::release::EvidenceKind;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A fault seen in the readings of one appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Finding {
    /// Id of the finding.
    id: Uuid,
    /// Tenant that owns the finding.
    tenant: String,
    /// The appliance.
    appliance: i64,
    /// Word of the model's list, or `unknown_fault` until a class is named.
    fault_class: String,
    /// Open or cleared.
    #[schema(schema_with = schema::words::<FindingState>)]
    state: FindingState,
    /// When the hub first recorded it.
    first_seen: Timestamp,
    /// When the hub last recorded it.
    last_seen: Timestamp,
    /// Event time of the alarm that opened it.
    alarm_at: Timestamp,
    /// Predictions gathered.
    count: u32,
    /// The most certain prediction so far.
    prediction: Prediction,
    /// Frozen at the most certain prediction.
    evidence: Evidence,
    /// The ticket opened for it.
    ticket: Option<Uuid>,
    /// No ticket is opened before this.
    suppressed_until: Option<Timestamp>,
    /// Score from which a ticket is opened for it, while its own is lower: such scores are frequent in this fleet.
    ticket_from: Option<f64>,
    /// From the reading to the call.
    trace: Uuid,
}

/// What a model says at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Prediction {
    /// Word of the model's list, or `unknown_fault`.
    fault_class: String,
    /// Calibrated probability that the fault is real, 0 to 1.
    probability: f32,
    /// How bad it gets.
    #[schema(schema_with = schema::words::<core::Severity>)]
    severity: core::Severity,
    /// Verdicts that the probability stands on, besides the fleet's past; none where it is the model's own.
    verdicts: Option<Verdicts>,
    /// Highest score that was held, in units of the alarm threshold: 1.0 is the threshold.
    score: f32,
    /// Model and version.
    model: String,
    /// Kind of evidence that the model's figures stand on.
    #[schema(schema_with = schema::words::<EvidenceKind>)]
    evidence_kind: EvidenceKind,
    /// SHA-256 of that model's files, in hex.
    model_hash: Option<String>,
    /// Event time of the newest sample looked at.
    at: Timestamp,
    /// Event time from which the deviation has been seen.
    since: Timestamp,
    /// At most five sensors, largest share first.
    top: Vec<Contribution>,
    /// What a second model made of the alarm when it was opened, where there is one.
    #[schema(schema_with = schema::words::<core::SecondOpinion>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    second_opinion: Option<core::SecondOpinion>,
}

/// What people found about a family's predictions of this band.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verdicts {
    /// The predicted fault was found.
    right: u32,
    /// It was not.
    wrong: u32,
}

/// One sensor's share.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contribution {
    /// Channel or feature, as the model's manifest names it.
    channel: String,
    /// Share of the whole deviation, 0 to 1.
    share: f32,
    /// Mean of the anomalous span, in `unit`.
    value: f64,
    /// The unit's own baseline mean, in `unit`.
    baseline_mean: f64,
    /// The unit's own baseline standard deviation, in `unit`.
    baseline_deviation: f64,
    /// SenML unit.
    unit: String,
}

/// The frozen window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Evidence {
    /// The channels shown.
    channels: Vec<Contribution>,
    /// At most 300 points, oldest first.
    points: Vec<EvidencePoint>,
    /// Where the anomalous span starts.
    anomalous_since: Timestamp,
}

/// One point of the window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvidencePoint {
    /// Event time.
    at: Timestamp,
    /// Score in units of the threshold.
    score: f32,
    /// Value of each channel, in its unit; `null` where there is none.
    values: Vec<Option<f64>>,
}

impl From<hub_core::finding::Finding> for Finding {
    fn from(finding: hub_core::finding::Finding) -> Self {
        Self {
            id: finding.id.0,
            tenant: finding.tenant.into(),
            appliance: finding.appliance.0,
            fault_class: finding.fault_class,
            state: finding.state,
            first_seen: finding.first_seen,
            last_seen: finding.last_seen,
            alarm_at: finding.alarm_at,
            count: finding.count,
            prediction: finding.prediction.into(),
            evidence: finding.evidence.into(),
            ticket: finding.ticket.map(|ticket| ticket.0),
            suppressed_until: finding.suppressed_until,
            ticket_from: finding.ticket_from,
            trace: finding.trace.0,
        }
    }
}

impl From<core::FaultPrediction> for Prediction {
    fn from(prediction: core::FaultPrediction) -> Self {
        Self {
            fault_class: prediction.fault_class,
            probability: prediction.probability,
            verdicts: prediction.verdicts.map(|counted| Verdicts {
                right: counted.right,
                wrong: counted.wrong,
            }),
            severity: prediction.severity,
            score: prediction.score,
            model: prediction.model,
            evidence_kind: prediction.basis.kind,
            model_hash: prediction.model_hash,
            at: prediction.at,
            since: prediction.since,
            top: prediction.top.into_iter().map(Into::into).collect(),
            second_opinion: prediction.second_opinion,
        }
    }
}

impl From<core::Contribution> for Contribution {
    fn from(one: core::Contribution) -> Self {
        Self {
            channel: one.channel,
            share: one.share,
            value: one.value,
            baseline_mean: one.baseline_mean,
            baseline_deviation: one.baseline_deviation,
            unit: one.unit,
        }
    }
}

impl From<core::Evidence> for Evidence {
    fn from(evidence: core::Evidence) -> Self {
        let point = |point: core::EvidencePoint| EvidencePoint {
            at: point.at,
            score: point.score,
            values: point.values.into_iter().map(|v| v.is_finite().then_some(v)).collect(),
        };
        Self {
            channels: evidence.channels.into_iter().map(Into::into).collect(),
            points: evidence.points.into_iter().map(point).collect(),
            anomalous_since: evidence.anomalous_since,
        }
    }
}
