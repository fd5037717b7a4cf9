//! What counts as normal for an appliance.

use crate::api::schema;
use hub_core::normal::{self as core, Counted, LeftOut, NoNormal, NormalStage};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What is known of an appliance's normal, or why nothing is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LearnedNormal {
    /// Why nothing is known, if so: `no_model`, `nothing_saved`, `restarted`, `other_model` or `unreadable`.
    #[schema(value_type = Option<String>)]
    unknown: Option<NoNormal>,
    /// What is known.
    known: Option<KnownNormal>,
}

/// What a detector takes for an appliance's normal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KnownNormal {
    /// When the detector's state was saved, of which this is a view: what came since is not in it.
    as_of: Timestamp,
    /// Model and version, e.g. `pump-rig/1`.
    model: String,
    /// How far learning has come; `cannot_calibrate`: for a long time no stretch of one state has been found, and the search goes on.
    #[schema(schema_with = schema::words::<NormalStage>)]
    stage: NormalStage,
    /// What `calibrated` and `calibration` count: readings, programme runs, or periods in which the appliance ran.
    #[schema(schema_with = schema::words::<Counted>)]
    counted: Counted,
    /// Seconds of a period, where periods are counted.
    period_s: Option<f64>,
    /// How many are taken for the normal.
    calibrated: u32,
    /// How many are needed.
    calibration: u32,
    /// Steps that were compared with the normal, up to 65,535; null where the detector does not count them.
    compared: Option<u32>,
    /// Event time of the reading since which the appliance has been watched without a break; null while it is not.
    watched_since: Option<Timestamp>,
    /// Feature that was not of one state, so that the calibration began again the last time.
    refused_by: Option<String>,
    /// Each feature of the model, and behind them each figure that named faults are told by; empty until the calibration has ended.
    features: Vec<NormalFeature>,
}

/// What is known of a feature.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NormalFeature {
    /// Feature, as the model's manifest names it.
    feature: String,
    /// SenML unit of its values.
    unit: String,
    /// Why it is not compared now, if so: `silent`, `stuck`, `not_calibrated` or `condition`.
    #[schema(value_type = Option<String>)]
    left_out: Option<LeftOut>,
    /// What is normal for it; null where it was not learned.
    normal: Option<Normal>,
}

/// What is normal for a feature.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Normal {
    /// What is normal now, in `unit`: it follows slow changes.
    now: f64,
    /// What was normal at the end of the calibration, in `unit`; null where the detector does not keep it.
    first: Option<f64>,
    /// Moving average of the newest values, in `unit`.
    average: f64,
    /// Whether `floor` and `harmless` are shares of the normal (natural logarithms); else they are in `unit`.
    by_ratio: bool,
    /// Deviation that is harmless, however little the appliance itself varies.
    floor: f64,
    /// The same with what the appliance itself varies by: what a deviation counts in.
    harmless: f64,
    /// How far the average is from `now`, in `harmless`; negative is below.
    deviation: f64,
    /// How far the average is from `first`, in floors of twice the width; negative is below.
    deviation_from_first: Option<f64>,
}

impl From<Result<core::LearnedNormal, NoNormal>> for LearnedNormal {
    fn from(told: Result<core::LearnedNormal, NoNormal>) -> Self {
        Self {
            unknown: told.as_ref().err().copied(),
            known: told.ok().map(Into::into),
        }
    }
}

impl From<core::LearnedNormal> for KnownNormal {
    fn from(baseline: core::LearnedNormal) -> Self {
        Self {
            as_of: baseline.as_of,
            model: baseline.model,
            stage: baseline.stage,
            counted: baseline.counted,
            period_s: baseline.period_s,
            calibrated: baseline.calibrated,
            calibration: baseline.calibration,
            compared: baseline.compared,
            watched_since: baseline.watched_since,
            refused_by: baseline.refused_by,
            features: baseline.features.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<core::NormalFeature> for NormalFeature {
    fn from(feature: core::NormalFeature) -> Self {
        Self {
            feature: feature.name,
            unit: feature.unit,
            left_out: feature.left_out,
            normal: feature.normal.map(Into::into),
        }
    }
}

impl From<core::Normal> for Normal {
    fn from(normal: core::Normal) -> Self {
        Self {
            now: normal.now,
            first: normal.first,
            average: normal.average,
            by_ratio: normal.by_ratio,
            floor: normal.floor,
            harmless: normal.harmless,
            deviation: normal.deviation,
            deviation_from_first: normal.deviation_from_first,
        }
    }
}
