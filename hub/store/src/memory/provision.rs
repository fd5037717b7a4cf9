//! A device asks for its credential with a claim credential, or gives itself a secret.

use super::state::{State, sha256};
use crate::access::{AccessChange, Claimant, ProvisionRequest, Provisioned};
use crate::credential::ClaimView;
use crate::error::{Result, StoreError};
use hub_core::access::{CredentialError, Credentials, Exchange, Provision, SecretHash, check_own_secret};
use hub_core::id::ApplianceId;
use jiff::Timestamp;
use std::fmt::Display;

pub(super) fn is_open(claim: &ClaimView, now: Timestamp) -> bool {
    !claim.revoked && claim.expires_at > now && claim.uses_left > 0
}

impl State {
    pub(super) fn provision(
        &mut self,
        claimant: &Claimant,
        request: &ProvisionRequest,
        now: Timestamp,
    ) -> Result<Provisioned> {
        if request.csr.is_some() {
            return Err(super::tenant::no_certificates());
        }
        let place = (claimant.tenant.clone(), claimant.name.clone());
        let grant = self.claim_credentials.get(&place).map(|claim| &claim.view);
        let grant = grant.filter(|claim| is_open(claim, now));
        let grant = grant.cloned().ok_or_else(|| {
            StoreError::Refused(format!(
                "claim credential {} is revoked, used up or over; make a new one",
                claimant.name
            ))
        })?;
        let own = request.secret.as_deref().map(own_hash).transpose()?;
        let known = self.named(&claimant.tenant, &request.device);
        let provision = known.map_or(Ok(Provision::First), |known| {
            let is_of_profile = known.profile == grant.profile;
            known.access.provision(own.as_ref(), is_of_profile, grant.replace)
        });
        let provision = provision.map_err(|error| refused(format!("device {}", request.device), error))?;
        if provision == Provision::Served {
            return Ok(Provisioned::Own);
        }
        let id = match known.map(|known| known.id) {
            Some(id) => id,
            None => {
                self.insert_device(&claimant.tenant, &request.device, &grant.profile)?
                    .id
            }
        };
        if provision == Provision::Instead {
            self.tell_access(AccessChange::Device(id));
        }
        let (hash, given) = match own {
            Some(hash) => (hash, Provisioned::Own),
            None => {
                let secret = hex::encode(self.random::<32>());
                (sha256(secret.as_bytes()), Provisioned::Secret(secret))
            }
        };
        if let Some(appliance) = self.appliances.get_mut(&id) {
            appliance.access.give(Some(hash));
        }
        if let Some(claim) = self.claim_credentials.get_mut(&place) {
            claim.view.uses_left -= 1;
        }
        Ok(given)
    }

    pub(super) fn propose_secret(&mut self, id: ApplianceId, secret: &str) -> Result<()> {
        let hash = own_hash(secret)?;
        self.exchange(id, of(id), |held| held.propose(hash))
    }

    pub(super) fn end_old_secret(&mut self, id: ApplianceId, secret: &str) -> Result<()> {
        let hash = own_hash(secret)?;
        self.exchange(id, of(id), |held| held.end_old(&hash))
    }

    /// `device` is how a refusal names it.
    pub(super) fn exchange(
        &mut self,
        id: ApplianceId,
        device: impl Display,
        decide: impl FnOnce(&mut Credentials) -> std::result::Result<Exchange, CredentialError>,
    ) -> Result<()> {
        let known = self.appliances.get_mut(&id);
        let known = known.ok_or_else(|| super::not_found("appliance", id))?;
        let exchange = decide(&mut known.access).map_err(|error| refused(device, error))?;
        if exchange == Exchange::Ended {
            self.tell_access(AccessChange::Device(id));
        }
        Ok(())
    }
}

fn own_hash(secret: &str) -> Result<SecretHash> {
    check_own_secret(secret).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(sha256(secret.as_bytes()))
}

fn of(id: ApplianceId) -> String {
    format!("the device of appliance {id}")
}

fn refused(device: impl Display, error: CredentialError) -> StoreError {
    StoreError::Refused(format!("{device} {error}"))
}
