//! Checkpoints of forms 1 to 4. Only read. None knows what a second opinion needs; forms 1 to 3 do not know with which score an alarm was
//! told; forms 1 and 2 know nothing that was told of the appliance, so that it is told again; form 1 has a window of rows, and every point
//! that is drawn in single precision.

use std::collections::VecDeque;

use hub_core::prediction::Severity;
use jiff::Timestamp;
use serde::Deserialize;

use crate::detector::intake::Intake;
use crate::detector::opinion::Opinion;
use crate::detector::span::Span;
use crate::detector::{Detector, Resampler, Stage};
use crate::evidence::Recent;
use crate::features::Sensors;
use crate::manifest::Manifest;
use crate::persistence::Persistence;

/// First byte of a checkpoint of form 1.
pub(super) const FIRST: u8 = 1;
/// First byte of a checkpoint of form 2.
pub(super) const SECOND: u8 = 2;
/// First byte of a checkpoint of form 3.
pub(super) const THIRD: u8 = 3;
/// First byte of a checkpoint of form 4.
pub(super) const FOURTH: u8 = 4;

/// The fields of form 4 in their order. What they share with form 5 has not changed since.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Fourth {
    model: String,
    calibrate: u32,
    calibrated: u32,
    resampler: Resampler,
    sensors: Sensors,
    stage: Stage,
    window: VecDeque<f32>,
    persistence: Persistence,
    span: Span,
    fault: Option<(String, Severity)>,
    recent: Recent,
    intake: Intake,
    told: Option<f32>,
    empty_for: u32,
}

/// The fields of form 3 in their order. What they share with form 4 has not changed since.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Third {
    model: String,
    calibrate: u32,
    calibrated: u32,
    resampler: Resampler,
    sensors: Sensors,
    stage: Stage,
    window: VecDeque<f32>,
    persistence: Persistence,
    span: Span,
    fault: Option<(String, Severity)>,
    recent: Recent,
    intake: Intake,
}

/// The fields of form 2 in their order. What they share with form 3 has not changed since.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Second {
    model: String,
    calibrate: u32,
    calibrated: u32,
    resampler: Resampler,
    sensors: Sensors,
    stage: Stage,
    window: VecDeque<f32>,
    persistence: Persistence,
    span: Span,
    fault: Option<(String, Severity)>,
    recent: Recent,
}

/// The fields of form 1 in their order. What they share with form 2 has not changed since.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Before {
    model: String,
    calibrate: u32,
    calibrated: u32,
    resampler: Resampler,
    sensors: Sensors,
    stage: Stage,
    window: VecDeque<Vec<f32>>,
    persistence: Persistence,
    span: Span,
    fault: Option<(String, Severity)>,
    recent: Points,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Points {
    points: VecDeque<Point>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Point {
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    at: Timestamp,
    score: f32,
    values: Vec<f32>,
}

/// The detector that was written in form 4. `None` if it cannot be read; whether it is one of this model is for the caller to see.
pub(super) fn read_fourth(body: &[u8]) -> Option<Detector> {
    let before: Fourth = postcard::from_bytes(body).ok()?;
    Some(Detector {
        model: before.model,
        calibrate: before.calibrate,
        calibrated: before.calibrated,
        resampler: before.resampler,
        sensors: before.sensors,
        stage: before.stage,
        window: before.window,
        persistence: before.persistence,
        span: before.span,
        fault: before.fault,
        recent: before.recent,
        intake: before.intake,
        told: before.told,
        empty_for: before.empty_for,
        opinion: Opinion::default(),
    })
}

/// The same of form 3.
pub(super) fn read_third(body: &[u8]) -> Option<Detector> {
    let before: Third = postcard::from_bytes(body).ok()?;
    Some(Detector {
        model: before.model,
        calibrate: before.calibrate,
        calibrated: before.calibrated,
        resampler: before.resampler,
        sensors: before.sensors,
        stage: before.stage,
        window: before.window,
        persistence: before.persistence,
        span: before.span,
        fault: before.fault,
        recent: before.recent,
        intake: before.intake,
        told: None,
        empty_for: 0,
        opinion: Opinion::default(),
    })
}

/// The same of form 2.
pub(super) fn read_second(body: &[u8]) -> Option<Detector> {
    let before: Second = postcard::from_bytes(body).ok()?;
    Some(Detector {
        intake: Intake::new(before.sensors.last().len()),
        model: before.model,
        calibrate: before.calibrate,
        calibrated: before.calibrated,
        resampler: before.resampler,
        sensors: before.sensors,
        stage: before.stage,
        window: before.window,
        persistence: before.persistence,
        span: before.span,
        fault: before.fault,
        recent: before.recent,
        told: None,
        empty_for: 0,
        opinion: Opinion::default(),
    })
}

/// The same of form 1.
pub(super) fn read_first(body: &[u8], manifest: &Manifest) -> Option<Detector> {
    let before: Before = postcard::from_bytes(body).ok()?;
    let mut recent = Recent::new();
    for point in &before.recent.points {
        let values: Vec<Option<f64>> = point.values.iter().map(|value| Some(f64::from(*value))).collect();
        recent.push(point.at, point.score, &values, manifest);
    }
    Some(Detector {
        intake: Intake::new(before.sensors.last().len()),
        model: before.model,
        calibrate: before.calibrate,
        calibrated: before.calibrated,
        resampler: before.resampler,
        sensors: before.sensors,
        stage: before.stage,
        window: before.window.into_iter().flatten().collect(),
        persistence: before.persistence,
        span: before.span,
        fault: before.fault,
        recent,
        told: None,
        empty_for: 0,
        opinion: Opinion::default(),
    })
}

#[cfg(test)]
mod tests;
