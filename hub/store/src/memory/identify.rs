//! Whose a credential is.

use super::provision::is_open;
use super::state::{Appliance, Group, State, sha256};
use crate::access::{Claimant, Credential, Integrator, Principal, is_program};
use crate::credential::{ClaimView, IntegratorView};
use crate::telemetry::Device;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use jiff::Timestamp;

impl State {
    pub(super) fn identify(&mut self, shown: &[Credential], now: Timestamp) -> Vec<Option<Principal>> {
        let mut answers: Vec<Option<Principal>> = shown.iter().map(|credential| self.known(credential, now)).collect();
        // After all others: who comes in by a certificate joins no group.
        for (answer, credential) in answers.iter_mut().zip(shown) {
            if answer.is_none() {
                self.enrol(credential);
                *answer = self.known(credential, now);
            }
        }
        answers
    }

    fn known(&mut self, shown: &Credential, now: Timestamp) -> Option<Principal> {
        if let Credential::Token(token) = shown
            && is_program(token)
        {
            return self.program(token, now);
        }
        // A token that two devices share says nothing about which of them it is.
        let mut fits = self
            .appliances
            .values()
            .filter(|appliance| !appliance.access.revoked && self.fits(appliance, shown, now));
        let (Some(known), None) = (fits.next(), fits.next()) else {
            return None;
        };
        let device = Device {
            appliance: known.id,
            tenant: known.tenant.clone(),
            device: known.device.clone(),
            profile: known.profile.clone(),
        };
        let id = known.id;
        if let Some(appliance) = self.appliances.get_mut(&id) {
            appliance.access.by_certificate |= matches!(shown, Credential::Certificate { .. });
        }
        Some(Principal::Device(device, self.take_up_session(id, now)))
    }

    fn fits(&self, known: &Appliance, shown: &Credential, now: Timestamp) -> bool {
        let is_named = |tenant: &TenantId, device: &DeviceId| known.tenant == *tenant && known.device == *device;
        match shown {
            Credential::Certificate { tenant, device } => is_named(tenant, device),
            Credential::Token(token) => known.access.takes(&sha256(token.as_bytes()), now),
            Credential::Secret { tenant, device, secret } => {
                let group = known
                    .access
                    .group
                    .as_ref()
                    .and_then(|name| self.group(tenant, name).ok());
                is_named(tenant, device)
                    && (known.access.takes(&sha256(secret.as_bytes()), now)
                        || group.is_some_and(|group| group.knows(device, secret)))
            }
        }
    }

    fn program(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let hash = sha256(token.as_bytes());
        let mut integrators = self.integrators.values();
        if let Some(known) = integrators.find(|known| known.token_hash == hash && !known.view.revoked) {
            let IntegratorView {
                tenant, name, filters, ..
            } = known.view.clone();
            return Some(Principal::Integrator(Integrator { tenant, name, filters }));
        }
        let mut claims = self.claim_credentials.values();
        let known = claims.find(|known| known.token_hash == hash && is_open(&known.view, now))?;
        let ClaimView {
            tenant, name, profile, ..
        } = known.view.clone();
        Some(Principal::Claimant(Claimant { tenant, name, profile }))
    }

    /// Makes a device that nobody made, or lets one that was only declared join, if it shows a secret of a group that
    /// enrols.
    fn enrol(&mut self, shown: &Credential) {
        let Credential::Secret { tenant, device, secret } = shown else {
            return;
        };
        let known = self.named(tenant, device);
        if known.is_some_and(|known| !known.access.is_declared_only()) {
            return;
        }
        let is_theirs = |(place, group): &(&(TenantId, String), &Group)| {
            place.0 == *tenant && group.enrols && group.knows(device, secret)
        };
        let Some(((_, name), group)) = self.groups.iter().find(is_theirs) else {
            return;
        };
        if known.is_some_and(|known| known.profile != group.profile) {
            return;
        }
        let (name, profile, known) = (name.clone(), group.profile.clone(), known.map(|known| known.id));
        let made = |state: &mut Self| -> Option<ApplianceId> {
            state
                .insert_device(tenant, device, &profile)
                .ok()
                .map(|appliance| appliance.id)
        };
        let Some(id) = known.or_else(|| made(self)) else {
            return;
        };
        if let Some(appliance) = self.appliances.get_mut(&id) {
            appliance.access.group = Some(name);
        }
    }
}
