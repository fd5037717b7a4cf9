//! A store that holds a few tickets in memory and applies the real rules to them. Only what the API asks for; the
//! real store is tested with the API in the workspace's own tests.

use super::device::Devices;
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::contact::{AttemptEvent, ContactAttempt};
use hub_core::finding::Finding;
use hub_core::id::{AccountId, ApplianceId, AttemptId, DeviceId, FindingId, TenantId, TicketId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{Device as SiteDevice, Site, Trunk};
use hub_core::situation::FindingChange;
use hub_core::ticket::{ServiceTicket, TicketEvent, TicketKind};
use hub_store::account::{Account, AccountStore, Idempotency, SESSIONS_MAX};
use hub_store::contact::{Begun, ContactStore, DialOrder, DueContact};
use hub_store::error::{Result, StoreError};
use hub_store::event::{Event, EventCursor, EventStore};
use hub_store::page::Page;
use hub_store::prediction::{PredictionStore, ScoredUpTo, ScoringCommit, ScoringSubject, Stretch};
use hub_store::site::{ApplianceView, SiteChange, SiteStore, TenantTally};
use hub_store::telemetry::StoredRow;
use hub_store::ticket::{TicketFilter, TicketStore, TicketSummary, TicketView, TimelineEntry};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// Key → (request, answer once there is one).
type Keys = HashMap<(AccountId, String), ([u8; 32], Option<(u16, String)>)>;

#[derive(Default)]
pub(super) struct Kept {
    tickets: Vec<TicketView>,
    accounts: Vec<Account>,
    sessions: HashMap<[u8; 32], (AccountId, Timestamp)>,
    keys: Keys,
    events: Vec<Event>,
    pub(super) devices: Devices,
    away: bool,
}

/// The store.
#[derive(Default)]
pub struct SampleStore {
    kept: Mutex<Kept>,
    news: Notify,
}

pub(super) fn not_asked_for<T>() -> Result<T> {
    Err(StoreError::Refused("the API does not ask its store for this".into()))
}

pub(super) fn not_found(what: &'static str, id: impl ToString) -> StoreError {
    StoreError::NotFound {
        what,
        id: id.to_string(),
    }
}

impl SampleStore {
    pub fn new(tickets: Vec<TicketView>) -> Self {
        let store = Self::default();
        store.kept().tickets = tickets;
        store
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// From now on it answers nothing that monitoring asks.
    pub fn go_away(&self) {
        self.kept().away = true;
    }

    /// Numbers in quarantine.
    pub fn in_quarantine(&self) -> Vec<i64> {
        self.kept().devices.held.iter().map(|held| held.number).collect()
    }

    /// Changes what an account may see.
    pub fn set_tenant(&self, tenant: Option<&str>) {
        self.kept().accounts[0].actor.tenant = tenant.map(|tenant| TenantId::new(tenant).unwrap());
    }
}

pub(super) fn page<T>(all: Vec<T>, after: Option<&str>, limit: usize) -> Page<T> {
    let from: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let next = (all.len() > from + limit).then(|| (from + limit).to_string());
    let items = all.into_iter().skip(from).take(limit).collect();
    Page { items, next }
}

#[async_trait]
impl TicketStore for SampleStore {
    async fn tickets(
        &self,
        actor: &Actor,
        filter: &TicketFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<TicketSummary>> {
        let kept = self.kept();
        let wanted = kept.tickets.iter().filter(|view| {
            actor.includes(&view.ticket.tenant)
                && filter
                    .category
                    .is_none_or(|category| view.ticket.status.category == category)
                && filter.kind.is_none_or(|kind| view.ticket.kind == kind)
                && filter
                    .label
                    .as_ref()
                    .is_none_or(|label| view.ticket.status.label == *label)
                && filter
                    .assignee
                    .as_ref()
                    .is_none_or(|who| view.ticket.assignee.as_ref() == Some(who))
        });
        let summary = |view: &TicketView| TicketSummary {
            ticket: view.ticket.clone(),
            appliance: view.appliance.clone(),
            label: view.labels.name(&view.ticket.status.label),
            probability: view.finding.as_ref().map(|finding| finding.prediction.probability),
        };
        Ok(page(wanted.map(summary).collect(), after, limit))
    }

    async fn ticket(&self, actor: &Actor, id: TicketId, _now: Timestamp) -> Result<TicketView> {
        let kept = self.kept();
        let found = kept
            .tickets
            .iter()
            .find(|view| view.ticket.id == id && actor.includes(&view.ticket.tenant));
        found.cloned().ok_or_else(|| not_found("ticket", id))
    }

    async fn open_ticket(
        &self,
        _: &Actor,
        _: ApplianceId,
        _: TicketKind,
        _: &str,
        _: Timestamp,
    ) -> Result<ServiceTicket> {
        not_asked_for()
    }

    async fn apply_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        event: &TicketEvent,
        now: Timestamp,
    ) -> Result<ServiceTicket> {
        let mut kept = self.kept();
        let number = kept.events.len() as i64 + 1;
        let view = kept
            .tickets
            .iter_mut()
            .find(|view| view.ticket.id == id && actor.includes(&view.ticket.tenant))
            .ok_or_else(|| not_found("ticket", id))?;
        let (ticket, _) = view.ticket.clone().apply(event, &actor.name, &view.labels, now)?;
        view.ticket = ticket.clone();
        view.timeline.push(TimelineEntry {
            at: now,
            actor: actor.name.clone(),
            event: event.clone(),
        });
        kept.events.push(Event {
            cursor: EventCursor {
                epoch: 0,
                transaction: number,
                number,
            },
            tenant: ticket.tenant.clone(),
            at: now,
            kind: "ticket.changed".into(),
            ticket: Some(id),
            appliance: Some(ticket.appliance),
        });
        self.news.notify_waiters();
        Ok(ticket)
    }
}

#[async_trait]
impl AccountStore for SampleStore {
    async fn create_first_account(&self, account: &Account, _now: Timestamp) -> Result<bool> {
        let mut kept = self.kept();
        let first = kept.accounts.is_empty();
        if first {
            kept.accounts.push(account.clone());
        }
        Ok(first)
    }

    async fn account(&self, name: &str) -> Result<Option<Account>> {
        Ok(self
            .kept()
            .accounts
            .iter()
            .find(|account| account.actor.name == name)
            .cloned())
    }

    async fn accounts(&self, _: &Actor) -> Result<Vec<Actor>> {
        not_asked_for()
    }

    async fn add_account(&self, _: &Actor, _: &Account, _: Timestamp) -> Result<()> {
        not_asked_for()
    }

    async fn change_account(&self, _: &Actor, _: &Actor) -> Result<()> {
        not_asked_for()
    }

    async fn set_password(&self, _: &Actor, name: &str, hash: &str, but: Option<[u8; 32]>) -> Result<()> {
        let mut kept = self.kept();
        let account = kept.accounts.iter_mut().find(|account| account.actor.name == name);
        account.unwrap().password_hash = hash.to_owned();
        kept.sessions.retain(|token, _| Some(*token) == but);
        Ok(())
    }

    async fn remove_account(&self, _: &Actor, _: &str) -> Result<()> {
        not_asked_for()
    }

    async fn open_session(
        &self,
        token_hash: [u8; 32],
        account: AccountId,
        expires_at: Timestamp,
        _now: Timestamp,
    ) -> Result<()> {
        let mut kept = self.kept();
        let own = kept.sessions.iter().filter(|(_, (of, _))| *of == account);
        let mut own: Vec<_> = own.map(|(hash, (_, expires_at))| (*expires_at, *hash)).collect();
        // All last as long: the one that expires first is the oldest.
        own.sort_unstable();
        let beyond = (own.len() + 1).saturating_sub(usize::from(SESSIONS_MAX));
        for (_, hash) in own.into_iter().take(beyond) {
            kept.sessions.remove(&hash);
        }
        kept.sessions.insert(token_hash, (account, expires_at));
        Ok(())
    }

    async fn session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<Account>> {
        let kept = self.kept();
        let session = kept
            .sessions
            .get(&token_hash)
            .filter(|(_, expires_at)| *expires_at > now);
        Ok(session.and_then(|(id, _)| kept.accounts.iter().find(|account| account.id == *id).cloned()))
    }

    async fn close_session(&self, token_hash: [u8; 32]) -> Result<()> {
        self.kept().sessions.remove(&token_hash);
        Ok(())
    }

    async fn idempotency(
        &self,
        account: AccountId,
        key: &str,
        request: [u8; 32],
        _now: Timestamp,
    ) -> Result<Idempotency> {
        let mut kept = self.kept();
        Ok(match kept.keys.get(&(account, key.to_owned())) {
            Some((known, _)) if *known != request => Idempotency::OtherRequest,
            Some((_, Some((status, body)))) => Idempotency::Done(*status, body.clone()),
            Some((_, None)) => Idempotency::UnderWay,
            None => {
                kept.keys.insert((account, key.to_owned()), (request, None));
                Idempotency::New
            }
        })
    }

    async fn remember(&self, account: AccountId, key: &str, status: u16, body: &str) -> Result<()> {
        let mut kept = self.kept();
        let kept_key = kept.keys.get_mut(&(account, key.to_owned()));
        kept_key.unwrap().1 = Some((status, body.to_owned()));
        Ok(())
    }
}

#[async_trait]
impl EventStore for SampleStore {
    async fn event_head(&self) -> Result<EventCursor> {
        let start = EventCursor {
            epoch: 0,
            transaction: 0,
            number: 0,
        };
        Ok(self.kept().events.last().map_or(start, |event| event.cursor))
    }

    async fn events_after(&self, actor: &Actor, cursor: EventCursor, limit: usize) -> Result<Vec<Event>> {
        let kept = self.kept();
        let new = kept
            .events
            .iter()
            .filter(|event| event.cursor > cursor && actor.includes(&event.tenant));
        Ok(new.take(limit).cloned().collect())
    }

    async fn event_arrived(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.news.notified()).await;
    }

    async fn healthy(&self) -> Result<()> {
        match self.kept().away {
            true => Err(StoreError::Unavailable("gone".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl PredictionStore for SampleStore {
    async fn scoring_subjects(&self, _: &[ApplianceId]) -> Result<Vec<ScoringSubject>> {
        not_asked_for()
    }
    async fn scored_up_to(&self) -> Result<Vec<ScoredUpTo>> {
        not_asked_for()
    }
    async fn scored_rows(&self, _: &[Stretch], _: Option<&[String]>) -> Result<Vec<StoredRow>> {
        not_asked_for()
    }
    async fn commit_scoring(&self, _: &ScoringCommit, _: Timestamp) -> Result<Vec<FindingChange>> {
        not_asked_for()
    }
    async fn baselines_restarted(&self) -> Result<Vec<ApplianceId>> {
        not_asked_for()
    }
    async fn findings(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<Finding>> {
        let kept = self.kept();
        let own = kept
            .tickets
            .iter()
            .filter_map(|view| view.finding.as_ref())
            .filter(|finding| actor.includes(&finding.tenant));
        Ok(page(own.cloned().collect(), after, limit))
    }
    async fn finding(&self, actor: &Actor, id: FindingId) -> Result<Finding> {
        let all = self.findings(actor, None, usize::MAX / 2).await?;
        all.items
            .into_iter()
            .find(|finding| finding.id == id)
            .ok_or_else(|| not_found("finding", id))
    }
}

#[async_trait]
impl ContactStore for SampleStore {
    async fn contacts_due(&self, _: Timestamp, _: usize) -> Result<Vec<DueContact>> {
        not_asked_for()
    }
    async fn contact_planned(&self, _: Duration) {}
    async fn begin_attempt(&self, _: TicketId, _: Timestamp, _: [u8; 20]) -> Result<Begun> {
        not_asked_for()
    }
    async fn begin_inbound(
        &self,
        _: &TenantId,
        _: &PhoneNumber,
        _: Timestamp,
        _: [u8; 20],
    ) -> Result<Option<DialOrder>> {
        not_asked_for()
    }
    async fn apply_attempt(&self, _: AttemptId, _: AttemptEvent, _: Timestamp) -> Result<ContactAttempt> {
        not_asked_for()
    }
    async fn recover_attempts(&self, _: Timestamp) -> Result<Vec<ContactAttempt>> {
        not_asked_for()
    }
    async fn contacts(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ContactAttempt>> {
        let kept = self.kept();
        let own = kept
            .tickets
            .iter()
            .flat_map(|view| &view.attempts)
            .filter(|attempt| actor.includes(&attempt.tenant));
        Ok(page(own.cloned().collect(), after, limit))
    }
}

#[async_trait]
impl SiteStore for SampleStore {
    async fn apply_site(&self, _: &Site, _: Timestamp, _: bool) -> Result<Vec<SiteChange>> {
        not_asked_for()
    }
    async fn add_device(&self, _: &TenantId, _: &SiteDevice, _: &str, _: Timestamp) -> Result<ApplianceId> {
        not_asked_for()
    }
    async fn set_consent(&self, _: &TenantId, _: &str, _: bool, _: &str, _: Timestamp) -> Result<()> {
        not_asked_for()
    }
    async fn trunks(&self) -> Result<Vec<(TenantId, Trunk)>> {
        not_asked_for()
    }
    async fn appliances(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ApplianceView>> {
        let kept = self.kept();
        let own = kept
            .tickets
            .iter()
            .map(|view| &view.appliance)
            .filter(|appliance| actor.includes(&appliance.tenant));
        Ok(page(own.cloned().collect(), after, limit))
    }
    async fn appliance(&self, actor: &Actor, id: ApplianceId) -> Result<ApplianceView> {
        let all = self.appliances(actor, None, usize::MAX / 2).await?;
        all.items
            .into_iter()
            .find(|view| view.id == id)
            .ok_or_else(|| not_found("appliance", id))
    }
    async fn appliance_by_name(&self, _: &TenantId, _: &DeviceId) -> Result<ApplianceView> {
        not_asked_for()
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        let quarantined = self.kept().devices.held.len() as i64;
        Ok(vec![TenantTally {
            tenant: TenantId::new("acme").unwrap(),
            appliances: 3,
            online: 1,
            samples: 60_480,
            quarantined,
            quarantine_dropped: 0,
            device_dropped_events: 5,
            device_dropped_telemetry: 262,
        }])
    }
}
