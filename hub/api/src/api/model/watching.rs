//! Whether an appliance is watched.

use crate::api::schema;
use hub_core::watching::{self, Unjudged, WatchState};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether an appliance is watched, and what keeps it from being so.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Watching {
    /// `too_seldom`, `channels_missing`, `times_passed`, `cannot_calibrate` and `no_model`: no alarm can rise.
    #[schema(schema_with = schema::words::<WatchState>)]
    state: WatchState,
    /// Event time of the reading with which that began.
    since: Option<Timestamp>,
    /// Readings (programme runs, where the model's step is a run) taken for the unit's normal.
    calibrated: u32,
    /// How many of them are needed; 0 where no model has had a reading.
    calibration: u32,
    /// Time between its newest two readings, in ms; 0 if it is not known.
    every_ms: u64,
    /// The longest that the model bears between two, in ms; 0 where it bears any.
    needs_ms: u64,
    /// Channels that the model reads and that have no value.
    missing: u32,
    /// Channels that the model reads.
    channels: u32,
    /// What was taken for the unit's normal holds several states of it, such as standing and running.
    several_states: bool,
    /// Readings that made no model step, by reason, since its baseline was begun.
    unjudged: Vec<UnjudgedCount>,
    /// Model and version that watch it, e.g. `generic/1`; null where that was not told.
    model: Option<String>,
    /// Channel or feature that has made the calibration begin again, since it went to another state.
    unsteady: Option<String>,
}

/// Readings that made no model step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnjudgedCount {
    /// Why. Those that are `joined` count, together with others of their period.
    #[schema(schema_with = schema::words::<Unjudged>)]
    reason: Unjudged,
    /// How many.
    count: u32,
}

impl From<watching::Watching> for Watching {
    fn from(told: watching::Watching) -> Self {
        let unjudged = told.unjudged.into_iter();
        Self {
            state: told.state,
            since: told.since,
            calibrated: told.calibrated,
            calibration: told.calibration,
            every_ms: told.every_ms,
            needs_ms: told.needs_ms,
            missing: told.missing,
            channels: told.channels,
            several_states: told.several_states,
            unjudged: unjudged
                .map(|(reason, count)| UnjudgedCount { reason, count })
                .collect(),
            model: told.model,
            unsteady: told.unsteady,
        }
    }
}
