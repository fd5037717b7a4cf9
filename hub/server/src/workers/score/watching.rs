//! All that a scorer has in memory: detectors, how far each partition has been read, and what is in no checkpoint. Pure: rows
//! go in, what is to be saved comes out. Whatever comes out is saved before the next rows go in, or all of it is dropped and
//! begun again from what the store has.

use super::ledger::Ledger;
use super::scoring::{Manner, Steps, WINDOWS_MAX, Watched, give, is_reading};
use super::suspect::Suspect;
use hub_core::id::ApplianceId;
use hub_core::situation::Observation;
use hub_predict::{Detector, Registry};
use hub_store::prediction::{Checkpoint, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch};
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A calibrated detector with its place here takes about 10 kB by what its parts hold: 8 features, a window of 32 steps and
/// 240 points of evidence.
const DETECTOR_BYTES: usize = 10 << 10;
/// Detectors kept in memory: 1 GiB of them. Beyond it those that were used longest ago are saved and read back when needed.
pub(super) const DETECTORS_MAX: usize = (1 << 30) / DETECTOR_BYTES;
/// Rows of one partition that are read again at a time, at least.
const SHARE_MIN: i64 = 16;
/// Checkpoints are looked for so often, since each batch with one waits for the disk; and at once if there were too many.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Appliances in memory.
pub(super) type Units = HashMap<ApplianceId, Unit>;

/// One appliance in memory.
pub(super) struct Unit {
    /// None if no model watches it.
    pub(super) watched: Option<Watched>,
    /// Rows up to this one are in the checkpoint that it started from, or say nothing of its baseline.
    after: i64,
    /// In which round it was used last.
    used: u64,
}

/// How far one partition has been read.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Rows up to this one were scored.
    scored: i64,
    scored_received_at: Timestamp,
    /// Rows up to this one were given to detectors: fewer than were scored, while rows are read again.
    read: i64,
    /// Newest receipt known of these.
    received_at: Timestamp,
    /// Rows up to this one are in checkpoints or need none, as was said last.
    kept: i64,
    kept_received_at: Timestamp,
}

/// See the module.
pub(super) struct Watching {
    registry: Arc<Registry>,
    units: Units,
    /// By the round in which they were used last.
    by_use: BTreeSet<(u64, ApplianceId)>,
    round: u64,
    ledger: Ledger,
    places: BTreeMap<u8, Place>,
    detectors_max: usize,
    /// When it is looked next whose turn it is to be saved.
    save_at: Option<Instant>,
    suspect: Arc<Suspect>,
    steps: Arc<dyn Steps>,
    /// Windows are given to the network one by one, so that the row of one that cannot be scored is known.
    pub(super) is_careful: bool,
}

impl Watching {
    /// Begins with what the store has. `suspect` is told which row is worked on in `steps`.
    pub(super) fn new(
        registry: Arc<Registry>,
        offsets: &[ScoredUpTo],
        detectors_max: usize,
        suspect: Arc<Suspect>,
        steps: Arc<dyn Steps>,
    ) -> Self {
        Self {
            registry,
            units: Units::new(),
            by_use: BTreeSet::new(),
            round: 0,
            ledger: Ledger::default(),
            places: offsets
                .iter()
                .map(|offset| (offset.partition, Place::new(offset)))
                .collect(),
            detectors_max,
            save_at: None,
            suspect,
            steps,
            is_careful: false,
        }
    }

    /// Rows to read again next, about `limit` of them, of so many partitions at most; none if detectors have all that was
    /// scored.
    pub(super) fn again(&self, limit: usize, partitions: usize) -> Vec<Stretch> {
        let behind = || {
            let behind = self.places.iter().filter(|(_, place)| place.read < place.scored);
            behind.take(partitions)
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let places = i64::try_from(behind().count()).unwrap_or(i64::MAX);
        let share = (limit / places.max(1)).max(SHARE_MIN.min(limit)).max(1);
        let stretch = |(partition, place): (&u8, &Place)| Stretch {
            partition: *partition,
            after: place.read,
            up_to: place.scored.min(place.read.saturating_add(share)),
            received_at: place.received_at,
        };
        let most = usize::try_from((limit / share).max(1)).unwrap_or(usize::MAX);
        behind().map(stretch).take(most).collect()
    }

    /// Appliances of these rows that are not in memory.
    pub(super) fn missing(&self, rows: &[StoredRow]) -> Vec<ApplianceId> {
        let readings = rows.iter().filter(|row| is_reading(row)).map(|row| row.appliance);
        let missing: BTreeSet<ApplianceId> = readings.filter(|a| !self.units.contains_key(a)).collect();
        missing.into_iter().collect()
    }

    /// Takes an appliance into memory.
    pub(super) fn admit(&mut self, subject: &ScoringSubject) {
        let unit = admitted(&self.registry, subject, self.round);
        self.by_use.insert((unit.used, subject.appliance));
        self.units.insert(subject.appliance, unit);
    }

    /// Drops an appliance whose baseline was restarted: nothing that it was given counts.
    pub(super) fn forget(&mut self, appliance: ApplianceId) {
        self.ledger.settle(appliance);
        self.drop_unit(appliance);
    }

    fn drop_unit(&mut self, appliance: ApplianceId) {
        if let Some(unit) = self.units.remove(&appliance) {
            self.by_use.remove(&(unit.used, appliance));
        }
    }

    /// Scores new rows; what is to be saved.
    pub(super) fn score(&mut self, rows: Vec<StoredRow>, now: Instant) -> ScoringCommit {
        let reach = ScoredUpTo::reach(&rows);
        let observations = self.give(rows, false, now);
        for up_to in &reach {
            let place = self.places.entry(up_to.partition).or_insert_with(|| Place::new(up_to));
            place.scored = up_to.ingest_no.max(place.scored);
            place.read = place.scored;
            place.received_at = up_to.received_at.max(place.received_at);
            place.scored_received_at = place.received_at;
        }
        self.settle(&reach, observations, now)
    }

    /// Gives detectors again what was scored: the rows of these stretches, all of them. What is to be saved, if anything.
    pub(super) fn repeat(&mut self, rows: Vec<StoredRow>, stretches: &[Stretch], now: Instant) -> ScoringCommit {
        let reach = ScoredUpTo::reach(&rows);
        self.give(rows, true, now);
        for up_to in &reach {
            if let Some(place) = self.places.get_mut(&up_to.partition) {
                place.received_at = up_to.received_at.max(place.received_at);
            }
        }
        for stretch in stretches {
            if let Some(place) = self.places.get_mut(&stretch.partition) {
                place.read = stretch.up_to.max(place.read);
                if place.read >= place.scored {
                    place.received_at = place.scored_received_at.max(place.received_at);
                }
            }
        }
        self.settle(&[], Vec::new(), now)
    }

    fn give(&mut self, mut rows: Vec<StoredRow>, again: bool, now: Instant) -> Vec<Observation> {
        self.round += 1;
        rows.retain(|row| self.is_wanted(row));
        for row in &rows {
            let received_at = self.places.get(&row.partition).map(|place| place.received_at);
            self.ledger.note(row, received_at.unwrap_or(Timestamp::UNIX_EPOCH), now);
            if let Some(unit) = self.units.get_mut(&row.appliance) {
                self.by_use.remove(&(unit.used, row.appliance));
                unit.used = self.round;
                self.by_use.insert((unit.used, row.appliance));
            }
        }
        let manner = Manner {
            again,
            windows: if self.is_careful { 1 } else { WINDOWS_MAX },
            suspect: &self.suspect,
            steps: self.steps.as_ref(),
        };
        give(&mut self.units, rows, &manner)
    }

    /// Whether a detector waits for this row. A database that was killed may have forgotten how far scoring had come: what
    /// comes once more is not given twice.
    pub(super) fn is_wanted(&self, row: &StoredRow) -> bool {
        let unit = self.units.get(&row.appliance);
        let is_new = self
            .places
            .get(&row.partition)
            .is_none_or(|place| row.ingest_no > place.read);
        is_reading(row) && is_new && unit.is_some_and(|unit| unit.watched.is_some() && row.ingest_no > unit.after)
    }

    /// What is to be saved now: each appliance that tells something, whose turn it is, or that has to make room.
    fn settle(&mut self, arrived: &[ScoredUpTo], observations: Vec<Observation>, now: Instant) -> ScoringCommit {
        let mut saved: BTreeSet<ApplianceId> = observations.iter().map(Observation::appliance).collect();
        if self.save_at.is_none_or(|at| now >= at) {
            let read = self.places.iter().map(|(partition, place)| (*partition, place.read));
            let due = self.ledger.due(read, now);
            saved.extend(due.appliances);
            self.save_at = if due.more { None } else { Some(now + SAVE_EVERY) };
        }
        let surplus = self.units.len().saturating_sub(self.detectors_max);
        let oldest = self.by_use.iter().take_while(|(used, _)| *used < self.round);
        let leaving: Vec<ApplianceId> = oldest.take(surplus).map(|(_, appliance)| *appliance).collect();
        saved.extend(&leaving);

        let arrived: BTreeSet<u8> = arrived.iter().map(|up_to| up_to.partition).collect();
        let mut partitions = arrived.clone();
        let mut checkpoints = Vec::new();
        for appliance in saved {
            let Some(span) = self.ledger.settle(appliance) else {
                continue;
            };
            partitions.insert(span.partition);
            let watched = self.units.get(&appliance).and_then(|unit| unit.watched.as_ref());
            checkpoints.extend(watched.map(|watched| Checkpoint {
                appliance,
                model: watched.model().to_owned(),
                ingest_no: span.last,
                state: watched.state(),
            }));
        }
        for appliance in leaving {
            self.drop_unit(appliance);
        }
        let offsets = partitions
            .into_iter()
            .filter_map(|partition| self.offset(partition, arrived.contains(&partition)));
        ScoringCommit {
            offsets: offsets.collect(),
            checkpoints,
            observations,
        }
    }

    /// How far a partition has come, if rows have arrived or fewer have to be read again than before.
    fn offset(&mut self, partition: u8, arrived: bool) -> Option<ScoredUpTo> {
        let place = self.places.get_mut(&partition)?;
        let kept = self.ledger.kept(partition);
        let (kept, received_at) = kept.unwrap_or((place.read, place.received_at));
        let moves_on = kept > place.kept;
        if moves_on {
            (place.kept, place.kept_received_at) = (kept, received_at);
        }
        (arrived || moves_on).then_some(ScoredUpTo {
            partition,
            ingest_no: place.scored,
            received_at: place.received_at,
            kept_no: place.kept,
            kept_received_at: place.kept_received_at,
        })
    }
}

impl Place {
    fn new(offset: &ScoredUpTo) -> Self {
        let is_whole = offset.kept_no >= offset.ingest_no;
        let (read, received_at) = match is_whole {
            true => (offset.ingest_no, offset.received_at),
            false => (offset.kept_no, offset.kept_received_at),
        };
        Self {
            scored: offset.ingest_no,
            scored_received_at: offset.received_at,
            read,
            received_at,
            kept: read,
            kept_received_at: received_at,
        }
    }
}

fn admitted(registry: &Registry, subject: &ScoringSubject, round: u64) -> Unit {
    let name = subject.model.as_deref().unwrap_or(&subject.profile);
    let Some(model) = registry.get(name).cloned() else {
        tracing::info!(appliance = %subject.appliance, model = name, "no model watches this appliance: its readings are stored only");
        return Unit {
            watched: None,
            after: 0,
            used: round,
        };
    };
    let own = subject.checkpoints.iter().find(|c| c.model == model.version());
    let detector = match own.map(|c| Detector::restore(&model, &c.state)) {
        Some(Ok(detector)) => detector,
        Some(Err(error)) => {
            tracing::warn!(appliance = %subject.appliance, error = &error as &dyn std::error::Error, "checkpoint cannot be read: the baseline starts again");
            Detector::new(&model)
        }
        None => Detector::new(&model),
    };
    Unit {
        after: own.map_or(0, |c| c.ingest_no).max(subject.fresh_after),
        watched: Some(Watched::new(model, detector)),
        used: round,
    }
}

#[cfg(test)]
impl Watching {
    /// What the detector of an appliance holds, if it is in memory.
    pub(super) fn state(&self, appliance: ApplianceId) -> Option<Vec<u8>> {
        let watched = self.units.get(&appliance)?.watched.as_ref();
        watched.map(Watched::state)
    }
}

#[cfg(test)]
mod tests;
