//! The rest of the store in memory: who may come in, and what is kept of sessions.

use crate::memory::{Gate, MemoryTelemetry};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_store::StoreError;
use hub_store::access::{
    AccessChange, AccessStore, Authority, Claimant, Credential, Integrator, Principal, ProvisionRequest, Provisioned,
};
use hub_store::claim::{ClaimStore, ClaimedOwner, Opener, OwnerContact};
use hub_store::error::Result;
use hub_store::session::{Attributes, RetainedState, SessionChange, SessionStore};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::timeout;

/// Token of an integrator of acme who may read everything of its devices.
pub const READER: &str = "int_reader";
/// Token of a claim credential of acme.
pub const CLAIM: &str = "claim_factory";

impl MemoryTelemetry {
    /// Takes a device's access away.
    pub fn revoke(&self, appliance: ApplianceId) {
        self.change(|s| {
            s.revoked.insert(appliance);
            s.changes.push(AccessChange::Device(appliance));
        });
        self.changed.notify_one();
    }

    /// Exchanges the authorities of acme.
    pub fn set_authorities(&self, authorities: Vec<Authority>) {
        let tenants: Vec<_> = authorities.iter().map(|authority| authority.tenant.clone()).collect();
        self.change(|s| {
            s.authorities = authorities;
            s.changes.extend(tenants.into_iter().map(AccessChange::Authorities));
        });
        self.changed.notify_one();
    }

    /// Tells a device an attribute.
    pub fn tell(&self, appliance: ApplianceId, name: &str, value: Value) {
        self.change(|s| {
            s.attributes
                .entry(appliance)
                .or_default()
                .shared
                .insert(name.into(), value);
            s.told.insert(appliance);
        });
        self.told.notify_one();
    }

    fn find(&self, credential: &Credential) -> Option<Principal> {
        let device = match credential {
            Credential::Secret { tenant, device, secret } => {
                let is = |(d, s): &&(hub_store::telemetry::Device, String)| {
                    d.tenant == *tenant && d.device == *device && s == secret
                };
                self.devices.iter().find(is).map(|(d, _)| d.clone())
            }
            Credential::Token(token) if token == READER => {
                return Some(Principal::Integrator(Integrator {
                    tenant: TenantId::new("acme").unwrap(),
                    name: "reader".into(),
                    filters: vec!["d/#".into()],
                }));
            }
            Credential::Token(token) if token == CLAIM => {
                return Some(Principal::Claimant(Claimant {
                    tenant: TenantId::new("acme").unwrap(),
                    name: "factory".into(),
                    profile: "washing-machine".into(),
                }));
            }
            Credential::Token(token) => self.tokens.get(token).map(|index| self.devices[*index].0.clone()),
            Credential::Certificate { tenant, device } => {
                let is = |(d, _): &&(hub_store::telemetry::Device, String)| d.tenant == *tenant && d.device == *device;
                self.devices.iter().find(is).map(|(d, _)| d.clone())
            }
        }?;
        self.with(|s| {
            let kept = s.sessions.get(&device.appliance).cloned().map(|mut kept| {
                let own = s
                    .unreleased
                    .iter()
                    .filter(|(appliance, _)| *appliance == device.appliance);
                kept.unreleased = own.map(|(_, id)| *id).collect();
                kept
            });
            (!s.revoked.contains(&device.appliance)).then_some(Principal::Device(device, kept))
        })
    }
}

fn has_one() -> StoreError {
    StoreError::Refused("the device has a credential".into())
}

#[async_trait]
impl AccessStore for MemoryTelemetry {
    async fn identify(&self, shown: &[Credential], _now: Timestamp) -> Result<Vec<Option<Principal>>> {
        self.check()?;
        // As long as a round trip, so that others gather meanwhile.
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.change(|s| s.identified.push(shown.len()));
        self.gate(Gate::LogIns).await;
        Ok(shown.iter().map(|credential| self.find(credential)).collect())
    }

    async fn access_changed(&self, patience: Duration) -> Result<Vec<AccessChange>> {
        self.change(|s| s.access_asked += 1);
        let _ = timeout(patience, self.changed.notified()).await;
        self.change(|s| {
            let changes = std::mem::take(&mut s.changes);
            if !changes.is_empty() && std::mem::take(&mut s.changes_lost) {
                return Err(crate::memory::away());
            }
            Ok(changes)
        })
    }

    async fn authorities(&self) -> Result<Vec<Authority>> {
        self.check()?;
        self.with(|s| (!s.authorities_away).then(|| s.authorities.clone()))
            .ok_or_else(crate::memory::away)
    }

    async fn provision(&self, claimant: &Claimant, request: &ProvisionRequest, _now: Timestamp) -> Result<Provisioned> {
        self.check()?;
        if self
            .devices
            .iter()
            .any(|(d, _)| d.tenant == claimant.tenant && d.device == request.device)
        {
            return Err(has_one());
        }
        if let Some(secret) = &request.secret {
            return self.change(|s| {
                if let Some(known) = s.made.get(&request.device) {
                    let same = known == secret;
                    return same.then_some(Provisioned::Own).ok_or_else(has_one);
                }
                s.made.insert(request.device.clone(), secret.clone());
                s.uses += 1;
                Ok(Provisioned::Own)
            });
        }
        Ok(match &request.csr {
            None => Provisioned::Secret(format!("secret-of-{}", request.device)),
            Some(csr) => Provisioned::Certificate {
                certificate: format!("certificate for {} bytes", csr.len()),
                authority: "authority".into(),
            },
        })
    }

    async fn propose_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.check()?;
        if secret.is_empty() {
            return Err(StoreError::Refused("no secret".into()));
        }
        self.change(|s| s.proposed.push((appliance, secret.into())));
        Ok(())
    }

    async fn end_old_secret(&self, appliance: ApplianceId, secret: &str) -> Result<()> {
        self.check()?;
        self.change(|s| {
            if !s.proposed.contains(&(appliance, secret.into())) {
                return Err(StoreError::Refused("another secret".into()));
            }
            s.ended.push((appliance, secret.into()));
            Ok(())
        })
    }
}

#[async_trait]
impl SessionStore for MemoryTelemetry {
    async fn change_sessions(&self, changes: &[(ApplianceId, SessionChange)], _now: Timestamp) -> Result<()> {
        self.change(|s| s.sessions_asked.push(changes.len()));
        self.gate(Gate::Sessions).await;
        self.check()?;
        let lost = |s: &mut crate::memory::Stored| {
            let lost = s.sessions_lost > 0;
            s.sessions_lost = s.sessions_lost.saturating_sub(1);
            lost
        };
        if self.change(lost) {
            return Err(crate::memory::away());
        }
        let deleted = self.with(|s| s.deleted);
        if changes.iter().any(|(appliance, _)| Some(*appliance) == deleted) {
            return Err(StoreError::Refused("no such appliance".into()));
        }
        self.change(|s| {
            for (appliance, change) in changes {
                if change.forgets() {
                    s.sessions.remove(appliance);
                    s.unreleased.retain(|(of, _)| of != appliance);
                }
                if let Some(session) = change.kept() {
                    s.sessions.insert(*appliance, session.clone());
                }
            }
        });
        Ok(())
    }

    async fn commands_passed(
        &self,
        appliance: ApplianceId,
        requests: &[String],
        acknowledged: bool,
        _now: Timestamp,
    ) -> Result<()> {
        self.check()?;
        self.change(|s| {
            if acknowledged {
                s.acknowledged.extend(requests.iter().cloned());
            } else {
                s.passed(appliance, requests);
            }
        });
        Ok(())
    }

    async fn retained_states(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RetainedState>> {
        let mut states = self.with(|s| {
            let state = |(device, _): &(hub_store::telemetry::Device, String)| {
                let (payload, at) = s
                    .states
                    .get(&device.appliance)
                    .filter(|_| device.tenant == *tenant)?
                    .clone();
                let device = device.device.to_string();
                Some(RetainedState { device, payload, at })
            };
            self.devices.iter().filter_map(state).collect::<Vec<_>>()
        });
        states.sort_by(|a, b| a.device.cmp(&b.device));
        states.retain(|state| after.is_none_or(|after| state.device.as_str() > after));
        states.truncate(limit);
        Ok(states)
    }

    async fn attributes(
        &self,
        appliance: ApplianceId,
        client: Option<&[String]>,
        shared: Option<&[String]>,
    ) -> Result<Attributes> {
        self.check()?;
        let wanted = |all: Map<String, Value>, names: Option<&[String]>| match names {
            None => all,
            Some(names) => all.into_iter().filter(|(name, _)| names.contains(name)).collect(),
        };
        let all = self.with(|s| s.attributes.get(&appliance).cloned().unwrap_or_default());
        Ok(Attributes {
            client: wanted(all.client, client),
            shared: wanted(all.shared, shared),
        })
    }

    async fn attributes_shared(&self, patience: Duration) -> Vec<ApplianceId> {
        let _ = timeout(patience, self.told.notified()).await;
        self.change(|s| std::mem::take(&mut s.told)).into_iter().collect()
    }
}

#[async_trait]
impl ClaimStore for MemoryTelemetry {
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        _opener: Opener,
        code: &str,
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<()> {
        self.check()?;
        self.change(|s| s.claims.push((appliance, code.into(), until)));
        Ok(())
    }

    async fn claim_owner(
        &self,
        _actor: &Actor,
        _tenant: &TenantId,
        _device: &DeviceId,
        _code: &str,
        _contact: &OwnerContact,
        _now: Timestamp,
    ) -> Result<ClaimedOwner> {
        Err(StoreError::Refused("nobody claims at the front door".into()))
    }
}
