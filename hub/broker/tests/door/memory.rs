//! An honest store in memory for protocol tests: repeats are recognised, commits can be held, failed or poisoned.

use async_trait::async_trait;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::telemetry::{Identity, Lane, Sample, TelemetryMessage};
use hub_store::StoreError;
use hub_store::access::{AccessChange, Authority};
use hub_store::birth::{Birth, StateContent};
use hub_store::error::Result;
use hub_store::session::{Attributes, KeptSession};
use hub_store::telemetry::{
    COMMANDS_WAITING_MAX, Command, Device, Ingest, Ingested, PRESENCE_BATCH_MAX, PresenceChange, Quarantined,
    TelemetryStore, Unscored,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// What commits do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They succeed.
    Commit,
    /// They wait until the mode changes.
    Hold,
    /// They fail, and so does everything else.
    Fail,
}

/// A kind of question that can be held, whatever commits do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    LogIns,
    Sessions,
    Clocks,
    Commands,
    Presence,
    /// Whether the next batch may begin.
    Turns,
}

#[derive(Default)]
pub struct Stored {
    pub samples: Vec<(ApplianceId, Sample)>,
    pub messages: Vec<TelemetryMessage>,
    pub quarantined: Vec<Quarantined>,
    pub clocks: HashMap<(ApplianceId, u64), i64>,
    pub presence: Vec<(ApplianceId, bool, String)>,
    pub presence_writes: usize,
    pub replies: Vec<(ApplianceId, String, Vec<u8>)>,
    pub largest_batch: usize,
    pub dropped: HashMap<ApplianceId, u64>,
    pub states: BTreeMap<ApplianceId, (Vec<u8>, Timestamp)>,
    pub births: BTreeMap<ApplianceId, Birth>,
    /// Every state that came, retained or not.
    pub said: Vec<(ApplianceId, Vec<u8>)>,
    pub attributes: HashMap<ApplianceId, Attributes>,
    pub sessions: HashMap<ApplianceId, KeptSession>,
    pub unreleased: BTreeSet<(ApplianceId, u16)>,
    pub acknowledged: Vec<String>,
    /// From now on [`POISON`] is stored like anything else.
    pub cured: bool,
    /// Batches with a release are refused.
    pub no_release: bool,
    /// It does not exist any more.
    pub deleted: Option<ApplianceId>,
    pub claims: Vec<(ApplianceId, String, Timestamp)>,
    /// Secrets that new devices have made, by the device, and how often one of them was taken for the first time.
    pub made: BTreeMap<DeviceId, String>,
    pub uses: usize,
    /// Secrets that devices gave themselves while they were in, and those beside which the old one was ended.
    pub proposed: Vec<(ApplianceId, String)>,
    pub ended: Vec<(ApplianceId, String)>,
    pub identified: Vec<usize>,
    /// How many sessions were changed, each time that it was asked to.
    pub sessions_asked: Vec<usize>,
    /// So many of the next changes of sessions are lost on their way: the store fails.
    pub sessions_lost: usize,
    /// For how many boots, each time that it was asked for clocks; without the questions for its health.
    pub clocks_asked: Vec<usize>,
    /// For how many devices, each time that it was asked for commands.
    pub commands_asked: Vec<usize>,
    pub(crate) revoked: BTreeSet<ApplianceId>,
    pub(crate) changes: Vec<AccessChange>,
    pub(crate) authorities: Vec<Authority>,
    /// Authorities cannot be read now.
    pub authorities_away: bool,
    /// The next changes of access are told to nobody: an error comes in their place.
    pub changes_lost: bool,
    /// How often it was asked for changes of access: who asks again has acted on what it was told before.
    pub access_asked: usize,
    /// How often it was asked to commit.
    pub ingest_asked: usize,
    /// How often it was asked whether the next batch may begin.
    pub turns_asked: usize,
    /// Sound readings that were in a batch which failed for another one, each as often as that happened.
    pub held_up: usize,
    pub(crate) told: BTreeSet<ApplianceId>,
    sequences: BTreeSet<(ApplianceId, u64, u8, u64)>,
    contents: HashMap<(ApplianceId, Timestamp, String), Timestamp>,
    commands: BTreeMap<ApplianceId, Vec<Command>>,
    queued: BTreeSet<ApplianceId>,
}

pub struct MemoryTelemetry {
    pub(crate) devices: Vec<(Device, String)>,
    pub(crate) tokens: HashMap<String, usize>,
    pub stored: Mutex<Stored>,
    pub mode: watch::Sender<Mode>,
    /// What is held.
    shut: watch::Sender<Vec<Gate>>,
    queued: Notify,
    pub(crate) changed: Notify,
    pub(crate) told: Notify,
}

/// A sample that names this channel makes its whole batch fail as if the database were away.
pub const POISON: &str = "poison";

impl MemoryTelemetry {
    /// Devices as (tenant, device); each secret is `secret-of-<device>`, each token `TOKEN-<tenant>-<device>`.
    pub fn new(names: &[(&str, &str)], profile: &str) -> Self {
        let device = |(index, (tenant, device)): (usize, &(&str, &str))| Device {
            appliance: ApplianceId(index as i64 + 1),
            tenant: TenantId::new(*tenant).unwrap(),
            device: DeviceId::new(*device).unwrap(),
            profile: profile.into(),
        };
        let devices: Vec<_> = names.iter().enumerate().map(device).collect();
        let token = |(index, d): (usize, &Device)| (format!("TOKEN-{}-{}", d.tenant, d.device), index);
        Self {
            tokens: devices.iter().enumerate().map(token).collect(),
            devices: devices
                .into_iter()
                .map(|d| (d.clone(), format!("secret-of-{}", d.device)))
                .collect(),
            stored: Mutex::default(),
            mode: watch::channel(Mode::Commit).0,
            shut: watch::channel(Vec::new()).0,
            queued: Notify::new(),
            changed: Notify::new(),
            told: Notify::new(),
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Holds these kinds of questions from now on, and no others.
    pub fn shut(&self, gates: &[Gate]) {
        self.shut.send_replace(gates.to_vec());
    }

    pub(crate) async fn gate(&self, gate: Gate) {
        let mut shut = self.shut.subscribe();
        let _ = shut.wait_for(|shut| !shut.contains(&gate)).await;
    }

    pub fn with<T>(&self, look: impl FnOnce(&Stored) -> T) -> T {
        look(&self.stored.lock().unwrap())
    }

    /// Changes what is stored.
    pub fn change<T>(&self, change: impl FnOnce(&mut Stored) -> T) -> T {
        change(&mut self.stored.lock().unwrap())
    }

    pub(crate) fn check(&self) -> Result<()> {
        match *self.mode.borrow() {
            Mode::Fail => Err(away()),
            Mode::Commit | Mode::Hold => Ok(()),
        }
    }
}

pub(crate) fn away() -> StoreError {
    StoreError::Unavailable("connection refused".into())
}

impl Stored {
    fn take(&mut self, ingest: &Ingest) -> Ingested {
        match ingest {
            Ingest::Telemetry(message) => self.telemetry(message),
            Ingest::Clock {
                appliance,
                boot,
                offset_ms,
            } => {
                self.clocks.insert((*appliance, *boot), *offset_ms);
                Ingested { stored: 0, repeated: 0 }
            }
            Ingest::Quarantine(quarantined) => {
                self.quarantined.push(quarantined.clone());
                Ingested { stored: 1, repeated: 0 }
            }
            Ingest::State {
                appliance,
                payload,
                content,
                retain,
                at,
            } => {
                self.said.push((*appliance, payload.clone()));
                match content {
                    StateContent::Birth(birth) if *retain => {
                        self.births.insert(*appliance, Birth::clone(birth));
                    }
                    StateContent::Other if *retain => {
                        self.births.remove(appliance);
                    }
                    StateContent::Birth(_) | StateContent::Gone | StateContent::Other => {}
                }
                if *retain && payload.is_empty() {
                    self.states.remove(appliance);
                } else if *retain {
                    self.states.insert(*appliance, (payload.clone(), *at));
                }
                Ingested { stored: 1, repeated: 0 }
            }
            Ingest::Attributes { appliance, values, .. } => {
                let told = &mut self.attributes.entry(*appliance).or_default().client;
                told.extend(values.clone());
                Ingested { stored: 1, repeated: 0 }
            }
            Ingest::Reply {
                appliance,
                request,
                payload,
                ..
            } => {
                if let Some(waiting) = self.commands.get_mut(appliance) {
                    waiting.retain(|c| c.request != *request);
                }
                self.replies.push((*appliance, request.clone(), payload.clone()));
                Ingested { stored: 1, repeated: 0 }
            }
            Ingest::Dropped { appliance, count } => {
                *self.dropped.entry(*appliance).or_default() += u64::from(*count);
                Ingested { stored: 1, repeated: 0 }
            }
            Ingest::Once {
                appliance,
                packet_id,
                content,
            } => {
                if self.unreleased.insert((*appliance, *packet_id)) {
                    self.take(content)
                } else {
                    Ingested { stored: 0, repeated: 1 }
                }
            }
            Ingest::Release { appliance, packet_id } => {
                self.unreleased.remove(&(*appliance, *packet_id));
                Ingested { stored: 0, repeated: 0 }
            }
            Ingest::Replayed { .. } => panic!("only the console replays"),
        }
    }

    fn telemetry(&mut self, message: &TelemetryMessage) -> Ingested {
        let mut stored = 0;
        for (index, sample) in message.samples.iter().enumerate() {
            if self.is_new(message, index) {
                self.samples.push((message.appliance, sample.clone()));
                stored += 1;
            }
        }
        self.messages.push(message.clone());
        let repeated = message.samples.len() as u32 - stored;
        Ingested { stored, repeated }
    }

    pub fn commands_sent(&self) -> usize {
        self.commands.values().flatten().filter(|command| command.sent).count()
    }

    pub(crate) fn passed(&mut self, appliance: ApplianceId, requests: &[String]) {
        for command in self.commands.entry(appliance).or_default() {
            command.sent |= requests.contains(&command.request);
        }
    }

    fn is_new(&mut self, message: &TelemetryMessage, index: usize) -> bool {
        match &message.identity {
            Identity::Sequence { boot, lane, first } => {
                let lane = match lane {
                    Lane::Telemetry => 0,
                    Lane::Events => 1,
                };
                self.sequences
                    .insert((message.appliance, *boot, lane, first + index as u64))
            }
            Identity::Content(stated) if !stated[index] => true,
            Identity::Content(_) => {
                let sample = &message.samples[index];
                let content = format!("{:?} {:?}", sample.values, sample.extra);
                let key = (message.appliance, sample.at, content);
                let known = self.contents.insert(key, message.received_at);
                known.is_none_or(|at| message.received_at.duration_since(at).as_mins() >= 10)
            }
        }
    }
}

fn is_poison(ingest: &Ingest) -> bool {
    let content = match ingest {
        Ingest::Once { content, .. } => content,
        other => other,
    };
    matches!(content, Ingest::Telemetry(m) if m.samples.iter().any(|s| {
        s.extra.as_ref().is_some_and(|extra| extra.get("unknown").and_then(|unknown| unknown.get(POISON)).is_some())
    }))
}

#[async_trait]
impl TelemetryStore for MemoryTelemetry {
    async fn ingest(&self, batch: &[Ingest]) -> Result<Vec<Ingested>> {
        self.change(|s| s.ingest_asked += 1);
        let mut mode = self.mode.subscribe();
        let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
        self.check()?;
        let (cured, no_release, deleted) = self.with(|s| (s.cured, s.no_release, s.deleted));
        let faulty = |ingest: &Ingest| (!cured && is_poison(ingest)) || Some(ingest.appliance()) == deleted;
        if batch.iter().any(faulty) {
            self.change(|s| s.held_up += batch.iter().filter(|ingest| !faulty(ingest)).count());
        }
        if !cured && batch.iter().any(is_poison) {
            return Err(away());
        }
        if no_release && batch.iter().any(|ingest| matches!(ingest, Ingest::Release { .. })) {
            return Err(StoreError::Refused("no release".into()));
        }
        if let Some(gone) = batch.iter().map(Ingest::appliance).find(|id| Some(*id) == deleted) {
            let (what, id) = ("appliance", gone.to_string());
            return Err(StoreError::NotFound { what, id });
        }
        let mut stored = self.stored.lock().unwrap();
        stored.largest_batch = stored.largest_batch.max(batch.len());
        Ok(batch.iter().map(|ingest| stored.take(ingest)).collect())
    }

    async fn ingest_turn(&self) {
        self.change(|s| s.turns_asked += 1);
        self.gate(Gate::Turns).await;
    }

    async fn clock_offsets(&self, boots: &[(ApplianceId, u64)]) -> Result<Vec<Option<i64>>> {
        self.check()?;
        if boots.iter().any(|(appliance, _)| *appliance != ApplianceId(0)) {
            self.change(|s| s.clocks_asked.push(boots.len()));
            self.gate(Gate::Clocks).await;
        }
        Ok(self.with(|s| boots.iter().map(|boot| s.clocks.get(boot).copied()).collect()))
    }

    async fn presence(&self, changes: &[PresenceChange]) -> Result<()> {
        self.gate(Gate::Presence).await;
        self.check()?;
        assert!(changes.len() <= PRESENCE_BATCH_MAX);
        let mut stored = self.stored.lock().unwrap();
        stored.presence_writes += 1;
        for change in changes {
            stored
                .presence
                .push((change.appliance, change.online, change.reason.clone()));
        }
        Ok(())
    }

    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()> {
        let change = |(device, _): &(Device, String)| PresenceChange {
            appliance: device.appliance,
            online: false,
            reason: reason.into(),
            at,
        };
        let changes: Vec<_> = self.devices.iter().map(change).collect();
        self.presence(&changes).await
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, _now: Timestamp) -> Result<()> {
        let mut stored = self.stored.lock().unwrap();
        let waiting = stored.commands.entry(appliance).or_default();
        if waiting.iter().any(|c| c.request == command.request) {
            return Ok(());
        }
        if waiting.len() as i64 >= COMMANDS_WAITING_MAX {
            return Err(StoreError::Refused("too many commands wait".into()));
        }
        let number = 7_000 + waiting.len() as i64;
        waiting.push(Command {
            number,
            ..command.clone()
        });
        stored.queued.insert(appliance);
        self.queued.notify_one();
        Ok(())
    }

    async fn commands_waiting(
        &self,
        appliances: &[ApplianceId],
        now: Timestamp,
    ) -> Result<Vec<(ApplianceId, Command)>> {
        self.change(|s| s.commands_asked.push(appliances.len()));
        self.gate(Gate::Commands).await;
        self.check()?;
        let stored = self.stored.lock().unwrap();
        let of = |appliance: &ApplianceId| {
            let waiting = stored.commands.get(appliance).cloned().unwrap_or_default();
            let appliance = *appliance;
            let takes_cbor = stored.births.get(&appliance).is_some_and(|birth| birth.takes_cbor);
            waiting.into_iter().map(move |command| {
                let command = Command { takes_cbor, ..command };
                (appliance, command)
            })
        };
        let waiting = appliances.iter().flat_map(of);
        Ok(waiting.filter(|(_, command)| command.expires_at > now).collect())
    }

    async fn unscored(&self, _limit: usize, _families: Option<&[String]>) -> Result<Unscored> {
        Ok(Unscored::default())
    }

    async fn telemetry_arrived(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
    }

    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId> {
        let _ = tokio::time::timeout(patience, self.queued.notified()).await;
        std::mem::take(&mut self.stored.lock().unwrap().queued)
            .into_iter()
            .collect()
    }

    async fn samples_stored(&self) -> Result<i64> {
        Ok(self.with(|s| s.samples.len() as i64))
    }
}
