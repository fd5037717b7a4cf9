//! Readings in and out, presence and commands.

use super::state::State;
use super::{MemoryStore, not_found};
use crate::bounds::PRESENCE_REASON_MAX;
use crate::error::Result;
use crate::telemetry::{Command, Ingest, Ingested, PresenceChange, StoredRow, TelemetryStore, Unscored};
use async_trait::async_trait;
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use std::time::Duration;

#[async_trait]
impl TelemetryStore for MemoryStore {
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        self.check_lease()?;
        let mut state = self.state();
        let mut appliances = batch.iter().map(Ingest::appliance);
        if let Some(unknown) = appliances.find(|id| !state.appliances.contains_key(id)) {
            return Err(not_found("appliance", unknown));
        }
        let answers: Vec<Ingested> = batch
            .iter()
            .map(|item| state.take(item, &self.shared.profiles))
            .collect();
        drop(state);
        if answers.iter().any(|answer| answer.stored > 0) {
            self.signals().telemetry();
        }
        Ok(answers)
    }

    async fn clock_offsets(&self, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
        let state = self.state();
        let offset = |(appliance, boot): &(ApplianceId, u64)| {
            let offsets = state.telemetry.offsets.get(appliance).map_or(&[][..], Vec::as_slice);
            offsets.iter().find(|(of, _)| of == boot).map(|(_, offset)| *offset)
        };
        Ok(boots.iter().map(offset).collect())
    }

    async fn presence(&self, changes: &[PresenceChange]) -> Result<()> {
        let mut state = self.state();
        for change in changes {
            if let Some(appliance) = state.appliances.get_mut(&change.appliance) {
                appliance.status.online = change.online;
                appliance.status.presence_reason = reason(&change.reason);
                appliance.status.presence_at = Some(change.at);
            }
        }
        Ok(())
    }

    async fn all_offline(&self, why: &str, at: Timestamp) -> Result<()> {
        let mut state = self.state();
        for appliance in state.appliances.values_mut().filter(|a| a.status.online) {
            appliance.status.online = false;
            appliance.status.presence_reason = reason(why);
            appliance.status.presence_at = Some(at);
        }
        Ok(())
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()> {
        // Expired they are by the time of asking, deleted as far as somebody vouches for it.
        let vouched = self.hub.gate.as_of(now);
        if self.state().queue(appliance, command, now, vouched)? {
            self.signals().command(appliance);
        }
        Ok(())
    }

    async fn commands_waiting(
        &self,
        appliances: &[ApplianceId],
        now: Timestamp,
    ) -> Result<Vec<(ApplianceId, Command)>> {
        let state = self.state();
        let of = |appliance: &ApplianceId| {
            let appliance = *appliance;
            let waiting = state.waiting(appliance, now).into_iter();
            waiting.map(move |command| (appliance, command))
        };
        Ok(appliances.iter().flat_map(of).collect())
    }

    async fn unscored(&self, limit: usize, families: Option<&[String]>) -> Result<Unscored> {
        let mut state = self.state();
        state.telemetry.turns += 1;
        let telemetry = &state.telemetry;
        let scored = |partition: usize| telemetry.scored[partition].ingest_no;
        let backlog = |partition: &usize| telemetry.partitions[*partition].len() as i64 > scored(*partition);
        let mut due: Vec<usize> = (0..telemetry.partitions.len()).filter(backlog).collect();
        if due.is_empty() {
            return Ok(Unscored::default());
        }
        // Every partition with a backlog gets its share, and not always the same one comes first.
        let share = (limit / due.len()).max(1);
        let start = telemetry.turns % due.len();
        due.rotate_left(start);
        let mut waiting: Vec<Vec<&StoredRow>> = Vec::new();
        for partition in due {
            let from = usize::try_from(scored(partition)).unwrap_or(0);
            let all = telemetry.partitions[partition][from..].iter().filter(|row| !row.swept);
            // One more than may be read tells whether that is all.
            waiting.push(all.map(|row| &row.stored).take(limit.saturating_add(1)).collect());
        }
        let (taken, more) = portions(&waiting, share, limit);
        let watched = |row: &&StoredRow| state.is_watched(row.appliance, families);
        let mut rows: Vec<StoredRow> = Vec::new();
        for (waiting, taken) in waiting.iter().zip(taken) {
            let read = &waiting[..taken];
            let last = read.last().copied().filter(|row| !watched(row));
            rows.extend(read.iter().copied().filter(watched).cloned());
            rows.extend(last.map(|row| StoredRow {
                values: Vec::new(),
                ..row.clone()
            }));
        }
        rows.sort_by_key(|row| (row.partition, row.ingest_no));
        Ok(Unscored { rows, more })
    }

    async fn telemetry_arrived(&self, patience: Duration) {
        self.signals().wait_telemetry(patience).await;
    }

    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId> {
        self.signals().wait_command(patience).await
    }

    async fn samples_stored(&self) -> Result<i64> {
        let state = self.state();
        let rows = state.telemetry.partitions.iter().map(Vec::len);
        Ok(rows.sum::<usize>() as i64)
    }
}

impl State {
    /// Whether an appliance is of one of these families: its model's name, or else its profile's.
    pub(super) fn is_watched(&self, appliance: ApplianceId, families: Option<&[String]>) -> bool {
        let family = self.appliances.get(&appliance);
        let family = family.map(|a| a.model.as_ref().unwrap_or(&a.profile));
        families.is_none_or(|families| family.is_some_and(|family| families.contains(family)))
    }
}

/// How many rows to read of each partition: its share, and of what others leave as much as there is; and whether some are
/// left out.
fn portions(waiting: &[Vec<&StoredRow>], share: usize, limit: usize) -> (Vec<usize>, bool) {
    let mut left = limit;
    let mut taken = vec![0; waiting.len()];
    for most in [share, limit] {
        for (rows, taken) in waiting.iter().zip(&mut taken) {
            let further = (rows.len().min(most) - *taken).min(left);
            *taken += further;
            left -= further;
        }
    }
    let more = waiting.iter().zip(&taken).any(|(rows, taken)| rows.len() > *taken);
    (taken, more)
}

/// As much of it as is kept.
fn reason(reason: &str) -> String {
    super::text(reason).chars().take(PRESENCE_REASON_MAX).collect()
}
