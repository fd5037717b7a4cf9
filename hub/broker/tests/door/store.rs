//! The store in memory behind the door, which can be held, failed or poisoned, and tells what it was asked.

use crate::{NOW, family};
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::site::{Device, Site};
use hub_core::telemetry::{Sample, TelemetryMessage};
use hub_store::StoreError;
use hub_store::access::{AccessChange, Authority};
use hub_store::birth::Birth;
use hub_store::credential::{ClaimGrant, DeviceCredentials, TenantCredentials};
use hub_store::device::DeviceStore;
use hub_store::error::Result;
use hub_store::lease::LeaseStore;
use hub_store::memory::MemoryStore;
use hub_store::session::{KeptSession, SessionStore};
use hub_store::site::{ApplianceView, SiteStore};
use hub_store::telemetry::{Ingest, Ingested, Quarantined};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use tokio::sync::{Notify, watch};

/// Token of an integrator of acme who may read everything of its devices.
pub const READER: &str = "int_reader-of-acme-0123456789abcdef0123456789";
/// Token of a claim credential of acme, and for how many devices it is.
pub const CLAIM: &str = "claim_factory-of-acme-0123456789abcdef01234567";
pub const CLAIM_USES: u32 = 9;

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
    /// Changes of access.
    Changes,
}

/// What the store was asked, and what it is to get wrong.
#[derive(Default)]
pub struct Asked {
    pub messages: Vec<TelemetryMessage>,
    pub quarantined: Vec<Quarantined>,
    pub presence: Vec<(ApplianceId, bool, String)>,
    pub presence_writes: usize,
    pub replies: Vec<(ApplianceId, String, Vec<u8>)>,
    pub largest_batch: usize,
    /// Every state that came, retained or not.
    pub said: Vec<(ApplianceId, Vec<u8>)>,
    pub claims: Vec<(ApplianceId, String, Timestamp)>,
    /// How many were to be identified, each time that it was asked to.
    pub identified: Vec<usize>,
    /// How many sessions were changed, each time that it was asked to.
    pub sessions_asked: Vec<usize>,
    /// For how many boots, each time that it was asked for clocks; without the questions for its health.
    pub clocks_asked: Vec<usize>,
    /// For how many devices, each time that it was asked for commands.
    pub commands_asked: Vec<usize>,
    /// How often it was asked for changes of access: who asks again has acted on what it was told before.
    pub access_asked: usize,
    /// How often it was asked to commit.
    pub ingest_asked: usize,
    /// How often it was asked whether the next batch may begin.
    pub turns_asked: usize,
    /// Sound readings that were in a batch which failed for another one, each as often as that happened.
    pub held_up: usize,
    /// From now on [`POISON`] is stored like anything else.
    pub cured: bool,
    /// Batches with a release are refused.
    pub no_release: bool,
    /// It does not exist any more.
    pub deleted: Option<ApplianceId>,
    /// So many of the next changes of sessions are lost on their way: the store fails.
    pub sessions_lost: usize,
    /// The store in memory keeps no certificates.
    pub authorities: Vec<Authority>,
    pub authorities_changed: Vec<AccessChange>,
    /// Authorities cannot be read now.
    pub authorities_away: bool,
    /// The next changes of access are told to nobody: an error comes in their place.
    pub changes_lost: bool,
}

/// A sample that names this channel makes its whole batch fail as if the database were away.
const POISON: &str = "poison";

pub struct FaultyStore {
    pub kept: MemoryStore,
    devices: Vec<ApplianceId>,
    asked: Mutex<Asked>,
    pub mode: watch::Sender<Mode>,
    /// What is held.
    shut: watch::Sender<Vec<Gate>>,
    pub authorities_changed: Notify,
}

impl FaultyStore {
    /// Devices as (tenant, device), numbered from 1; each secret is `secret-of-<device>`.
    pub async fn new(names: &[(&str, &str)]) -> Self {
        let kept = MemoryStore::new([(family().profile.name, family().profile)].into(), 1);
        let now = NOW.parse().unwrap();
        kept.take_lease(now).await.unwrap().unwrap();
        kept.apply_site(&site(), now, false).await.unwrap();
        let mut devices = Vec::new();
        for (of, name) in names {
            let device: Device = serde_json::from_value(json!({"id": name, "profile": family().profile.name})).unwrap();
            let secret = format!("secret-of-{name}");
            devices.push(kept.add_device(&tenant(of), &device, &secret, now).await.unwrap());
        }
        let numbers: Vec<_> = (1..=names.len() as i64).map(ApplianceId).collect();
        assert_eq!(devices, numbers);
        let acme = tenant("acme");
        let filters = ["d/#".to_owned()];
        kept.add_integrator(&acme, "reader", READER, &filters, now)
            .await
            .unwrap();
        let grant = ClaimGrant {
            profile: family().profile.name,
            expires_at: now + jiff::SignedDuration::from_hours(24),
            uses: CLAIM_USES,
            replace: false,
        };
        kept.add_claim_credential(&acme, "factory", CLAIM, &grant, now)
            .await
            .unwrap();
        Self {
            kept,
            devices,
            asked: Mutex::default(),
            mode: watch::channel(Mode::Commit).0,
            shut: watch::channel(Vec::new()).0,
            authorities_changed: Notify::new(),
        }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Holds these kinds of questions from now on, and no others.
    pub fn shut(&self, gates: &[Gate]) {
        self.shut.send_replace(gates.to_vec());
    }

    pub async fn gate(&self, gate: Gate) {
        let mut shut = self.shut.subscribe();
        let _ = shut.wait_for(|shut| !shut.contains(&gate)).await;
    }

    pub fn with<T>(&self, look: impl FnOnce(&Asked) -> T) -> T {
        look(&self.asked.lock().unwrap())
    }

    /// Changes what it gets wrong.
    pub fn change<T>(&self, change: impl FnOnce(&mut Asked) -> T) -> T {
        change(&mut self.asked.lock().unwrap())
    }

    pub fn check(&self) -> Result<()> {
        match *self.mode.borrow() {
            Mode::Fail => Err(away()),
            Mode::Commit | Mode::Hold => Ok(()),
        }
    }
}

/// What is done and seen past the broker.
impl FaultyStore {
    /// What is stored of each appliance in turn, in the order of commits.
    pub fn samples(&self) -> Vec<(ApplianceId, Sample)> {
        let of = |id: &ApplianceId| {
            let id = *id;
            self.kept.samples_of(id).into_iter().map(move |sample| (id, sample))
        };
        self.devices.iter().flat_map(of).collect()
    }

    /// Sessions that are kept.
    pub fn sessions(&self) -> Vec<KeptSession> {
        self.devices.iter().filter_map(|id| self.kept.session_of(*id)).collect()
    }

    /// What is not released yet at QoS 2.
    pub fn unreleased(&self) -> Vec<(ApplianceId, u16)> {
        let of = |id: &ApplianceId| {
            let id = *id;
            self.kept.unreleased_of(id).into_iter().map(move |packet| (id, packet))
        };
        self.devices.iter().flat_map(of).collect()
    }

    pub fn appliance(&self, id: ApplianceId) -> ApplianceView {
        at_once(self.kept.appliance(&hub(), id)).unwrap()
    }

    pub fn birth(&self, id: ApplianceId) -> Option<Birth> {
        let kept = at_once(self.kept.birth(&hub(), id)).unwrap();
        kept.map(|kept| kept.birth)
    }

    /// What a device's state is, as it is retained.
    pub fn state(&self, id: ApplianceId) -> Option<Vec<u8>> {
        let ApplianceView { tenant, device, .. } = self.appliance(id);
        let states = at_once(self.kept.retained_states(&tenant, None, usize::MAX)).unwrap();
        let own = states.into_iter().find(|state| state.device == device.as_str());
        own.map(|state| state.payload)
    }

    /// How many commands of a device have gone out.
    pub fn commands_sent(&self, id: ApplianceId) -> usize {
        let all = at_once(self.kept.commands(&hub(), id, None, usize::MAX, Timestamp::UNIX_EPOCH)).unwrap();
        all.items.iter().filter(|command| command.sent_at.is_some()).count()
    }

    /// How many devices [`CLAIM`] has let in.
    pub fn claim_uses(&self) -> i64 {
        let claims = at_once(self.kept.claim_credentials(&hub())).unwrap();
        i64::from(CLAIM_USES) - claims[0].uses_left
    }

    /// Lets a device in by this token too.
    pub fn give_token(&self, id: ApplianceId, token: &str) {
        let ApplianceView { tenant, device, .. } = self.appliance(id);
        let now = NOW.parse().unwrap();
        at_once(self.kept.rotate_secret(&tenant, &device, token, None, now)).unwrap();
    }

    /// Takes a device's access away.
    pub fn revoke(&self, id: ApplianceId) {
        let ApplianceView { tenant, device, .. } = self.appliance(id);
        let now = NOW.parse().unwrap();
        at_once(self.kept.revoke_device(&tenant, &device, true, now)).unwrap();
    }

    /// Exchanges the authorities of acme.
    pub fn set_authorities(&self, authorities: Vec<Authority>) {
        let tenants: Vec<_> = authorities.iter().map(|authority| authority.tenant.clone()).collect();
        self.change(|s| {
            s.authorities = authorities;
            let changes = tenants.into_iter().map(AccessChange::Authorities);
            s.authorities_changed.extend(changes);
        });
        self.authorities_changed.notify_one();
    }

    /// Tells a device an attribute.
    pub fn tell(&self, id: ApplianceId, name: &str, value: Value) {
        let values = [(name.to_owned(), value)].into_iter().collect();
        let now = NOW.parse().unwrap();
        at_once(self.kept.share_attributes(&hub(), id, &values, now)).unwrap();
    }
}

impl Asked {
    /// Notes what was committed.
    pub fn note(&mut self, ingest: &Ingest, answer: Ingested) {
        match ingest {
            Ingest::Telemetry(message) => self.messages.push(message.clone()),
            Ingest::Partly(partly) => {
                self.messages.push(partly.taken.clone());
                self.quarantined.push(partly.aside.clone());
            }
            Ingest::Quarantine(quarantined) => self.quarantined.push(quarantined.clone()),
            Ingest::State { appliance, payload, .. } => self.said.push((*appliance, payload.clone())),
            Ingest::Reply {
                appliance,
                request,
                payload,
                ..
            } => self.replies.push((*appliance, request.clone(), payload.clone())),
            Ingest::Once { content, .. } if answer.repeated == 0 => self.note(content, answer),
            _ => {}
        }
    }
}

pub fn is_poison(ingest: &Ingest) -> bool {
    let content = match ingest {
        Ingest::Once { content, .. } => content,
        other => other,
    };
    let has_it = |sample: &Sample| {
        let unknown = sample.extra.as_ref().and_then(|extra| extra.get("unknown"));
        unknown.is_some_and(|unknown| unknown.get(POISON).is_some())
    };
    content
        .readings()
        .is_some_and(|message| message.samples.iter().any(has_it))
}

pub fn away() -> StoreError {
    StoreError::Unavailable("connection refused".into())
}

/// Two tenants that have nothing yet.
fn site() -> Site {
    let tenant = |id: &str| json!({"id": id, "brand": {"zh-CN": id, "en": id}, "visit_price": {"currency": "CNY", "amount": 80}});
    serde_json::from_value(json!({"tenant": [tenant("acme"), tenant("globex")]})).unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn hub() -> Actor {
    Actor::hub("test")
}

/// What a store in memory answers, which waits for nothing.
fn at_once<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store in memory waits"),
    }
}
