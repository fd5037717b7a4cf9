//! A store of one partition's rows, for tests of what happens between them and the detectors.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hub_core::id::{ApplianceId, TenantId, TraceId};
use hub_core::profile::ApplianceProfile;
use hub_core::shadow::ShadowSaid;
use hub_core::situation::Observation;
use hub_core::telemetry::Lane;
use hub_core::watching::Watching;
use hub_store::prediction::{Challenge, Checkpoint, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch};
use hub_store::telemetry::StoredRow;
use jiff::{SignedDuration, Timestamp};

use super::Watch;
use crate::registry::Registry;

pub(super) const PARTITION: u8 = 7;

/// The model of the pump rig alone.
pub(super) fn registry() -> Arc<Registry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/evaluation/pump-rig-1");
    Arc::new(Registry::load(&folder).unwrap())
}

/// Family `generic` alone, for the pump rig's profile.
pub(super) fn untrained() -> Arc<Registry> {
    let directory = tempfile::tempdir().unwrap();
    let profiles = directory.path().join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/profiles/pump-rig.toml");
    std::fs::copy(profile, profiles.join("pump-rig.toml")).unwrap();
    Arc::new(Registry::load(directory.path()).unwrap())
}

/// A row with nothing in it.
pub(super) fn row(appliance: i64, partition: u8, ingest_no: i64) -> StoredRow {
    let profile = ApplianceProfile {
        name: "none".to_owned(),
        version: 1,
        channels: Vec::new(),
    };
    StoredRow {
        appliance: ApplianceId(appliance),
        partition,
        ingest_no,
        lane: Lane::Telemetry,
        at: Timestamp::UNIX_EPOCH,
        received_at: Timestamp::UNIX_EPOCH,
        profile: Arc::new(profile),
        values: Vec::new(),
        trace: TraceId::new(Timestamp::UNIX_EPOCH, [0; 10]),
    }
}

/// Seconds of several pumps, one row of each a second, in the order of commits. The flow of pump 1 falls from second 250 to
/// second 400, and that of pump 2 from second 330 on; the others are sound.
pub(super) fn pumps(registry: &Registry, pumps: RangeInclusive<i64>, seconds: i64) -> Vec<StoredRow> {
    let profile = Arc::new(registry.get("pump-rig").unwrap().profile().clone());
    let start = Timestamp::from_second(1_700_000_000).unwrap();
    let mut rows = Vec::new();
    for second in 0..seconds {
        for pump in pumps.clone() {
            let noise = |k: i64| ((second * 7_919 + pump * 31_337 + k * 104_729) % 1_000) as f64 / 1_000.0 - 0.5;
            let since = match pump {
                1 if second < 400 => second - 250,
                2 => second - 330,
                _ => 0,
            };
            let lost = 0.06 * (since as f64 / 30.0).clamp(0.0, 1.0);
            let values = [
                0.21 + 0.004 * noise(1),
                0.27 + 0.004 * noise(2),
                2.0 + 0.5 * noise(3),
                0.2 + 0.5 * noise(4),
                90.0 + 0.2 * noise(5),
                26.0 + 0.02 * noise(6),
                230.0 + 20.0 * noise(7),
                (125.0 + noise(8)) * (1.0 - lost),
            ];
            let at = start + SignedDuration::from_secs(second);
            let stored = profile.channels.iter().zip(values);
            rows.push(StoredRow {
                at,
                received_at: at,
                profile: profile.clone(),
                values: stored.map(|(channel, value)| channel.quantise(value)).collect(),
                ..row(pump, PARTITION, rows.len() as i64 + 1)
            });
        }
    }
    rows
}

/// What outlives a scorer.
pub(super) struct Fake {
    pub(super) rows: Vec<StoredRow>,
    pub(super) offset: ScoredUpTo,
    pub(super) checkpoints: BTreeMap<ApplianceId, Checkpoint>,
    /// Those of challengers.
    pub(super) in_shadow: BTreeMap<ApplianceId, Checkpoint>,
    /// What challengers said, and what was told of them.
    pub(super) said: Vec<(ApplianceId, ShadowSaid)>,
    /// Since when they judge, as they said it first.
    pub(super) judged_from: BTreeMap<ApplianceId, Timestamp>,
    pub(super) begun: Vec<Challenge>,
    pub(super) dropped: BTreeMap<String, String>,
    pub(super) fresh_after: BTreeMap<ApplianceId, i64>,
    pub(super) told: Vec<Observation>,
    pub(super) watching: BTreeMap<ApplianceId, Watching>,
    /// How often that was told.
    pub(super) tellings: usize,
}

impl Fake {
    pub(super) fn new(rows: Vec<StoredRow>) -> Self {
        Self {
            rows,
            offset: ScoredUpTo {
                partition: PARTITION,
                ingest_no: 0,
                received_at: Timestamp::UNIX_EPOCH,
                kept_no: 0,
                kept_received_at: Timestamp::UNIX_EPOCH,
            },
            checkpoints: BTreeMap::new(),
            in_shadow: BTreeMap::new(),
            said: Vec::new(),
            judged_from: BTreeMap::new(),
            begun: Vec::new(),
            dropped: BTreeMap::new(),
            fresh_after: BTreeMap::new(),
            told: Vec::new(),
            watching: BTreeMap::new(),
            tellings: 0,
        }
    }

    /// A scorer that has just been started.
    pub(super) fn start(&self, registry: &Arc<Registry>, pumps_max: usize) -> Watch {
        let mut watch = Watch::new(registry.clone(), &[self.offset], Arc::new(()));
        watch.bytes_max = pumps_max * super::room::DETECTOR_BYTES;
        watch
    }

    fn between(&self, after: i64, up_to: i64) -> Vec<StoredRow> {
        let asked = self.rows.iter();
        let asked = asked.filter(|row| row.ingest_no > after && row.ingest_no <= up_to);
        asked.cloned().collect()
    }

    fn admit(&self, watch: &mut Watch, rows: &[StoredRow]) {
        for appliance in watch.missing(rows) {
            watch.admit(&ScoringSubject {
                appliance,
                tenant: TenantId::new("acme").unwrap(),
                profile: "pump-rig".to_owned(),
                appliance_model: "pump-rig".to_owned(),
                model: None,
                checkpoints: [&self.checkpoints, &self.in_shadow]
                    .into_iter()
                    .filter_map(|saved| saved.get(&appliance).cloned())
                    .collect(),
                fresh_after: self.fresh_after.get(&appliance).copied().unwrap_or(0),
            });
        }
    }

    /// One round: what is to be saved, and how many rows were given again; `None` if there is nothing to do.
    pub(super) fn round(&self, watch: &mut Watch, limit: i64, now: Instant) -> Option<(ScoringCommit, usize)> {
        let stretches: Vec<Stretch> = watch.again(usize::try_from(limit).unwrap(), usize::MAX);
        if let Some(stretch) = stretches.first() {
            let rows = self.between(stretch.after, stretch.up_to);
            self.admit(watch, &rows);
            let count = rows.len();
            return Some((watch.repeat(rows, &stretches, now).commit, count));
        }
        let rows = self.between(self.offset.ingest_no, self.offset.ingest_no + limit);
        if rows.is_empty() {
            return None;
        }
        self.admit(watch, &rows);
        Some((watch.score(rows, now).commit, 0))
    }

    /// Saves it as a store does.
    pub(super) fn commit(&mut self, commit: ScoringCommit) {
        for new in commit.offsets {
            let before = self.offset;
            assert!(
                new.ingest_no > before.ingest_no || new.ingest_no == before.ingest_no && new.kept_no > before.kept_no,
                "{new:?} after {before:?}"
            );
            self.offset = ScoredUpTo {
                kept_no: new.kept_no.max(before.kept_no),
                ..new
            };
        }
        assert!(self.offset.kept_no <= self.offset.ingest_no);
        for checkpoint in commit.checkpoints {
            let saved = match checkpoint.model.as_str() {
                "pump-rig/1" | "generic/1" => &mut self.checkpoints,
                _ => &mut self.in_shadow,
            };
            saved.insert(checkpoint.appliance, checkpoint);
        }
        let shadow = commit.shadow;
        self.begun.extend(shadow.begun);
        self.dropped.extend(shadow.dropped);
        for (_, appliance, said) in shadow.said {
            if let ShadowSaid::Judges { at } = said {
                self.judged_from.entry(appliance).or_insert(at);
                continue;
            }
            assert!(self.judged_from.contains_key(&appliance), "who says something judges");
            assert!(self.in_shadow.contains_key(&appliance), "saved with what it says");
            self.said.push((appliance, said));
        }
        self.tellings += commit.watching.len();
        self.watching.extend(commit.watching);
        // What tells something is saved with it.
        for observation in commit.observations {
            let saved = self.checkpoints.get(&observation.appliance()).unwrap();
            assert!(saved.ingest_no <= self.offset.ingest_no);
            self.told.push(observation);
        }
    }

    /// Scores all that is left; how many rows were given again.
    pub(super) fn run(&mut self, watch: &mut Watch, limit: i64, now: Instant) -> usize {
        let mut again = 0;
        while let Some((commit, repeated)) = self.round(watch, limit, now) {
            self.commit(commit);
            again += repeated;
        }
        again
    }
}
