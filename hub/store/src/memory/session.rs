//! What of a device's MQTT session is kept, and its attributes.

use super::state::{Appliance, State};
use super::{MemoryStore, text};
use crate::check;
use crate::error::{Result, StoreError};
use crate::session::{Attributes, KeptSession, RetainedState, SessionChange, SessionStore, is_expired};
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId};
use jiff::Timestamp;
use std::time::Duration;

#[async_trait]
impl SessionStore for MemoryStore {
    async fn change_sessions(&self, changes: &[(ApplianceId, SessionChange)], now: Timestamp) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.check_lease()?;
        let mut state = self.state();
        for (appliance, change) in changes {
            let Some(session) = change.kept() else { continue };
            check::session(session)?;
            if !state.appliances.contains_key(appliance) {
                return Err(StoreError::Refused(format!("there is no appliance {appliance}")));
            }
        }
        for (appliance, change) in changes {
            if change.forgets() {
                state.forget_session(*appliance);
            }
            if let Some(session) = change.kept() {
                state.sessions.insert(*appliance, (session.clone(), now));
            }
        }
        Ok(())
    }

    async fn commands_passed(
        &self,
        appliance: ApplianceId,
        requests: &[String],
        acknowledged: bool,
        now: Timestamp,
    ) -> Result<()> {
        let mut state = self.state();
        for request in requests {
            if let Some(row) = state.command_of(appliance, &text(request)) {
                // What was acknowledged did go out, whether or not that was noted in time.
                row.sent_at = row.sent_at.or(Some(now));
                if acknowledged {
                    row.taken_at = row.taken_at.or(Some(now));
                }
            }
        }
        Ok(())
    }

    async fn retained_states(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RetainedState>> {
        let state = self.state();
        let of_tenant = state.names.iter().filter(|((of, _), _)| of == tenant);
        let later = of_tenant.filter(|((_, device), _)| after.is_none_or(|after| device.as_str() > after));
        Ok(later
            .filter_map(|((_, device), id)| {
                let (payload, at) = state.states.get(id)?;
                Some(RetainedState {
                    device: device.to_string(),
                    payload: payload.clone(),
                    at: *at,
                })
            })
            .take(limit)
            .collect())
    }

    async fn attributes(
        &self,
        appliance: ApplianceId,
        client: Option<&[String]>,
        shared: Option<&[String]>,
    ) -> Result<Attributes> {
        let mut found = self.state().attributes(appliance);
        found
            .client
            .retain(|name, _| client.is_none_or(|names| names.contains(name)));
        found
            .shared
            .retain(|name, _| shared.is_none_or(|names| names.contains(name)));
        Ok(found)
    }

    async fn attributes_shared(&self, patience: Duration) -> Vec<ApplianceId> {
        self.signals().wait_attributes(patience).await
    }
}

impl State {
    pub(super) fn attributes(&self, appliance: ApplianceId) -> Attributes {
        let own = (appliance, String::new())..(ApplianceId(appliance.0 + 1), String::new());
        let told = self.told.range(own);
        Attributes {
            client: told
                .map(|((_, name), (value, _))| (name.clone(), value.clone()))
                .collect(),
            shared: self.shared.get(&appliance).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn forget_session(&mut self, appliance: ApplianceId) {
        self.sessions.remove(&appliance);
        self.telemetry.packets.retain(|(of, _)| *of != appliance);
    }

    /// The session that a device takes up now. One that has expired is forgotten with its packet identifiers.
    pub(super) fn take_up_session(&mut self, id: ApplianceId, now: Timestamp) -> Option<KeptSession> {
        let appliance = self.appliances.get(&id)?;
        let online = appliance.status.online;
        let left_at = self.sessions.get(&id).map(|(_, kept_at)| left_at(appliance, *kept_at));
        let packets = self.telemetry.packets.range((id, 0)..=(id, u16::MAX));
        let unreleased = packets.map(|(_, packet)| *packet).collect();
        match self.sessions.get_mut(&id) {
            Some((session, kept_at)) if online || !is_expired(session.expiry_s, left_at, now) => {
                if !online && is_expired(session.expiry_s / 2, left_at, now) {
                    *kept_at = now.max(*kept_at);
                }
                Some(KeptSession {
                    unreleased,
                    ..session.clone()
                })
            }
            _ => {
                if !online {
                    self.forget_session(id);
                }
                None
            }
        }
    }
}

fn left_at(appliance: &Appliance, kept_at: Timestamp) -> Timestamp {
    appliance.status.presence_at.map_or(kept_at, |at| at.max(kept_at))
}
