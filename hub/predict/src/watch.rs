//! All that a scorer has in memory: detectors, how far each partition has been read, and what is in no checkpoint. Pure: rows
//! go in, what is to be saved comes out. Whatever comes out is saved before the next rows go in, or all of it is dropped and
//! begun again from what the store has.

mod highest;
mod ledger;
mod place;
mod restore;
mod room;
mod scored;
mod shadow;

#[cfg(test)]
mod challenged;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_core::id::ApplianceId;
use hub_core::situation::Observation;
use hub_core::watching::{UnjudgedCounts, WatchState};
use hub_store::floors::FleetFloors;
use hub_store::prediction::{Checkpoint, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch};
use hub_store::telemetry::StoredRow;
use jiff::Timestamp;

use crate::batch::{Batch, Detectors, Manner, Progress, WINDOWS_MAX, is_reading};
use crate::floors::Floors;
use crate::registry::Registry;
use highest::Highest;
use ledger::Ledger;
use place::Place;
pub use scored::Scored;
use shadow::Shadow;

/// Rows of one partition that are read again at a time, at least.
const SHARE_MIN: i64 = 16;
/// Checkpoints are looked for so often, since each batch with one waits for the disk; and at once if there were too many.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct Watch {
    registry: Arc<Registry>,
    families: Vec<String>,
    detectors: Detectors,
    units: HashMap<ApplianceId, Unit>,
    /// By the round in which they were used last.
    by_use: BTreeSet<(u64, ApplianceId)>,
    round: u64,
    ledger: Ledger,
    highest: Highest,
    places: BTreeMap<u8, Place>,
    shadow: Shadow,
    floors: Floors,
    /// What appliances in memory take, and may.
    bytes: usize,
    bytes_max: usize,
    /// When it is looked next whose turn it is to be saved.
    save_at: Option<Instant>,
    progress: Arc<dyn Progress>,
    is_careful: bool,
    /// How many appliances in memory are in each state.
    states: BTreeMap<WatchState, u64>,
    /// Models whose states of before could not be continued, as the log has it.
    begun_again: BTreeSet<String>,
    /// Ends of alarms of which nobody is left to tell the end.
    ended: Vec<Observation>,
}

/// One appliance in memory.
struct Unit {
    /// A model watches it: it has a detector.
    is_watched: bool,
    /// Rows up to this one are in the checkpoint that it started from, or say nothing of its baseline.
    after: i64,
    /// In which round it was used last.
    used: u64,
    /// As which it is counted.
    state: WatchState,
    /// What it takes by that, and by whether it rests.
    bytes: usize,
}

impl Watch {
    /// Begins with what the store has. `progress` is told which row is worked on.
    pub fn new(registry: Arc<Registry>, offsets: &[ScoredUpTo], progress: Arc<dyn Progress>) -> Self {
        let places = offsets.iter().map(|offset| (offset.partition, Place::new(offset)));
        let shadow = Shadow::new(&registry);
        Self {
            families: registry.watched(),
            registry,
            detectors: Detectors::default(),
            units: HashMap::new(),
            by_use: BTreeSet::new(),
            round: 0,
            ledger: Ledger::default(),
            highest: Highest::default(),
            places: places.collect(),
            bytes: 0,
            // A challenger's detectors take the same room again.
            bytes_max: room::BYTES_MAX / if shadow.is_on() { 2 } else { 1 },
            shadow,
            floors: Floors::default(),
            save_at: None,
            progress,
            is_careful: false,
            states: BTreeMap::new(),
            begun_again: BTreeSet::new(),
            ended: Vec::new(),
        }
    }

    /// Judges by these floors from the first row on; a state that is in memory or saved goes on by them.
    #[must_use]
    pub fn with_floors(mut self, in_force: &[FleetFloors]) -> Self {
        self.floors = Floors::new(in_force);
        self
    }

    /// Families that a model watches: readings of others need not be given.
    pub fn families(&self) -> &[String] {
        &self.families
    }

    /// With `true` windows are given to the network one by one, so that the row of one that ends the thread is known.
    pub fn be_careful(&mut self, is_careful: bool) {
        self.is_careful = is_careful;
    }

    /// What the detector of an appliance holds, as in a checkpoint; none if it is not in memory.
    pub fn state(&self, appliance: ApplianceId) -> Option<Vec<u8>> {
        self.detectors.checkpoint(appliance)
    }

    /// How many appliances are in each state, of those whose readings were scored since the start and that are in memory.
    pub fn states(&self) -> &BTreeMap<WatchState, u64> {
        &self.states
    }

    /// Rows to read again next, about `limit` of them, of so many partitions at most; none if detectors have all that was
    /// scored.
    pub fn again(&self, limit: usize, partitions: usize) -> Vec<Stretch> {
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
    pub fn missing(&self, rows: &[StoredRow]) -> Vec<ApplianceId> {
        let readings = rows.iter().filter(|row| is_reading(row)).map(|row| row.appliance);
        let missing: BTreeSet<ApplianceId> = readings.filter(|a| !self.units.contains_key(a)).collect();
        missing.into_iter().collect()
    }

    /// Takes an appliance into memory: its detector goes on from its checkpoint, if there is one of its model.
    pub fn admit(&mut self, subject: &ScoringSubject) {
        let model = self.registry.of(subject.model.as_deref(), &subject.profile);
        let model = model.map(|model| self.floors.of(model, subject));
        let after = match &model {
            None => {
                let name = subject.model.as_deref().unwrap_or(&subject.profile);
                tracing::info!(appliance = %subject.appliance, model = name, "no model watches this appliance: its readings are stored only");
                0
            }
            Some(model) => {
                self.shadow.admit(model.family(), subject);
                self.restore(subject, model)
            }
        };
        let state = self.state_of(subject.appliance);
        let unit = Unit {
            is_watched: model.is_some(),
            after,
            used: self.round,
            state,
            bytes: self.bytes_of(subject.appliance, state),
        };
        self.bytes += unit.bytes;
        *self.states.entry(unit.state).or_default() += 1;
        self.by_use.insert((unit.used, subject.appliance));
        self.units.insert(subject.appliance, unit);
    }

    /// Drops an appliance whose baseline was restarted: nothing that it was given counts.
    pub fn forget(&mut self, appliance: ApplianceId) {
        self.ledger.settle(appliance);
        self.drop_unit(appliance);
    }

    fn state_of(&self, appliance: ApplianceId) -> WatchState {
        match self.detectors.model(appliance) {
            None => WatchState::NoModel,
            Some(_) => self.detectors.watch_state(appliance).unwrap_or(WatchState::Calibrating),
        }
    }

    fn bytes_of(&self, appliance: ApplianceId, state: WatchState) -> usize {
        let model = self.detectors.model(appliance);
        room::bytes_of(model, state, self.detectors.rests(appliance))
    }

    /// Counts appliances as what their detectors say now.
    fn recount(&mut self, appliances: impl IntoIterator<Item = ApplianceId>) {
        for appliance in appliances {
            let state = self.state_of(appliance);
            let bytes = self.bytes_of(appliance, state);
            if let Some(unit) = self.units.get_mut(&appliance) {
                let before = std::mem::replace(&mut unit.state, state);
                *self.states.entry(before).or_default() -= 1;
                *self.states.entry(state).or_default() += 1;
                self.bytes = self.bytes - std::mem::replace(&mut unit.bytes, bytes) + bytes;
            }
        }
    }

    fn drop_unit(&mut self, appliance: ApplianceId) {
        if let Some(unit) = self.units.remove(&appliance) {
            *self.states.entry(unit.state).or_default() -= 1;
            self.bytes -= unit.bytes;
            self.by_use.remove(&(unit.used, appliance));
            self.detectors.remove(appliance);
            self.highest.forget(appliance);
            self.shadow.remove(appliance);
        }
    }

    /// Scores new rows.
    pub fn score(&mut self, rows: Vec<StoredRow>, now: Instant) -> Scored {
        let reach = ScoredUpTo::reach(&rows);
        let rows = self.wanted(rows, now);
        let received = rows.iter().map(|row| row.received_at).collect();
        let Batch {
            judged,
            unjudged,
            changed,
            failed,
        } = self.give(rows, false);
        let mut told = std::mem::take(&mut self.ended);
        told.extend(judged.into_iter().flat_map(|judged| judged.news));
        let mut counts = UnjudgedCounts::default();
        unjudged.iter().for_each(|(_, why)| counts.add(*why));
        for up_to in &reach {
            let place = self.places.entry(up_to.partition).or_insert_with(|| Place::new(up_to));
            place.score(up_to);
        }
        Scored {
            commit: self.settle(&reach, told, &changed, now),
            received,
            unjudged: counts,
            failed,
        }
    }

    /// Gives detectors again what was scored: the rows of these stretches, all of them.
    pub fn repeat(&mut self, rows: Vec<StoredRow>, stretches: &[Stretch], now: Instant) -> Scored {
        let reach = ScoredUpTo::reach(&rows);
        let rows = self.wanted(rows, now);
        let Batch { failed, .. } = self.give(rows, true);
        for up_to in &reach {
            if let Some(place) = self.places.get_mut(&up_to.partition) {
                place.received_at = up_to.received_at.max(place.received_at);
            }
        }
        for stretch in stretches {
            if let Some(place) = self.places.get_mut(&stretch.partition) {
                place.repeat(stretch);
            }
        }
        Scored {
            commit: self.settle(&[], Vec::new(), &BTreeSet::new(), now),
            failed,
            ..Scored::default()
        }
    }

    /// Those of these rows that a detector waits for, noted as such.
    fn wanted(&mut self, mut rows: Vec<StoredRow>, now: Instant) -> Vec<StoredRow> {
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
        rows
    }

    fn give(&mut self, rows: Vec<StoredRow>, again: bool) -> Batch {
        let manner = Manner {
            again,
            windows: if self.is_careful { 1 } else { WINDOWS_MAX },
            progress: self.progress.as_ref(),
        };
        let given: BTreeSet<ApplianceId> = rows.iter().map(|row| row.appliance).collect();
        let in_shadow = if self.shadow.is_on() { rows.clone() } else { Vec::new() };
        let batch = self.detectors.score(rows, &manner);
        for judged in &batch.judged {
            self.highest.note(judged.row.appliance, &judged.verdict);
        }
        self.recount(given);
        self.shadow.give(&in_shadow, again);
        batch
    }

    /// Whether a detector waits for this row. A database that was killed may have forgotten how far scoring had come: what
    /// comes once more is not given twice.
    fn is_wanted(&self, row: &StoredRow) -> bool {
        let unit = self.units.get(&row.appliance);
        let is_new = self
            .places
            .get(&row.partition)
            .is_none_or(|place| row.ingest_no > place.read);
        is_reading(row) && is_new && unit.is_some_and(|unit| unit.is_watched && row.ingest_no > unit.after)
    }

    /// What is to be saved now: each appliance that tells something, whose turn it is, or that has to make room; and what is told
    /// of those of which that has changed.
    fn settle(
        &mut self,
        arrived: &[ScoredUpTo],
        observations: Vec<Observation>,
        changed: &BTreeSet<ApplianceId>,
        now: Instant,
    ) -> ScoringCommit {
        let watching = changed
            .iter()
            .filter_map(|appliance| Some((*appliance, self.detectors.watching(*appliance)?)));
        let watching = watching.collect();
        let mut saved: BTreeSet<ApplianceId> = observations.iter().map(Observation::appliance).collect();
        saved.extend(self.shadow.heard());
        if self.save_at.is_none_or(|at| now >= at) {
            let read = self.places.iter().map(|(partition, place)| (*partition, place.read));
            let due = self.ledger.due(read, now);
            saved.extend(due.appliances);
            self.save_at = if due.more { None } else { Some(now + SAVE_EVERY) };
        }
        let leaving = self.leaving();
        saved.extend(&leaving);

        let arrived: BTreeSet<u8> = arrived.iter().map(|up_to| up_to.partition).collect();
        let mut partitions = arrived.clone();
        let (mut checkpoints, mut scores) = (Vec::new(), Vec::new());
        for appliance in saved {
            let Some(span) = self.ledger.settle(appliance) else {
                continue;
            };
            partitions.insert(span.partition);
            let detectors = &self.detectors;
            let Some((model, state)) = detectors.model(appliance).zip(detectors.checkpoint(appliance)) else {
                continue;
            };
            scores.extend(self.highest.take(appliance, model.family()));
            checkpoints.push(Checkpoint {
                appliance,
                model: model.version().to_owned(),
                ingest_no: span.last,
                state,
            });
            checkpoints.extend(self.shadow.checkpoints(appliance, span.last));
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
            watching,
            scores,
            shadow: self.shadow.take(),
        }
    }

    /// Appliances that have to make room: those that were used longest ago, and not in this round.
    fn leaving(&self) -> Vec<ApplianceId> {
        let mut surplus = self.bytes.saturating_sub(self.bytes_max);
        let oldest = self.by_use.iter().take_while(|(used, _)| *used < self.round);
        let mut leaving = Vec::new();
        for (_, appliance) in oldest {
            if surplus == 0 {
                break;
            }
            let bytes = self.units.get(appliance).map_or(0, |unit| unit.bytes);
            surplus = surplus.saturating_sub(bytes);
            leaving.push(*appliance);
        }
        leaving
    }

    /// How far a partition has come, if rows have arrived or fewer have to be read again than before.
    fn offset(&mut self, partition: u8, arrived: bool) -> Option<ScoredUpTo> {
        let place = self.places.get_mut(&partition)?;
        let moves_on = place.keep(self.ledger.kept(partition));
        (arrived || moves_on).then_some(place.offset(partition))
    }
}
