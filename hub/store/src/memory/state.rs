//! All that is stored, as the tables of the database have it.

use super::Hub;
use super::budget::Book;
use super::not_found;
use super::readings::Telemetry;
use super::shadow::Shadow;
use crate::access::AccessChange;
use crate::account::Account;
use crate::birth::KeptBirth;
use crate::claim::Opener;
use crate::credential::{ClaimView, IntegratorView};
use crate::device::CommandView;
use crate::error::{Result, StoreError};
use crate::event::Event;
use crate::floors::{Fleet, FleetFloors};
use crate::prediction::Checkpoint;
use crate::retention::Confirmation;
use crate::session::KeptSession;
use crate::telemetry::Quarantined;
use crate::ticket::TimelineEntry;
use hub_core::access::{Credentials, SecretHash};
use hub_core::actor::Actor;
use hub_core::appointment::Appointment;
use hub_core::baseline::{Firmware, Restart};
use hub_core::budget::Month;
use hub_core::call_rules::CallRules;
use hub_core::consent::ConsentEntry;
use hub_core::finding::Finding;
use hub_core::household::Address;
use hub_core::id::{
    AccountId, ApplianceId, AppointmentId, AttemptId, DeviceId, FindingId, HouseholdId, PersonId, TenantId, TicketId,
};
use hub_core::language::Language;
use hub_core::phone_number::PhoneNumber;
use hub_core::release::{Predicted, Tally};
use hub_core::site::{Localised, Price, ServicePoint, Trunk};
use hub_core::situation::Running;
use hub_core::ticket::{ServiceTicket, TicketLabels};
use hub_core::watching::Watching;
use jiff::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use uuid::Uuid;

/// More devices than this are refused: the holder of a group key could make them without end.
const DEVICES_MAX: usize = 1_000_000;

/// Something of a tenant, by its name.
pub(super) type Named = (TenantId, String);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<TenantId, Tenant>,
    pub(super) trunks: BTreeMap<TenantId, Trunk>,
    pub(super) service_points: BTreeMap<Named, ServicePoint>,
    pub(super) households: BTreeMap<HouseholdId, Household>,
    pub(super) do_not_call: BTreeSet<(TenantId, String)>,
    pub(super) appliances: BTreeMap<ApplianceId, Appliance>,
    pub(super) names: BTreeMap<(TenantId, DeviceId), ApplianceId>,
    pub(super) telemetry: Telemetry,
    pub(super) quarantine: BTreeMap<i64, Quarantined>,
    /// Kept and given way, by tenant.
    pub(super) quarantine_tally: BTreeMap<TenantId, (i64, i64)>,
    pub(super) commands: BTreeMap<i64, CommandView>,
    pub(super) states: BTreeMap<ApplianceId, (Vec<u8>, Timestamp)>,
    pub(super) births: BTreeMap<ApplianceId, KeptBirth>,
    pub(super) told: BTreeMap<(ApplianceId, String), (Value, Timestamp)>,
    pub(super) shared: BTreeMap<ApplianceId, Map<String, Value>>,
    pub(super) sessions: BTreeMap<ApplianceId, (KeptSession, Timestamp)>,
    /// By appliance and model, with when they were saved.
    pub(super) checkpoints: BTreeMap<(ApplianceId, String), (Checkpoint, Timestamp)>,
    /// What detectors last said.
    pub(super) watching: BTreeMap<ApplianceId, Watching>,
    /// By family.
    pub(super) shadows: BTreeMap<String, Shadow>,
    /// Of those whose baseline was ever restarted.
    pub(super) baselines: BTreeMap<ApplianceId, Baseline>,
    /// The newest restarts of each, the last one at the end.
    pub(super) restarts: BTreeMap<ApplianceId, Vec<Restart>>,
    /// As devices told it.
    pub(super) firmware: BTreeMap<ApplianceId, Firmware>,
    pub(super) findings: BTreeMap<FindingId, Finding>,
    pub(super) tickets: BTreeMap<TicketId, ServiceTicket>,
    pub(super) tallies: BTreeMap<(TenantId, Predicted), Tally>,
    pub(super) appointments: BTreeMap<AppointmentId, Appointment>,
    pub(super) timelines: BTreeMap<TicketId, Vec<TimelineEntry>>,
    pub(super) attempts: BTreeMap<AttemptId, Running>,
    pub(super) events: Vec<Event>,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    /// By the hash of their tokens: account, opened, expires.
    pub(super) logins: BTreeMap<[u8; 32], (AccountId, Timestamp, Timestamp)>,
    pub(super) requests: BTreeMap<(AccountId, String), Request>,
    pub(super) groups: BTreeMap<Named, Group>,
    pub(super) integrators: BTreeMap<Named, TokenCredential<IntegratorView>>,
    pub(super) claim_credentials: BTreeMap<Named, TokenCredential<ClaimView>>,
    pub(super) access_changes: BTreeMap<i64, AccessChange>,
    pub(super) owner_claims: BTreeMap<(ApplianceId, Opener), OwnerClaim>,
    /// By tenant and profile, in days; an empty profile stands for all others.
    pub(super) retentions: BTreeMap<Named, Option<u32>>,
    /// Highest held scores, by appliance, model family and month.
    pub(super) scores: BTreeMap<(ApplianceId, String, Month), f32>,
    /// By fleet and appliance model.
    pub(super) floors: BTreeMap<(Fleet, String), FleetFloors>,
    /// By tenant and model family.
    pub(super) ledgers: BTreeMap<Named, Book>,
    pub(super) lease: LeaseRow,
    /// Rows that sweeps took, by the number of the day (UTC).
    pub(super) sweeps: BTreeMap<i64, u64>,
    pub(super) confirmations: Vec<Confirmation>,
    numbers: i64,
    random: Random,
}

/// What is drawn follows from the seed.
#[derive(Debug, Clone)]
struct Random(ChaCha8Rng);

impl Default for Random {
    fn default() -> Self {
        Self(ChaCha8Rng::seed_from_u64(0))
    }
}

/// The row of the lease, with the lock that falls with its holder.
#[derive(Debug, Clone, Default)]
pub(super) struct LeaseRow {
    pub(super) lock: Weak<Hub>,
    pub(super) holder: Option<Uuid>,
    pub(super) token: i64,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) vouched_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) brand: Localised,
    pub(super) call_rules: CallRules,
    pub(super) visit_price: Price,
    pub(super) labels: TicketLabels,
    /// Number of its newest ticket.
    pub(super) tickets: i64,
    pub(super) devices: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Household {
    pub(super) tenant: TenantId,
    pub(super) name_in_tenant: String,
    pub(super) address: Option<Address>,
    pub(super) zone: String,
    /// In the order in which they are rung.
    pub(super) persons: Vec<Person>,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: PersonId,
    pub(super) name_in_household: String,
    pub(super) name: String,
    pub(super) numbers: Vec<PhoneNumber>,
    pub(super) language: Language,
    pub(super) ledger: Vec<ConsentEntry>,
}

#[derive(Debug, Clone)]
pub(super) struct Appliance {
    pub(super) id: ApplianceId,
    pub(super) tenant: TenantId,
    pub(super) device: DeviceId,
    pub(super) partition: u8,
    pub(super) profile: String,
    pub(super) model: Option<String>,
    pub(super) household: Option<HouseholdId>,
    pub(super) service_point: Option<String>,
    pub(super) access: Credentials,
    /// What the site file said last: saying it again does not undo a rotation.
    pub(super) site_secret: Option<SecretHash>,
    pub(super) status: Status,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    pub(super) online: bool,
    pub(super) presence_reason: String,
    pub(super) presence_at: Option<Timestamp>,
    pub(super) last_sample_at: Option<Timestamp>,
    pub(super) samples: i64,
    pub(super) quarantined: i64,
    pub(super) skew_ms: Option<i64>,
    pub(super) gaps: i64,
    pub(super) dropped: i64,
    pub(super) repeated: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Baseline {
    /// What the detector in memory says does not count until it has been dropped.
    pub(super) restarted: bool,
    /// Rows up to this one say nothing of it.
    pub(super) fresh_after: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) digest: [u8; 32],
    pub(super) at: Timestamp,
    pub(super) answer: Option<(u16, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) profile: String,
    pub(super) enrols: bool,
    pub(super) current: Vec<u8>,
    pub(super) previous: Option<Vec<u8>>,
}

/// A token's credential, as lists show it.
#[derive(Debug, Clone)]
pub(super) struct TokenCredential<T> {
    pub(super) token_hash: SecretHash,
    pub(super) view: T,
}

#[derive(Debug, Clone)]
pub(super) struct OwnerClaim {
    pub(super) code_hash: [u8; 32],
    pub(super) until: Timestamp,
    pub(super) tries: i16,
}

impl State {
    /// The appliance, if `actor` reaches it.
    pub(super) fn seen(&self, actor: &Actor, id: ApplianceId) -> Result<&Appliance> {
        let known = self.appliances.get(&id);
        known
            .filter(|known| actor.reaches(&known.tenant, known.service_point.as_deref()))
            .ok_or_else(|| not_found("appliance", id))
    }

    /// Whether `actor` reaches what belongs to the appliance.
    pub(super) fn reaches(&self, actor: &Actor, appliance: ApplianceId) -> bool {
        self.seen(actor, appliance).is_ok()
    }

    /// Whether `actor` reaches what belongs to the ticket.
    pub(super) fn reaches_ticket(&self, actor: &Actor, ticket: TicketId) -> bool {
        let ticket = self.tickets.get(&ticket);
        ticket.is_some_and(|ticket| self.reaches(actor, ticket.appliance))
    }

    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random(ChaCha8Rng::seed_from_u64(seed)),
            ..Self::default()
        }
    }

    /// The next of all numbers that are given out.
    pub(super) fn number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.0.fill_bytes(&mut bytes);
        bytes
    }

    pub(super) fn tenant(&self, tenant: &TenantId) -> Result<&Tenant> {
        self.tenants
            .get(tenant)
            .ok_or_else(|| super::not_found("tenant", tenant))
    }

    pub(super) fn named(&self, tenant: &TenantId, device: &DeviceId) -> Option<&Appliance> {
        self.appliances.get(self.names.get(&(tenant.clone(), device.clone()))?)
    }

    pub(super) fn named_mut(&mut self, tenant: &TenantId, device: &DeviceId) -> Option<&mut Appliance> {
        self.appliances
            .get_mut(self.names.get(&(tenant.clone(), device.clone()))?)
    }

    pub(super) fn appliance(&self, id: ApplianceId) -> Result<&Appliance> {
        self.appliances
            .get(&id)
            .ok_or_else(|| super::not_found("appliance", id))
    }

    /// Makes a device as it is declared, if there is room for it.
    pub(super) fn insert_device(
        &mut self,
        tenant: &TenantId,
        device: &DeviceId,
        profile: &str,
    ) -> Result<&mut Appliance> {
        let home = self
            .tenants
            .get_mut(tenant)
            .ok_or_else(|| super::not_found("tenant", tenant))?;
        if home.devices >= DEVICES_MAX {
            return Err(StoreError::Refused(format!(
                "tenant {tenant} has no room for device {device}: it has as many devices as it may have; raise its \
                 device_max or remove some"
            )));
        }
        home.devices += 1;
        let id = ApplianceId(self.number());
        self.names.insert((tenant.clone(), device.clone()), id);
        Ok(self.appliances.entry(id).or_insert(Appliance {
            id,
            tenant: tenant.clone(),
            device: device.clone(),
            partition: hub_core::partition::partition(tenant, device),
            profile: profile.to_owned(),
            model: None,
            household: None,
            service_point: None,
            access: Credentials::default(),
            site_secret: None,
            status: Status::default(),
        }))
    }
}

/// SHA-256, as secrets are stored.
pub(super) fn sha256(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}
