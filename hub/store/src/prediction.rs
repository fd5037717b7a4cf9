//! Scoring state and findings: saved together, so that a restart sees the same windows and raises the same alarms.

use crate::budget::MonthScore;
use crate::error::Result;
use crate::page::Page;
use crate::telemetry::StoredRow;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::baseline::Baseline;
use hub_core::finding::Finding;
use hub_core::id::{ApplianceId, FindingId, TenantId};
use hub_core::shadow::{ChampionAlarm, ShadowAlarms, ShadowSaid};
use hub_core::situation::{FindingChange, Observation};
use hub_core::watching::Watching;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a detector remembers of one appliance: one for each model that has watched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Model and version that wrote it.
    pub model: String,
    /// `ingest_no` of the appliance's last row that is in it.
    pub ingest_no: i64,
    /// The detector's state.
    pub state: Vec<u8>,
}

/// How far the scorer has come in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoredUpTo {
    /// Partition.
    pub partition: u8,
    /// `ingest_no` of the last row scored.
    pub ingest_no: i64,
    /// Newest `received_at` of the rows scored with it, the last one included.
    pub received_at: Timestamp,
    /// Rows up to this one are in checkpoints, or need none. After a restart those above it are read again, up to
    /// `ingest_no`; so they and what tells where they are must be kept until then.
    pub kept_no: i64,
    /// Newest `received_at` of the rows up to `kept_no`, or an earlier moment.
    pub kept_received_at: Timestamp,
}

impl ScoredUpTo {
    /// How far these rows reach, in each of their partitions, for a scorer of which no row is needed any more.
    pub fn reach(rows: &[StoredRow]) -> Vec<Self> {
        let mut reach: BTreeMap<u8, Self> = BTreeMap::new();
        for row in rows {
            let up_to = reach.entry(row.partition).or_insert(Self {
                partition: row.partition,
                ingest_no: row.ingest_no,
                received_at: row.received_at,
                kept_no: row.ingest_no,
                kept_received_at: row.received_at,
            });
            up_to.ingest_no = row.ingest_no.max(up_to.ingest_no);
            up_to.received_at = row.received_at.max(up_to.received_at);
            (up_to.kept_no, up_to.kept_received_at) = (up_to.ingest_no, up_to.received_at);
        }
        reach.into_values().collect()
    }
}

/// Rows of one partition that were scored: those above `after`, up to `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Partition.
    pub partition: u8,
    /// `ingest_no` of the row before the first.
    pub after: i64,
    /// `ingest_no` of the last one.
    pub up_to: i64,
    /// Newest `received_at` of the rows up to `after`, or an earlier moment.
    pub received_at: Timestamp,
}

/// Result of scoring a batch of rows, saved in one transaction.
#[derive(Debug, Clone, Default)]
pub struct ScoringCommit {
    /// New offsets. Each moves on: its `ingest_no` lies above the stored one, or is the same and its `kept_no` lies above.
    /// A `kept_no` below the stored one leaves that as it is.
    pub offsets: Vec<ScoredUpTo>,
    /// New states, in any order.
    pub checkpoints: Vec<Checkpoint>,
    /// In the order in which they were seen.
    pub observations: Vec<Observation>,
    /// What is told of appliances from now on. It may be told again after a restart.
    pub watching: BTreeMap<ApplianceId, Watching>,
    /// Highest scores of months that have grown, of appliances whose checkpoints are saved with them.
    pub scores: Vec<MonthScore>,
    /// What challengers say. It opens nothing.
    pub shadow: ShadowCommit,
}

/// A model that is scored beside the one that is served of its family, its champion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The family.
    pub family: String,
    /// Model and version of the challenger.
    pub model: String,
    /// SHA-256 of its files, in hex.
    pub hash: String,
    /// Model and version of the champion.
    pub champion: String,
}

/// What comes of challengers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShadowCommit {
    /// Challenges that are on. One that is new takes the place of the one before it of its family, with all that was kept of it;
    /// one that is known goes on, also where its challenger had been dropped.
    pub begun: Vec<Challenge>,
    /// What challengers say of appliances, by family, in the order in which they said it.
    pub said: Vec<(String, ApplianceId, ShadowSaid)>,
    /// Families whose challenger is scored no more, since it failed, and why.
    pub dropped: BTreeMap<String, String>,
}

impl ShadowCommit {
    /// There is nothing to save.
    pub fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.said.is_empty() && self.dropped.is_empty()
    }
}

/// A challenge as it is kept: until another one of its family begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptChallenge {
    /// The challenge.
    pub challenge: Challenge,
    /// When it began.
    pub begun_at: Timestamp,
    /// When its challenger was dropped and why, if it was.
    pub dropped: Option<(Timestamp, String)>,
}

/// What both say of one appliance that the challenger judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenged {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Alarms of the champion: findings that rose since the challenger judged there, or stood then.
    pub champion: Vec<ChampionAlarm>,
    /// Alarms of the challenger, and since when it has judged.
    pub challenger: ShadowAlarms,
}

/// What scoring needs to know of an appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoringSubject {
    /// The appliance.
    pub appliance: ApplianceId,
    /// Tenant that owns it.
    pub tenant: TenantId,
    /// Profile it reports by, which is also its model family.
    pub profile: String,
    /// What its device says it is, or else its profile.
    pub appliance_model: String,
    /// Another model folder than the family's own.
    pub model: Option<String>,
    /// The last checkpoint of each model, unless the baseline was restarted since.
    pub checkpoints: Vec<Checkpoint>,
    /// The baseline was restarted when the rows up to this one had been scored: they say nothing of it. 0 if it never was.
    pub fresh_after: i64,
}

/// States of one appliance that are shown at a time: those that were saved last.
pub const SAVED_MAX: usize = 16;

/// What detectors have saved of an appliance, for a person who looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedDetectors {
    /// Profile it reports by, which is also its model family.
    pub profile: String,
    /// Another model folder than the family's own.
    pub model: Option<String>,
    /// The baseline was restarted at some time. What was saved before is not in `states`.
    pub restarted: bool,
    /// One for each model that has watched it, the newest first, at most [`SAVED_MAX`].
    pub states: Vec<SavedDetector>,
    /// Floors of its fleet in force, by model and version, as [`crate::floors::FleetFloors`] has them; those of `states` alone.
    pub floors: BTreeMap<String, BTreeMap<String, f64>>,
}

/// The state of one detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDetector {
    /// Model and version that wrote it.
    pub model: String,
    /// The state, as in [`Checkpoint`].
    pub state: Vec<u8>,
    /// When it was saved.
    pub saved_at: Timestamp,
}

/// Scoring state and findings.
#[async_trait]
pub trait PredictionStore: Send + Sync {
    /// What scoring needs to know of these appliances.
    async fn scoring_subjects(&self, appliances: &[ApplianceId]) -> Result<Vec<ScoringSubject>>;

    /// How far scoring has come in each partition.
    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>>;

    /// Rows of these stretches, by partition and commit order. With `families`, only those of appliances of these (the
    /// model's name, or else the profile's). The caller bounds them: each stretch has as many rows as numbers, at most.
    async fn scored_rows(&self, stretches: &[Stretch], families: Option<&[String]>) -> Result<Vec<StoredRow>>;

    /// Saves a scored batch: offsets, checkpoints, findings and the tickets they open, all or nothing. Findings are
    /// placed by [`hub_core::finding::place`] and there is at most one open ticket for (appliance, fault class),
    /// whatever else runs at the same time. Open findings whose cool-down has ended get their ticket, whichever batch it
    /// is. A batch without findings may be forgotten if the database ends within a second: then nothing of it has
    /// happened, nor of a later one. `Conflict` if another scorer was faster.
    async fn commit_scoring(&self, commit: &ScoringCommit, now: Timestamp) -> Result<Vec<FindingChange>>;

    /// Appliances whose baseline was restarted (repair, new owner, other firmware) since they were last asked for; their detectors
    /// must be dropped, and new ones take only rows that are not scored yet. What was told of whether they are watched is
    /// gone. `Conflict` if it cannot be known whether they were told.
    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>>;

    /// What detectors have saved of one appliance.
    async fn saved_detectors(&self, actor: &Actor, appliance: ApplianceId) -> Result<SavedDetectors>;
    /// Those of these appliances whose firmware is another than the one that their baseline was learned under, and since when:
    /// readings that were received then or later are of the other one.
    async fn firmware_changes(&self, appliances: &[ApplianceId]) -> Result<Vec<(ApplianceId, Timestamp)>>;

    /// Restarts the baselines of those of these appliances for which that is due
    /// ([`Situation::follow_firmware`](hub_core::situation::Situation::follow_firmware)), and answers with which they are; they
    /// are told by [`PredictionStore::baselines_restarted`] then.
    async fn follow_firmware(&self, appliances: &[ApplianceId], now: Timestamp) -> Result<Vec<ApplianceId>>;

    /// Firmware of an appliance, and why its baseline has started over.
    async fn baseline(&self, actor: &Actor, appliance: ApplianceId) -> Result<Baseline>;

    /// Challenges that are kept, by family.
    async fn challenges(&self) -> Result<Vec<KeptChallenge>>;

    /// Appliances that the challenger of this family has judged, with the alarms of both since then, in order of id, those behind
    /// `after`, at most `limit`; none where there is no challenge.
    async fn challenged(&self, family: &str, after: Option<ApplianceId>, limit: usize) -> Result<Vec<Challenged>>;

    /// Findings, newest first.
    async fn findings(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<Finding>>;

    /// One finding.
    async fn finding(&self, actor: &Actor, id: FindingId) -> Result<Finding>;
}
