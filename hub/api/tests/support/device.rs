//! The sample store's commands, attributes, quarantine and claims.

use super::sample;
use super::store::{SampleStore, not_found, page};
use async_trait::async_trait;
use hub_core::actor::Actor;
use hub_core::consent::Consent;
use hub_core::id::{ApplianceId, DeviceId, PersonId, TenantId};
use hub_store::birth::KeptBirth;
use hub_store::claim::{ClaimStore, ClaimedOwner, Opener, OwnerContact};
use hub_store::device::{CommandState, CommandView, DeviceStore, Unplaced};
use hub_store::error::{Result, StoreError};
use hub_store::page::Page;
use hub_store::quarantine::{QuarantineEntry, QuarantineFilter, QuarantineStore};
use hub_store::session::Attributes;
use hub_store::site::SiteStore;
use hub_store::telemetry::{Command, Ingest, Ingested, QUARANTINE_PAYLOAD_MAX, Quarantined};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What is kept.
pub struct Devices {
    commands: Vec<CommandView>,
    attributes: HashMap<ApplianceId, Attributes>,
    pub held: Vec<QuarantineEntry>,
    codes: HashMap<ApplianceId, String>,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            attributes: HashMap::from([(
                ApplianceId(1),
                Attributes {
                    client: json!({ "firmware": "2.1" }).as_object().unwrap().clone(),
                    shared: Map::new(),
                },
            )]),
            held: vec![
                held(1, 1, br#"{"half": true"#, "JSON ends early"),
                held(2, 1, br#"{"door": "open"}"#, "channel door is not known"),
                held(3, 2, &[0x83, 0x01, 0xff], "CBOR: <script>alert(1)</script>"),
                held(4, 2, &[b'x'; QUARANTINE_PAYLOAD_MAX], "too long"),
            ],
            codes: HashMap::new(),
        }
    }
}

/// A payload in quarantine.
pub fn held(number: i64, appliance: i64, payload: &[u8], reason: &str) -> QuarantineEntry {
    QuarantineEntry {
        number,
        tenant: TenantId::new("acme").unwrap(),
        device: DeviceId::new(format!("WM-{appliance}")).unwrap(),
        profile: "washing-machine".into(),
        kept: Quarantined {
            appliance: ApplianceId(appliance),
            topic: format!("d/WM-{appliance}/j"),
            payload: payload.to_vec(),
            reason: reason.into(),
            received_at: sample::at("08:30"),
        },
    }
}

#[async_trait]
impl DeviceStore for SampleStore {
    async fn send_command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        command: &Command,
        now: Timestamp,
    ) -> Result<CommandView> {
        self.appliance(actor, appliance).await?;
        let view = CommandView {
            appliance,
            request: command.request.clone(),
            body: command.body.clone(),
            state: CommandState::Queued,
            queued_at: now,
            sent_at: None,
            taken_at: None,
            replied_at: None,
            expires_at: command.expires_at,
            reply: None,
        };
        let mut kept = self.kept();
        let known = kept
            .devices
            .commands
            .iter()
            .find(|c| c.request == view.request)
            .cloned();
        match known {
            Some(known) if known.body != view.body => Err(StoreError::Conflict("another command has this id".into())),
            Some(known) => Ok(known),
            None => {
                kept.devices.commands.insert(0, view.clone());
                Ok(view)
            }
        }
    }

    async fn commands(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        after: Option<&str>,
        limit: usize,
        _: Timestamp,
    ) -> Result<Page<CommandView>> {
        self.appliance(actor, appliance).await?;
        let kept = self.kept();
        let own = kept.devices.commands.iter().filter(|c| c.appliance == appliance);
        Ok(page(own.cloned().collect(), after, limit))
    }

    async fn command(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        request: &str,
        at: Timestamp,
    ) -> Result<CommandView> {
        let all = self.commands(actor, appliance, None, usize::MAX / 2, at).await?;
        let found = all.items.into_iter().find(|c| c.request == request);
        found.ok_or_else(|| not_found("command", request))
    }

    async fn device_attributes(&self, actor: &Actor, appliance: ApplianceId) -> Result<Attributes> {
        self.appliance(actor, appliance).await?;
        Ok(self
            .kept()
            .devices
            .attributes
            .get(&appliance)
            .cloned()
            .unwrap_or_default())
    }

    async fn share_attributes(
        &self,
        actor: &Actor,
        appliance: ApplianceId,
        values: &Map<String, Value>,
        _: Timestamp,
    ) -> Result<Map<String, Value>> {
        self.appliance(actor, appliance).await?;
        let mut kept = self.kept();
        let shared = &mut kept.devices.attributes.entry(appliance).or_default().shared;
        shared.extend(values.clone());
        shared.retain(|_, value| !value.is_null());
        Ok(shared.clone())
    }

    async fn unplaced(&self, actor: &Actor, appliance: ApplianceId) -> Result<Unplaced> {
        self.appliance(actor, appliance).await?;
        Ok(sample::unplaced())
    }

    async fn birth(&self, actor: &Actor, appliance: ApplianceId) -> Result<Option<KeptBirth>> {
        self.appliance(actor, appliance).await?;
        Ok((appliance == ApplianceId(1)).then(sample::birth))
    }
}

#[async_trait]
impl QuarantineStore for SampleStore {
    async fn quarantine(
        &self,
        actor: &Actor,
        filter: &QuarantineFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<QuarantineEntry>> {
        let kept = self.kept();
        let reason = filter.reason.as_deref().unwrap_or_default().to_lowercase();
        let found = kept.devices.held.iter().rev().filter(|held| {
            actor.includes(&held.tenant)
                && filter.appliance.is_none_or(|id| id == held.kept.appliance)
                && held.kept.reason.to_lowercase().contains(&reason)
        });
        Ok(page(found.cloned().collect(), after, limit))
    }

    async fn held(&self, actor: &Actor, numbers: &[i64]) -> Result<Vec<QuarantineEntry>> {
        let kept = self.kept();
        let own = kept
            .devices
            .held
            .iter()
            .filter(|held| actor.includes(&held.tenant) && numbers.contains(&held.number));
        Ok(own.cloned().collect())
    }

    async fn replay(&self, number: i64, content: Ingest) -> Result<Ingested> {
        let mut kept = self.kept();
        let before = kept.devices.held.len();
        kept.devices.held.retain(|held| held.number != number);
        let stored = u32::from(kept.devices.held.len() < before);
        if let Ingest::Attributes { appliance, values, .. } = content {
            kept.devices
                .attributes
                .entry(appliance)
                .or_default()
                .client
                .extend(values);
        }
        Ok(Ingested {
            stored,
            repeated: 1 - stored,
        })
    }

    async fn still_held(&self, number: i64, reason: &str) -> Result<()> {
        let mut kept = self.kept();
        let found = kept.devices.held.iter_mut().find(|held| held.number == number);
        found.unwrap().kept.reason = reason.into();
        Ok(())
    }
}

#[async_trait]
impl ClaimStore for SampleStore {
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        _: Opener,
        code: &str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<()> {
        self.kept().devices.codes.insert(appliance, code.into());
        Ok(())
    }

    async fn claim_owner(
        &self,
        actor: &Actor,
        tenant: &TenantId,
        device: &DeviceId,
        code: &str,
        contact: &OwnerContact,
        _: Timestamp,
    ) -> Result<ClaimedOwner> {
        let all = self.appliances(actor, None, usize::MAX / 2).await?;
        let found = all
            .items
            .into_iter()
            .find(|a| a.tenant == *tenant && a.device == *device);
        let appliance = found.ok_or_else(|| not_found("device", device))?.id;
        if self
            .kept()
            .devices
            .codes
            .get(&appliance)
            .is_none_or(|right| right != code)
        {
            return Err(StoreError::Refused("the code is wrong".into()));
        }
        Ok(ClaimedOwner {
            appliance,
            owner: PersonId(uuid::Uuid::from_u128(9)),
            consent: match contact.consent {
                true => Consent::Given,
                false => Consent::NeverGiven,
            },
        })
    }
}
