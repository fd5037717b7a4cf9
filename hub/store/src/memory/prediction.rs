//! Scoring state, findings and the tickets they open.

use super::state::State;
use super::{MemoryStore, cursor, not_found, page};
use crate::error::{Result, StoreError};
use crate::floors::Fleet;
use crate::page::Page;
use crate::prediction::{
    Challenged, Checkpoint, KeptChallenge, PredictionStore, SAVED_MAX, SavedDetector, SavedDetectors, ScoredUpTo,
    ScoringCommit, ScoringSubject, Stretch,
};
use crate::telemetry::StoredRow;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::baseline::Baseline;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId};
use hub_core::situation::{Changes, FindingChange, Observation, SituationError};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[async_trait]
impl PredictionStore for MemoryStore {
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        let state = self.state();
        let asked: BTreeSet<ApplianceId> = appliances.iter().copied().collect();
        let known = asked.iter().filter_map(|id| state.appliances.get(id));
        known
            .map(|appliance| {
                Ok(ScoringSubject {
                    appliance: appliance.id,
                    tenant: appliance.tenant.clone(),
                    profile: appliance.profile.clone(),
                    appliance_model: state.appliance_model(appliance.id)?,
                    model: appliance.model.clone(),
                    checkpoints: state
                        .checkpoints_of(appliance.id)
                        .map(|(kept, _)| kept.clone())
                        .collect(),
                    fresh_after: state
                        .baselines
                        .get(&appliance.id)
                        .map_or(0, |baseline| baseline.fresh_after),
                })
            })
            .collect()
    }

    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        Ok(self.state().telemetry.scored.clone())
    }

    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>> {
        let state = self.state();
        let mut rows: Vec<StoredRow> = Vec::new();
        for stretch in stretches {
            let all = &state.telemetry.partitions[usize::from(stretch.partition)];
            let asked = all.iter().filter(|row| !row.swept).map(|row| &row.stored);
            let asked = asked.filter(|row| row.ingest_no > stretch.after && row.ingest_no <= stretch.up_to);
            rows.extend(asked.filter(|row| state.is_watched(row.appliance, families)).cloned());
        }
        rows.sort_by_key(|row| (row.partition, row.ingest_no));
        Ok(rows)
    }

    async fn commit_scoring(&self, scored: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>> {
        self.check_lease()?;
        let mut state = self.state();
        state.advance(scored)?;
        for checkpoint in &scored.checkpoints {
            state.save_checkpoint(checkpoint, now);
        }
        state.put_scores(&scored.scores);
        state.watching.extend(scored.watching.clone());
        state.save_shadow(&scored.shadow, now);
        let seen = scored.observations.iter().map(Observation::appliance);
        let asked: BTreeSet<ApplianceId> = state.findings_due(now).into_iter().chain(seen).collect();
        let mut situations = BTreeMap::new();
        for id in asked.into_iter().filter(|id| state.appliances.contains_key(id)) {
            situations.insert(id, state.situation(id, now)?);
        }
        let mut changes = Changes::default();
        let mut told = Vec::new();
        state.with_ids(|ids| {
            for observation in &scored.observations {
                if let Some(situation) = situations.get_mut(&observation.appliance()) {
                    told.extend(situation.observe(observation, ids, now, &mut changes)?);
                }
            }
            for situation in situations.values_mut() {
                told.extend(situation.end_cool_downs(ids, now, &mut changes)?);
            }
            Ok::<(), SituationError>(())
        })?;
        state.save(changes)?;
        drop(state);
        if !told.is_empty() {
            self.changed();
        }
        Ok(told)
    }

    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        Ok(self.state().take_restarted())
    }

    async fn saved_detectors(&self, actor: &Actor, appliance: ApplianceId) -> Result<SavedDetectors> {
        actor.may(Act::ReadAppliances)?;
        let state = self.state();
        let known = state.seen(actor, appliance)?;
        let saved = |(kept, saved_at): &(Checkpoint, Timestamp)| SavedDetector {
            model: kept.model.clone(),
            state: kept.state.clone(),
            saved_at: *saved_at,
        };
        let mut states: Vec<SavedDetector> = state.checkpoints_of(appliance).map(saved).collect();
        states.sort_by(|a, b| b.saved_at.cmp(&a.saved_at).then_with(|| a.model.cmp(&b.model)));
        states.truncate(SAVED_MAX);
        let (tenant, appliance_model) = (&known.tenant, state.appliance_model(appliance)?);
        let of_fleet = state.floors.values().filter(|floors| {
            let Fleet {
                tenant: of, profile, ..
            } = &floors.fleet;
            let is_own = of == tenant && *profile == known.profile && floors.appliance_model == appliance_model;
            is_own && states.iter().any(|state| state.model == floors.fleet.model)
        });
        let floors = of_fleet.map(|own| (own.fleet.model.clone(), own.floors.clone()));
        Ok(SavedDetectors {
            floors: floors.collect(),
            profile: known.profile.clone(),
            model: known.model.clone(),
            restarted: state.baselines.contains_key(&appliance),
            states,
        })
    }

    async fn firmware_changes(&self, appliances: &[ApplianceId]) -> Result<Vec<(ApplianceId, Timestamp)>> {
        Ok(self.state().firmware_changes(appliances))
    }

    async fn follow_firmware(&self, appliances: &[ApplianceId], now: Timestamp) -> Result<Vec<ApplianceId>> {
        self.check_lease()?;
        let restarted = self.state().follow_firmware(appliances, now)?;
        if !restarted.is_empty() {
            self.changed();
        }
        Ok(restarted)
    }

    async fn baseline(&self, actor: &Actor, appliance: ApplianceId) -> Result<Baseline> {
        actor.may(Act::ReadAppliances)?;
        self.state().baseline(actor, appliance)
    }

    async fn challenges(&self) -> Result<Vec<KeptChallenge>> {
        let state = self.state();
        Ok(state.shadows.values().map(|shadow| shadow.kept.clone()).collect())
    }

    async fn challenged(&self, family: &str, after: Option<ApplianceId>, limit: usize) -> Result<Vec<Challenged>> {
        Ok(self.state().challenged(family, after, limit))
    }

    async fn findings(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        actor.may(Act::ReadFindings)?;
        let below = cursor::<Uuid>(after)?.map_or(FindingId(Uuid::max()), FindingId);
        let state = self.state();
        let seen = state.findings.range(..below).rev().map(|(_, finding)| finding);
        let seen = seen.filter(|finding| state.reaches(actor, finding.appliance)).cloned();
        Ok(page(seen, limit, |finding| finding.id.to_string()))
    }

    async fn finding(&self, actor: &Actor, id: FindingId) -> Result<Finding> {
        actor.may(Act::ReadFindings)?;
        let state = self.state();
        let finding = state
            .findings
            .get(&id)
            .filter(|finding| state.reaches(actor, finding.appliance));
        finding.cloned().ok_or_else(|| not_found("finding", id))
    }
}

impl State {
    /// Moves the offsets on, each only forward; refuses before anything has changed.
    fn advance(&mut self, scored: &ScoringCommit) -> Result<()> {
        let offsets = &mut self.telemetry.scored;
        let stored = |new: &ScoredUpTo| offsets[usize::from(new.partition)];
        let moves_on = |new: &ScoredUpTo| {
            let (new, before) = ((new.ingest_no, new.kept_no), stored(new));
            new.0 > before.ingest_no || new.0 == before.ingest_no && new.1 > before.kept_no
        };
        if !scored.offsets.iter().all(moves_on) {
            return Err(StoreError::Conflict(
                "another scorer has saved these rows already; load the checkpoints again".to_owned(),
            ));
        }
        if let Some(unknown) = scored
            .checkpoints
            .iter()
            .find(|c| !self.appliances.contains_key(&c.appliance))
        {
            return Err(StoreError::Refused(format!(
                "there is no appliance {}",
                unknown.appliance
            )));
        }
        for new in &scored.offsets {
            let before = &mut offsets[usize::from(new.partition)];
            before.ingest_no = new.ingest_no;
            before.received_at = new.received_at.max(before.received_at);
            if new.kept_no > before.kept_no {
                (before.kept_no, before.kept_received_at) = (new.kept_no, new.kept_received_at);
            }
        }
        Ok(())
    }

    /// The checkpoints of all models, unless the baseline was restarted.
    fn checkpoints_of(&self, appliance: ApplianceId) -> impl Iterator<Item = &(Checkpoint, Timestamp)> {
        let own = self.checkpoints.range((appliance, String::new())..);
        let own = own.take_while(move |((of, _), _)| *of == appliance);
        let own = own.filter(move |_| !self.is_restarted(appliance));
        own.map(|(_, kept)| kept)
    }

    /// A checkpoint of a detector whose baseline was restarted meanwhile is left out.
    fn save_checkpoint(&mut self, checkpoint: &Checkpoint, now: Timestamp) {
        if !self.is_restarted(checkpoint.appliance) {
            let key = (checkpoint.appliance, checkpoint.model.clone());
            self.checkpoints.insert(key, (checkpoint.clone(), now));
        }
    }
}
