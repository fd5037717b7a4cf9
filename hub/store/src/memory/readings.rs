//! Readings as they are stored, and how repeats of them are recognised.

use super::without_nul;
use crate::bounds::GAP_MAX;
use crate::prediction::ScoredUpTo;
use crate::telemetry::StoredRow;
use hub_core::id::ApplianceId;
use hub_core::partition::PARTITIONS;
use hub_core::profile::ApplianceProfile;
use hub_core::telemetry::{Identity, Lane, REPEATS_WITHIN, Sample, TelemetryMessage, kept};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Readings and what recognises their repeats.
#[derive(Debug, Clone)]
pub(super) struct Telemetry {
    /// By partition, in the order of commits: the first has number 1.
    pub(super) partitions: Vec<Vec<Row>>,
    /// How far scoring has come, by partition.
    pub(super) scored: Vec<ScoredUpTo>,
    /// How often rows were asked for.
    pub(super) turns: usize,
    sequences: HashMap<(ApplianceId, u64, Lane), Sequence>,
    contents: HashMap<(ApplianceId, Timestamp), Vec<Content>>,
    /// UTC less uptime of the newest starts, oldest first.
    pub(super) offsets: BTreeMap<ApplianceId, Vec<(u64, i64)>>,
    /// QoS 2: stored, not released yet.
    pub(super) packets: BTreeSet<(ApplianceId, u16)>,
}

/// A stored sample.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) stored: StoredRow,
    /// It was kept long enough.
    pub(super) swept: bool,
    pub(super) extra: Option<Value>,
}

/// A JSON sample that was stored under a stated time.
#[derive(Debug, Clone)]
struct Content {
    values: Vec<Option<i32>>,
    extra: Option<Value>,
    received_at: Timestamp,
}

#[derive(Debug, Clone, Default)]
struct Sequence {
    stored: BTreeSet<u64>,
    /// What is below this number was before the sequence was first seen, and was never missed.
    first: u64,
}

fn nothing_scored(partition: u8) -> ScoredUpTo {
    ScoredUpTo {
        partition,
        ingest_no: 0,
        received_at: Timestamp::UNIX_EPOCH,
        kept_no: 0,
        kept_received_at: Timestamp::UNIX_EPOCH,
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            partitions: vec![Vec::new(); PARTITIONS],
            scored: (0..=u8::MAX).map(nothing_scored).collect(),
            turns: 0,
            sequences: HashMap::new(),
            contents: HashMap::new(),
            offsets: BTreeMap::new(),
            packets: BTreeSet::new(),
        }
    }
}

impl Sequence {
    /// Whether `seq` is new, and by how much the count of missing numbers changes with it.
    fn take(&mut self, seq: u64) -> Option<i64> {
        let mark = self.stored.last().copied();
        if !self.stored.insert(seq) {
            return None;
        }
        Some(match mark {
            None => {
                self.first = seq;
                0
            }
            Some(mark) if seq > mark => (seq - mark - 1).min(GAP_MAX).cast_signed(),
            Some(_) if seq > self.first => -1,
            Some(_) => 0,
        })
    }
}

impl Telemetry {
    /// Whether this sample is stored for the first time, and what that means for the count of missing ones.
    pub(super) fn take(&mut self, message: &TelemetryMessage, index: usize) -> Option<i64> {
        match &message.identity {
            Identity::Sequence { boot, lane, first } => {
                let sequence = self.sequences.entry((message.appliance, *boot, *lane)).or_default();
                sequence.take(first.wrapping_add(index as u64))
            }
            Identity::Content(stated) => match (stated.get(index), message.samples.get(index)) {
                (Some(true), Some(sample)) => self.take_content(message, sample),
                _ => Some(0),
            },
        }
    }

    fn take_content(&mut self, message: &TelemetryMessage, sample: &Sample) -> Option<i64> {
        let content = Content {
            values: kept(sample.values.clone()),
            extra: sample.extra.clone().map(without_nul),
            received_at: message.received_at,
        };
        let stored = self.contents.entry((message.appliance, sample.at)).or_default();
        let is_repeat = |before: &Content| {
            before.values == content.values
                && before.extra == content.extra
                && content.received_at.duration_since(before.received_at).abs() < REPEATS_WITHIN
        };
        if stored.iter().any(is_repeat) {
            return None;
        }
        stored.push(content);
        Some(0)
    }

    pub(super) fn push(
        &mut self,
        partition: u8,
        profile: &Arc<ApplianceProfile>,
        message: &TelemetryMessage,
        sample: &Sample,
    ) {
        let rows = &mut self.partitions[usize::from(partition)];
        let lane = match message.identity {
            Identity::Sequence { lane, .. } => lane,
            Identity::Content(_) => Lane::Telemetry,
        };
        rows.push(Row {
            stored: StoredRow {
                appliance: message.appliance,
                partition,
                ingest_no: rows.len() as i64 + 1,
                lane,
                at: sample.at,
                received_at: message.received_at,
                profile: Arc::clone(profile),
                values: kept(sample.values.clone()),
                trace: message.trace,
            },
            swept: false,
            extra: sample.extra.clone().map(without_nul),
        });
    }
}
