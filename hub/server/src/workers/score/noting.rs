//! The store in memory, and what a scorer says to it and asks of it. It can be slow to look, and refuse what is to be saved.

use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::baseline::Baseline;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId};
use hub_core::situation::FindingChange;
use hub_store::StoreError;
use hub_store::error::Result;
use hub_store::memory::MemoryStore;
use hub_store::page::Page;
use hub_store::prediction::{
    Challenged, KeptChallenge, PredictionStore, SavedDetectors, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch,
};
use hub_store::telemetry::{Command, Ingest, Ingested, PresenceChange, StoredRow, TelemetryStore, Unscored};
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Why this is not saved, if it is not.
pub(super) type Refusal = fn(&ScoringCommit) -> Option<StoreError>;

/// See the module.
pub(super) struct Noting {
    store: Arc<MemoryStore>,
    /// A look at the rows takes as long as this.
    slow: Duration,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    said: Vec<Duration>,
    rounds: Vec<Instant>,
    commits: usize,
    refusal: Option<Refusal>,
}

impl Noting {
    pub(super) fn new(store: Arc<MemoryStore>, slow: Duration) -> Self {
        Self {
            store,
            slow,
            heard: Mutex::default(),
        }
    }

    /// What is refused from now on.
    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        self.heard.lock().unwrap().refusal = refusal;
    }

    /// How far behind the scorer has said it is since this was asked last.
    pub(super) fn said(&self) -> Vec<Duration> {
        std::mem::take(&mut self.heard.lock().unwrap().said)
    }

    /// How often it wanted something saved since this was asked last.
    pub(super) fn commits(&self) -> usize {
        std::mem::take(&mut self.heard.lock().unwrap().commits)
    }

    /// When each of its rounds began, by what it asks first.
    pub(super) fn rounds(&self) -> Vec<Instant> {
        self.heard.lock().unwrap().rounds.clone()
    }
}

#[async_trait]
impl PredictionStore for Noting {
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        self.store.scoring_subjects(appliances).await
    }

    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        self.store.scored_up_to().await
    }

    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>> {
        self.store.scored_rows(stretches, families).await
    }

    async fn commit_scoring(&self, commit: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>> {
        let refusal = {
            let mut heard = self.heard.lock().unwrap();
            heard.commits += 1;
            heard.refusal
        };
        match refusal.and_then(|refusal| refusal(commit)) {
            Some(error) => Err(error),
            None => self.store.commit_scoring(commit, now).await,
        }
    }

    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        self.heard.lock().unwrap().rounds.push(Instant::now());
        self.store.baselines_restarted().await
    }

    async fn saved_detectors(&self, actor: &Actor, appliance: ApplianceId) -> Result<SavedDetectors> {
        self.store.saved_detectors(actor, appliance).await
    }

    async fn firmware_changes(&self, appliances: &[ApplianceId]) -> Result<Vec<(ApplianceId, Timestamp)>> {
        self.store.firmware_changes(appliances).await
    }

    async fn follow_firmware(&self, appliances: &[ApplianceId], now: Timestamp) -> Result<Vec<ApplianceId>> {
        self.store.follow_firmware(appliances, now).await
    }

    async fn baseline(&self, actor: &Actor, appliance: ApplianceId) -> Result<Baseline> {
        self.store.baseline(actor, appliance).await
    }

    async fn challenges(&self) -> Result<Vec<KeptChallenge>> {
        self.store.challenges().await
    }

    async fn challenged(&self, family: &str, after: Option<ApplianceId>, limit: usize) -> Result<Vec<Challenged>> {
        self.store.challenged(family, after, limit).await
    }

    async fn findings(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        self.store.findings(actor, after, limit).await
    }

    async fn finding(&self, actor: &Actor, id: FindingId) -> Result<Finding> {
        self.store.finding(actor, id).await
    }
}

#[async_trait]
impl TelemetryStore for Noting {
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        self.store.ingest(batch).await
    }

    async fn clock_offsets(&self, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
        self.store.clock_offsets(boots).await
    }

    async fn presence(&self, changes: &[PresenceChange]) -> Result<()> {
        self.store.presence(changes).await
    }

    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()> {
        self.store.all_offline(reason, at).await
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()> {
        self.store.queue_command(appliance, command, now).await
    }

    async fn commands_waiting(
        &self,
        appliances: &[ApplianceId],
        now: Timestamp,
    ) -> Result<Vec<(ApplianceId, Command)>> {
        self.store.commands_waiting(appliances, now).await
    }

    async fn unscored(&self, limit: usize, families: Option<&[String]>) -> Result<Unscored> {
        tokio::time::sleep(self.slow).await;
        self.store.unscored(limit, families).await
    }

    fn scoring_is_behind(&self, by: Duration) {
        self.heard.lock().unwrap().said.push(by);
    }

    async fn telemetry_arrived(&self, patience: Duration) {
        self.store.telemetry_arrived(patience).await;
    }

    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId> {
        self.store.command_queued(patience).await
    }

    async fn samples_stored(&self) -> Result<i64> {
        self.store.samples_stored().await
    }
}
