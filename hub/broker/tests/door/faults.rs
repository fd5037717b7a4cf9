//! What the front door asks of its store: noted, held or failed as the test wants it, and else asked of the store in memory.

use crate::store::{Asked, FaultyStore, Gate, Mode, away, is_poison};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::StoreError;
use hub_store::access::{
    AccessChange, AccessStore, Authority, Claimant, Credential, Principal, ProvisionRequest, Provisioned,
};
use hub_store::claim::{ClaimStore, ClaimedOwner, Opener, OwnerContact};
use hub_store::error::Result;
use hub_store::session::{Attributes, RetainedState, SessionChange, SessionStore};
use hub_store::telemetry::{Command, Ingest, Ingested, PRESENCE_BATCH_MAX, PresenceChange, TelemetryStore, Unscored};
use jiff::Timestamp;
use std::time::Duration;

#[async_trait]
impl TelemetryStore for FaultyStore {
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
        let answers = self.kept.ingest(batch).await?;
        self.change(|s| {
            s.largest_batch = s.largest_batch.max(batch.len());
            for (ingest, answer) in batch.iter().zip(&answers) {
                s.note(ingest, *answer);
            }
        });
        Ok(answers)
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
        self.kept.clock_offsets(boots).await
    }

    async fn presence(&self, changes: &[PresenceChange]) -> Result<()> {
        self.gate(Gate::Presence).await;
        self.check()?;
        assert!(changes.len() <= PRESENCE_BATCH_MAX);
        self.kept.presence(changes).await?;
        self.change(|s| {
            s.presence_writes += 1;
            let told = changes.iter().map(|c| (c.appliance, c.online, c.reason.clone()));
            s.presence.extend(told);
        });
        Ok(())
    }

    async fn all_offline(&self, reason: &str, at: Timestamp) -> Result<()> {
        self.kept.all_offline(reason, at).await
    }

    async fn queue_command(&self, appliance: ApplianceId, command: &Command, now: Timestamp) -> Result<()> {
        self.kept.queue_command(appliance, command, now).await
    }

    async fn commands_waiting(
        &self,
        appliances: &[ApplianceId],
        now: Timestamp,
    ) -> Result<Vec<(ApplianceId, Command)>> {
        self.change(|s| s.commands_asked.push(appliances.len()));
        self.gate(Gate::Commands).await;
        self.check()?;
        self.kept.commands_waiting(appliances, now).await
    }

    async fn unscored(&self, limit: usize, families: Option<&[String]>) -> Result<Unscored> {
        self.kept.unscored(limit, families).await
    }

    async fn telemetry_arrived(&self, patience: Duration) {
        self.kept.telemetry_arrived(patience).await;
    }

    async fn command_queued(&self, patience: Duration) -> Vec<ApplianceId> {
        self.kept.command_queued(patience).await
    }

    async fn samples_stored(&self) -> Result<i64> {
        self.kept.samples_stored().await
    }
}

#[async_trait]
impl AccessStore for FaultyStore {
    async fn identify(&self, shown: &[Credential], now: Timestamp) -> Result<Vec<Option<Principal>>> {
        self.check()?;
        // As long as a round trip, so that others gather meanwhile.
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.change(|s| s.identified.push(shown.len()));
        self.gate(Gate::LogIns).await;
        self.kept.identify(shown, now).await
    }

    async fn access_changed(&self, patience: Duration) -> Result<Vec<AccessChange>> {
        self.change(|s| s.access_asked += 1);
        let mut changes = tokio::select! {
            changes = self.kept.access_changed(patience) => changes?,
            () = self.authorities_changed.notified() => Vec::new(),
        };
        self.gate(Gate::Changes).await;
        self.change(|s| {
            changes.append(&mut s.authorities_changed);
            if !changes.is_empty() && std::mem::take(&mut s.changes_lost) {
                return Err(away());
            }
            Ok(changes)
        })
    }

    async fn authorities(&self) -> Result<Vec<Authority>> {
        self.check()?;
        self.with(|s| (!s.authorities_away).then(|| s.authorities.clone()))
            .ok_or_else(away)
    }

    async fn provision(&self, claimant: &Claimant, request: &ProvisionRequest, now: Timestamp) -> Result<Provisioned> {
        self.check()?;
        self.kept.provision(claimant, request, now).await
    }

    async fn propose_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.check()?;
        self.kept.propose_secret(appliance, secret).await
    }

    async fn end_old_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.check()?;
        self.kept.end_old_secret(appliance, secret).await
    }
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn change_sessions(&self, changes: &[(ApplianceId, SessionChange)], now: Timestamp) -> Result<()> {
        self.change(|s| s.sessions_asked.push(changes.len()));
        self.gate(Gate::Sessions).await;
        self.check()?;
        let lost = |s: &mut Asked| {
            let lost = s.sessions_lost > 0;
            s.sessions_lost = s.sessions_lost.saturating_sub(1);
            lost
        };
        if self.change(lost) {
            return Err(away());
        }
        let deleted = self.with(|s| s.deleted);
        if changes.iter().any(|(appliance, _)| Some(*appliance) == deleted) {
            return Err(StoreError::Refused("no such appliance".into()));
        }
        self.kept.change_sessions(changes, now).await
    }

    async fn commands_passed(
        &self,
        appliance: ApplianceId,
        requests: &[String],
        acknowledged: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.check()?;
        self.kept.commands_passed(appliance, requests, acknowledged, now).await
    }

    async fn retained_states(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RetainedState>> {
        self.kept.retained_states(tenant, after, limit).await
    }

    async fn attributes(
        &self,
        appliance: ApplianceId,
        client: Option<&[String]>,
        shared: Option<&[String]>,
    ) -> Result<Attributes> {
        self.check()?;
        self.kept.attributes(appliance, client, shared).await
    }

    async fn attributes_shared(&self, patience: Duration) -> Vec<ApplianceId> {
        self.kept.attributes_shared(patience).await
    }
}

#[async_trait]
impl ClaimStore for FaultyStore {
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        opener: Opener,
        code: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        self.check()?;
        self.kept.open_claim(appliance, opener, code, until, now).await?;
        self.change(|s| s.claims.push((appliance, code.into(), until)));
        Ok(())
    }

    async fn claim_owner(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        device: &DeviceId,
        code: &str,
        contact: &OwnerContact,
        now: Timestamp,
    ) -> Result<ClaimedOwner> {
        self.kept.claim_owner(actor, tenant, device, code, contact, now).await
    }
}
