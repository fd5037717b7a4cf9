//! The load: what a hub asks of its store while devices report, from its start on. Few rows at a time, so that a statement
//! that reads more than its own shows.

use crate::challenger;
use crate::explain::Plans;
use hub_core::budget::Month;
use hub_core::id::{ApplianceId, TraceId};
use hub_core::situation::Observation;
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_core::watching::{WatchState, Watching};
use hub_store::birth::{Birth, ResetReason, StateContent};
use hub_store::budget::{BudgetStore, MonthScore};
use hub_store::conformance::scene::{alarm, presence, repeated, stored};
use hub_store::lease::LeaseStore;
use hub_store::prediction::{Checkpoint, PredictionStore, ScoredUpTo, ScoringCommit};
use hub_store::retention::UpkeepStore;
use hub_store::session::{KeptSession, SessionChange, SessionStore};
use hub_store::telemetry::{Command, Ingest, Ingested, Partly, Quarantined, TelemetryStore};
use hub_store_postgres::PostgresStore;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use uuid::Uuid;

/// Devices that report, each a reading at a time.
pub const DEVICES: u64 = 8;
/// The family of all appliances.
pub const FAMILY: &str = "washing-machine";
/// The model that watches all appliances.
pub const MODEL: &str = "washing-machine/1";
/// Partitions: what a hub asks for when it does not know where something waits.
const PARTITIONS: u64 = 256;
/// Rows that wait for a follower at most; it takes more at a time.
const WAITING: u64 = 48;
const TAKEN: usize = 64;
/// Rows in a step of the aggregates: more wait.
const AGGREGATED: usize = 96;
/// Appliances that a sweep looks at in one step, and rows that it deletes then.
const SWEPT: u64 = 500;
const DELETED: usize = 40;
/// Packet identifiers: one that a device releases, and one that it holds until its session starts over or ends.
const RELEASED: u16 = 7;
const HELD: u16 = 8;
/// Every step, under the name by which its statements are known.
pub const STEPS: [&str; 21] = [
    "start of a hub",
    "first batch",
    "scorer",
    "roll-up",
    "upkeep",
    "aggregates",
    "count of samples",
    "ingest of CBOR",
    "ingest of JSON",
    "ingest of late rows",
    "ingest of doubtful repeats",
    "ingest of QoS 2",
    "ingest of what is said besides",
    "presence and commands",
    "sessions",
    "desk",
    "budgets",
    "floors",
    "doubt",
    "witness",
    "sweep",
];

/// One hub's load.
pub struct Load<'a> {
    pub store: &'a PostgresStore,
    pub plans: &'a Plans,
    /// Filled appliances, [`DEVICES`] of them.
    pub devices: &'a [ApplianceId],
    /// Of this load, on this database: its sequences and contents are new.
    pub number: u64,
    /// When everything is received.
    pub now: Timestamp,
    /// Something was stored before.
    pub is_filled: bool,
}

impl Load<'_> {
    /// From the start of a hub on.
    pub async fn run(&self) {
        self.start().await;
        self.readings().await;
        self.said().await;
        self.sessions().await;
        self.desk().await;
        self.budgets().await;
        self.floors().await;
        self.doubt().await;
        self.sweep().await;
    }

    /// As [`Load::run`], for a hub that runs already and knows nothing of what was stored behind its back.
    pub async fn go_on(&self) {
        self.plans.step("doubt", PARTITIONS);
        self.give_up(&self.batch(self.boot(5), 0, 0)).await;
        self.run().await;
    }

    async fn start(&self) {
        self.plans.step("start of a hub", PARTITIONS);
        self.store.all_offline("restart", self.now).await.unwrap();
        self.store.lease_state().await.unwrap();
        self.plans.step("first batch", PARTITIONS);
        self.store_new(&self.batch(self.boot(0), 0, 0)).await;
        let alarm = alarm(self.devices[0], "drain_pump_wear", 0.9);
        self.follow(PARTITIONS, vec![alarm]).await;
        self.plans.step("first batch", PARTITIONS);
        self.store_new(&self.batch(self.boot(0), 1, 0)).await;
        self.follow(PARTITIONS, Vec::new()).await;
    }

    async fn readings(&self) {
        self.plans.step("ingest of CBOR", DEVICES);
        for first in 2..5 {
            self.store_new(&self.batch(self.boot(0), first, 0)).await;
        }
        self.plans.step("ingest of JSON", DEVICES);
        for salt in 0..2 {
            let contents = self.contents(salt);
            self.store_new(&contents).await;
            let again = self.store.ingest(&contents).await.unwrap();
            assert!(again.iter().all(|answer| *answer == repeated(1)));
        }
        self.follow(
            WAITING,
            vec![Observation::Clear {
                appliance: self.devices[0],
            }],
        )
        .await;
        self.plans.step("ingest of late rows", DEVICES);
        for (first, days) in [(5, 35), (6, 64)] {
            self.store_new(&self.batch(self.boot(0), first, days)).await;
        }
        self.follow(WAITING, Vec::new()).await;
        self.doubtful().await;
        self.follow(WAITING, Vec::new()).await;
        self.once().await;
        self.follow(WAITING, Vec::new()).await;
    }

    /// Numbers far below what a guard in memory knows: some are stored, some are not. And the first of a sequence.
    async fn doubtful(&self) {
        self.plans.step("ingest of doubtful repeats", DEVICES);
        for (boot, first, is_known) in [(7, 1, true), (101, 10, true), (7, 5_000 + self.number, false)] {
            let answers = self.store.ingest(&self.batch(boot, first, 0)).await.unwrap();
            if self.is_filled {
                let expected = if is_known { repeated(1) } else { stored(1) };
                assert!(
                    answers.iter().all(|answer| *answer == expected),
                    "{boot} {first}: {answers:?}"
                );
            }
        }
        self.store_new(&self.batch(self.boot(1), 0, 0)).await;
    }

    async fn once(&self) {
        self.plans.step("ingest of QoS 2", DEVICES);
        let content = self.batch(self.boot(2), 0, 0);
        let released: Vec<Ingest> = content.into_iter().map(|content| once(content, RELEASED)).collect();
        self.store_new(&released).await;
        let again = self.store.ingest(&released).await.unwrap();
        assert!(again.iter().all(|answer| *answer == repeated(1)));
        let release = |appliance: &ApplianceId| Ingest::Release {
            appliance: *appliance,
            packet_id: RELEASED,
        };
        let release: Vec<Ingest> = self.devices.iter().map(release).collect();
        self.store.ingest(&release).await.unwrap();
        let content = self.batch(self.boot(2), 1, 0);
        let held: Vec<Ingest> = content.into_iter().map(|content| once(content, HELD)).collect();
        self.store_new(&held).await;
    }

    async fn said(&self) {
        self.plans.step("ingest of what is said besides", DEVICES);
        let said = self.devices.iter().flat_map(|appliance| self.said_by(*appliance));
        let said: Vec<Ingest> = said.chain(self.partly()).collect();
        for _ in 0..2 {
            self.store.ingest(&said).await.unwrap();
        }
        self.plans.step("presence and commands", DEVICES);
        for (online, reason) in [(true, "connected"), (false, "closed")] {
            let changes: Vec<_> = self
                .devices
                .iter()
                .map(|id| presence(*id, online, reason, self.now))
                .collect();
            self.store.presence(&changes).await.unwrap();
        }
        let command = Command {
            number: 0,
            sent: false,
            takes_cbor: false,
            request: format!("request-{}", self.number),
            body: "{}".into(),
            expires_at: self.now + SignedDuration::from_hours(1),
        };
        for appliance in self.devices {
            self.store.queue_command(*appliance, &command, self.now).await.unwrap();
            self.store.commands_waiting(&[*appliance], self.now).await.unwrap();
            self.store.clock_offsets(&[(*appliance, self.boot(0))]).await.unwrap();
        }
        assert!(!self.store.lease_lost(Duration::ZERO).await);
    }

    /// Each device's session begins, goes on and ends; in every batch there is some of each.
    async fn sessions(&self) {
        self.plans.step("sessions", DEVICES);
        let session = KeptSession {
            expiry_s: 3_600,
            subscriptions: vec![("d/wm-1/c/+".into(), 1)],
            unreleased: Vec::new(),
        };
        let kinds = [
            SessionChange::Begin(session.clone()),
            SessionChange::Keep(session),
            SessionChange::Forget,
        ];
        for round in 0..kinds.len() {
            let turns = kinds.iter().cycle().skip(round).cloned();
            let changes: Vec<(ApplianceId, SessionChange)> = self.devices.iter().copied().zip(turns).collect();
            self.store.change_sessions(&changes, self.now).await.unwrap();
        }
    }

    fn said_by(&self, appliance: ApplianceId) -> [Ingest; 7] {
        let at = self.now;
        let values = serde_json::json!({"firmware": self.number.to_string()});
        [
            Ingest::Clock {
                appliance,
                boot: self.boot(0),
                offset_ms: 5,
            },
            Ingest::State {
                appliance,
                payload: b"well".to_vec(),
                content: StateContent::Other,
                retain: true,
                at,
            },
            Ingest::State {
                appliance,
                payload: b"here".to_vec(),
                content: StateContent::Birth(Box::new(self.birth())),
                retain: true,
                at,
            },
            Ingest::Attributes {
                appliance,
                values: values.as_object().cloned().unwrap_or_default(),
                at,
            },
            Ingest::Reply {
                appliance,
                request: "nobody's".into(),
                payload: b"{}".to_vec(),
                at,
            },
            Ingest::Dropped { appliance, count: 3 },
            Ingest::Quarantine(self.unreadable(appliance)),
        ]
    }

    fn birth(&self) -> Birth {
        Birth {
            boot: self.boot(0),
            model: "WM7".into(),
            firmware: "1.4.2".into(),
            sdk: "0.1.0".into(),
            reset: ResetReason::PowerOn,
            takes_cbor: true,
            settings: 1,
            dropped_events: 2,
            dropped_telemetry: 3,
        }
    }

    /// Batches of which the hub does not know whether they were stored; the second time it may remember fewer sequences
    /// than have rows that are not rolled up.
    async fn doubt(&self) {
        self.plans.step("doubt", PARTITIONS);
        self.give_up(&self.batch(self.boot(3), 0, 0)).await;
        self.store.remember_at_most(4).await;
        self.give_up(&self.batch(self.boot(3), 1, 0)).await;
        self.store_new(&self.batch(self.boot(4), 0, 0)).await;
        self.store.remember_at_most(1_048_576).await;
        self.give_up(&self.batch(self.boot(4), 1, 0)).await;
        self.follow(PARTITIONS, Vec::new()).await;
    }

    /// Gives a batch up when it has reached the database, which may have stored it or not; then sends it again.
    async fn give_up(&self, batch: &[Ingest]) {
        {
            let mut ingest = pin!(self.store.ingest(batch));
            // On a busy machine the answer may be there already: then it was stored, and nobody hears of it.
            if let Poll::Ready(stored) =
                std::future::poll_fn(|context| Poll::Ready(ingest.as_mut().poll(context))).await
            {
                stored.unwrap();
            }
        }
        let answers = self.store.ingest(batch).await.unwrap();
        let is_whole = |answer: &Ingested| *answer == stored(1) || *answer == repeated(1);
        assert!(answers.iter().all(is_whole), "{answers:?}");
    }

    async fn sweep(&self) {
        self.plans.step("witness", 1);
        self.store.vouch(Some(self.now), Some(self.now)).await.unwrap();
        self.plans.step("sweep", SWEPT);
        let mut after = None;
        self.store.sweep_scores(self.now, DELETED).await.unwrap();
        let (mut weeks, mut rows) = (0, 0);
        for _ in 0..3 {
            let swept = self.store.sweep(self.now, after, DELETED).await.unwrap();
            weeks += swept.dropped.len();
            rows += swept.rows;
            after = swept.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(weeks > 0 && rows > 0, self.is_filled, "{weeks} weeks, {rows} rows");
    }

    /// All followers, each until nothing new waits for it; of the aggregates one step.
    async fn follow(&self, asked: u64, observations: Vec<Observation>) {
        self.score(asked, observations).await;
        self.plans.step("roll-up", asked);
        self.store.roll_up(TAKEN).await.unwrap();
        // With nothing to do it sees to its upkeep, when that is due.
        self.plans.step("upkeep", PARTITIONS);
        while self.store.roll_up(TAKEN).await.unwrap() > 0 {}
        self.plans.step("aggregates", asked.max(AGGREGATED as u64));
        self.store.aggregate(None, AGGREGATED, self.now).await.unwrap();
        self.plans.step("count of samples", PARTITIONS);
        self.store.samples_stored().await.unwrap();
    }

    async fn score(&self, asked: u64, mut observations: Vec<Observation>) {
        self.plans.step("scorer", asked);
        let families = ["washing-machine".to_owned()];
        // The first commit has offsets alone, as most have.
        let mut saves = false;
        loop {
            self.store.baselines_restarted().await.unwrap();
            let rows = self.store.unscored(TAKEN, Some(&families)).await.unwrap().rows;
            if rows.is_empty() {
                return;
            }
            assert!(rows.len() as u64 <= WAITING, "{} rows", rows.len());
            let appliances = Vec::from_iter(BTreeSet::from_iter(rows.iter().map(|row| row.appliance)));
            self.store.firmware_changes(&appliances).await.unwrap();
            let subjects = self.store.scoring_subjects(&appliances).await.unwrap();
            assert_eq!(subjects.len(), appliances.len());
            let commit = ScoringCommit {
                offsets: ScoredUpTo::reach(&rows),
                scores: appliances
                    .iter()
                    .filter(|_| saves)
                    .map(|id| self.score_of(*id))
                    .collect(),
                watching: appliances.iter().filter(|_| saves).map(watching).collect(),
                shadow: challenger::said(if saves { appliances.as_slice() } else { &[] }, self.now),
                checkpoints: appliances.into_iter().filter(|_| saves).map(checkpoint).collect(),
                observations: if saves {
                    std::mem::take(&mut observations)
                } else {
                    Vec::new()
                },
            };
            self.store.commit_scoring(&commit, self.now).await.unwrap();
            saves = true;
        }
    }

    /// Higher with each load.
    fn score_of(&self, appliance: ApplianceId) -> MonthScore {
        MonthScore {
            appliance,
            family: FAMILY.to_owned(),
            month: Month::at(self.now),
            score: self.number as f32,
        }
    }

    async fn store_new(&self, batch: &[Ingest]) {
        let answers: Vec<Ingested> = self.store.ingest(batch).await.unwrap();
        assert!(answers.iter().all(|answer| *answer == stored(1)), "{answers:?}");
    }

    /// A start of the devices that no load before has seen.
    fn boot(&self, start: u64) -> u64 {
        1_000 + self.number * 10 + start
    }

    /// A reading of each device, measured some days ago.
    fn batch(&self, boot: u64, first: u64, days: i64) -> Vec<Ingest> {
        let identity = Identity::Sequence {
            boot,
            lane: Lane::Telemetry,
            first,
        };
        let at = self.now - SignedDuration::from_hours(24 * days);
        let devices = self.devices.iter();
        devices.map(|id| self.reading(*id, identity.clone(), at)).collect()
    }

    /// The same in JSON, measured some seconds ago.
    fn contents(&self, seconds: i64) -> Vec<Ingest> {
        let at = self.now - SignedDuration::from_secs(10 * self.number.cast_signed() + seconds);
        let content = |id: &ApplianceId| self.reading(*id, Identity::Content(vec![true]), at);
        self.devices.iter().map(content).collect()
    }

    /// Readings in JSON of messages of which a part could not be taken.
    fn partly(&self) -> impl Iterator<Item = Ingest> {
        let at = self.now - SignedDuration::from_secs(10 * self.number.cast_signed() + 9);
        self.devices.iter().map(move |appliance| {
            Ingest::Partly(Box::new(Partly {
                taken: self.message(*appliance, Identity::Content(vec![true]), at),
                aside: self.unreadable(*appliance),
            }))
        })
    }

    fn unreadable(&self, appliance: ApplianceId) -> Quarantined {
        Quarantined {
            appliance,
            topic: "t".into(),
            payload: b"?".to_vec(),
            reason: "cannot be read".into(),
            received_at: self.now,
        }
    }

    fn reading(&self, appliance: ApplianceId, identity: Identity, at: Timestamp) -> Ingest {
        Ingest::Telemetry(self.message(appliance, identity, at))
    }

    fn message(&self, appliance: ApplianceId, identity: Identity, at: Timestamp) -> TelemetryMessage {
        TelemetryMessage {
            appliance,
            identity,
            samples: vec![Sample {
                at,
                values: vec![Some(1), None, Some(3)],
                extra: None,
            }],
            received_at: self.now,
            skew_ms: Some(12),
            trace: TraceId(Uuid::from_u128(7)),
        }
    }
}

fn once(content: Ingest, packet_id: u16) -> Ingest {
    Ingest::Once {
        appliance: content.appliance(),
        packet_id,
        content: Box::new(content),
    }
}

fn watching(appliance: &ApplianceId) -> (ApplianceId, Watching) {
    (*appliance, Watching::nothing(WatchState::Calibrating))
}

/// What a detector of [`MODEL`] holds.
pub fn checkpoint(appliance: ApplianceId) -> Checkpoint {
    Checkpoint {
        appliance,
        model: MODEL.into(),
        ingest_no: 1,
        state: vec![7; 1_000],
    }
}
