//! Fleets under a detector without a network: a reading of eight channels a minute, a step every 15. They take the road of the hub's,
//! [`Detectors::score`] over stored rows in rounds of as many as the hub takes: gathered, averaged, compared, told. Counted is what
//! that costs; the store and the ingest before it, checkpoints and the ledger of what is saved behind it are not in it: what those
//! cost `make bench-steady` and `make bench-store` say.
//!
//! An hour of a million appliances is 60 million rows. Measured is a quarter of an hour, in which each appliance has 15 readings and
//! completes one step; an hour is four of them, one like the other.

mod family;

use super::{Plan, processor};
use crate::bar::{Bars, median};
use anyhow::{Result, ensure};
use family::{CHANNELS, STEP_MINUTES, sample};
use hub_core::id::{ApplianceId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::Lane;
use hub_predict::{Batch, Detector, Detectors, Manner, Model, ROWS_MAX, WINDOWS_MAX};
use hub_store::telemetry::StoredRow;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tests_hub::processes::resident_memory;

/// Steps in which an appliance has to have learned what is normal.
const LEARNED_MAX: usize = 600;
/// Steps behind that, so that each holds all the steps that a ticket would draw.
const DRAWN: usize = 16;
/// The step in which the first quarter of an hour begins that counts.
const FIRST: usize = LEARNED_MAX + DRAWN + 1;

/// Percent of a processor for the smaller fleet.
const CORE_PERCENT_MAX: f64 = 5.0;
/// What an appliance costs in the larger fleet, of what it does in the smaller one.
const GROWTH_MAX: f64 = 1.3;
/// Bytes in memory of an appliance that is watched.
const BYTES_MAX: f64 = 1_024.0;

const MANNER: Manner<'static> = Manner {
    again: false,
    windows: WINDOWS_MAX,
    progress: &(),
};

/// A fleet whose normal is learned.
struct Fleet {
    detectors: Detectors,
    profile: Arc<ApplianceProfile>,
    count: usize,
    /// Quarters of an hour that have passed.
    quarters: usize,
    rows: i64,
    bytes_each: f64,
}

pub(super) fn measure(plan: Plan, bars: &mut Bars) -> Result<()> {
    let model = family::model()?;
    let counts = [plan.appliances, plan.many];
    let mut fleets = Vec::new();
    for count in counts {
        fleets.push(Fleet::calibrated(&model, count)?);
    }
    let mut seconds = counts.map(|_| Vec::new());
    for _ in 0..plan.rounds {
        for (fleet, seconds) in fleets.iter_mut().zip(&mut seconds) {
            seconds.push(fleet.quarter()?.as_secs_f64());
        }
    }
    let seconds = seconds.map(median);
    let each = |at: usize| seconds[at] / (counts[at] * STEP_MINUTES) as f64;
    for (at, fleet) in fleets.iter().enumerate() {
        println!(
            "generic, {} appliances, a reading of {CHANNELS} channels a minute, a step every {STEP_MINUTES}: {:.2} s of a processor a \
             quarter of an hour ({:.2} %), {:.2} µs a stored reading; {:.0} bytes of resident memory each, the table of appliances \
             and what the allocator leaves empty with them",
            fleet.count,
            seconds[at],
            percent(seconds[at]),
            1e6 * each(at),
            fleet.bytes_each
        );
    }
    bars.at_most("generic_percent_of_a_core", percent(seconds[0]), CORE_PERCENT_MAX);
    bars.at_most("generic_cost_of_one_in_many", each(1) / each(0), GROWTH_MAX);
    let bytes = fleets.iter().map(|fleet| fleet.bytes_each).fold(0.0, f64::max);
    bars.at_most("generic_bytes_a_watched_appliance", bytes, BYTES_MAX);
    Ok(())
}

/// Of a processor's quarter of an hour.
fn percent(seconds: f64) -> f64 {
    100.0 * seconds / (60 * STEP_MINUTES) as f64
}

/// The number that an appliance has in the store.
fn id(appliance: usize) -> ApplianceId {
    ApplianceId(i64::try_from(appliance).unwrap_or(i64::MAX))
}

impl Fleet {
    /// One appliance after the other, so that what one needs while it is calibrated is the next one's again.
    fn calibrated(model: &Arc<Model>, count: usize) -> Result<Self> {
        let process = std::process::id();
        let before = resident_memory(process)?;
        let mut fleet = Self {
            detectors: Detectors::default(),
            profile: Arc::new(model.profile().clone()),
            count,
            quarters: 0,
            rows: 0,
            bytes_each: f64::NAN,
        };
        for appliance in 0..count {
            fleet
                .detectors
                .insert(id(appliance), model.clone(), Detector::new(model));
            fleet.calibrate(appliance)?;
        }
        let taken = resident_memory(process)?.saturating_sub(before);
        fleet.bytes_each = taken as f64 / count as f64;
        Ok(fleet)
    }

    /// Nothing of this is counted: one reading stands for a step.
    fn calibrate(&mut self, appliance: usize) -> Result<()> {
        let mut watched = 0;
        for step in 0..LEARNED_MAX + DRAWN {
            let row = self.row(appliance, step * STEP_MINUTES);
            let batch = self.detectors.score(vec![row], &MANNER);
            watched += batch.judged.iter().filter(|step| step.verdict.judged).count();
            if watched >= DRAWN {
                return Ok(());
            }
        }
        anyhow::bail!("appliance {appliance} is not watched after {LEARNED_MAX} steps")
    }

    /// The reading of an appliance in a minute, as the store gives it.
    fn row(&mut self, appliance: usize, minute: usize) -> StoredRow {
        self.rows += 1;
        let seconds = i64::try_from(60 * minute).unwrap_or(i64::MAX);
        // The beginning of a period, in 2020.
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_577_836_800 + seconds);
        let values = sample(&self.profile.channels, appliance, minute);
        StoredRow {
            appliance: id(appliance),
            partition: 0,
            ingest_no: self.rows,
            lane: Lane::Telemetry,
            at,
            received_at: at,
            profile: self.profile.clone(),
            values: values.into_iter().map(Some).collect(),
            trace: TraceId::new(at, [0; 10]),
        }
    }

    /// The next quarter of an hour; what it costs.
    fn quarter(&mut self) -> Result<Duration> {
        let mut spent = Duration::ZERO;
        let (mut steps, mut watched, mut alarms) = (0, 0, 0);
        let first = (FIRST + self.quarters) * STEP_MINUTES;
        for minute in first..first + STEP_MINUTES {
            for begin in (0..self.count).step_by(ROWS_MAX) {
                let end = self.count.min(begin + ROWS_MAX);
                let rows: Vec<StoredRow> = (begin..end).map(|appliance| self.row(appliance, minute)).collect();
                let begun = processor()?;
                let Batch { judged, failed, .. } = self.detectors.score(rows, &MANNER);
                spent += processor()? - begun;
                ensure!(failed.is_empty(), "{failed:?}");
                steps += judged.len();
                watched += judged.iter().filter(|step| step.verdict.judged).count();
                alarms += judged.iter().filter(|step| step.verdict.alarm).count();
            }
        }
        self.quarters += 1;
        ensure!(
            (steps, watched) == (self.count, self.count),
            "{steps} steps, {watched} of them watched, not {}",
            self.count
        );
        // One in a thousand: an alarm costs more than a step, and what its normal was learned from is noise.
        ensure!(
            1_000 * alarms <= self.count,
            "{alarms} steps of {} sound appliances stand in an alarm",
            self.count
        );
        Ok(spent)
    }
}
