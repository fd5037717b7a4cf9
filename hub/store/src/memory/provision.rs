//! A device asks for its credential with a claim credential, or gives itself a secret.

use super::state::{ClaimCredential, State, sha256};
use crate::access::{AccessChange, Claimant, ProvisionRequest, Provisioned};
use crate::error::{Result, StoreError};
use hub_core::access::check_own_secret;
use hub_core::id::ApplianceId;
use jiff::Timestamp;

impl ClaimCredential {
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires_at > now && self.uses_left > 0
    }
}

impl State {
    pub(super) fn provision(
        &mut self,
        claimant: &Claimant,
        request: &ProvisionRequest,
        now: Timestamp,
    ) -> Result<Provisioned> {
        let key = request.csr.as_deref().map(super::authority::read_request).transpose()?;
        let place = (claimant.tenant.clone(), claimant.name.clone());
        let grant = self.claim_credentials.get(&place).filter(|claim| claim.is_open(now));
        let grant = grant.cloned().ok_or_else(|| {
            StoreError::Refused(format!(
                "claim credential {} is revoked, used up or over; make a new one",
                claimant.name
            ))
        })?;
        let own = request.secret.as_deref().map(own_hash).transpose()?;
        if self.has_asked_before(claimant, request, own) {
            return Ok(Provisioned::Own);
        }
        let (id, had_one) = self.provisioned_device(claimant, request, &grant)?;
        if had_one {
            self.revoke_certificates(&claimant.tenant, id, now)?;
            self.tell_access(AccessChange::Device(id));
        }
        let given = match (key, own) {
            (Some(key), _) => {
                self.set_secret(id, None);
                self.sign(&claimant.tenant, (&request.device, id), &key, now)?
            }
            (None, Some(hash)) => {
                self.set_secret(id, Some(hash));
                Provisioned::Own
            }
            (None, None) => {
                let secret = hex::encode(self.random::<32>());
                self.set_secret(id, Some(sha256(secret.as_bytes())));
                Provisioned::Secret(secret)
            }
        };
        if let Some(claim) = self.claim_credentials.get_mut(&place) {
            claim.uses_left -= 1;
        }
        Ok(given)
    }

    /// Whether the secret that it has made lets it in already: the answer was lost on its way.
    fn has_asked_before(&self, claimant: &Claimant, request: &ProvisionRequest, own: Option<[u8; 32]>) -> bool {
        let known = self.named(&claimant.tenant, &request.device);
        known.is_some_and(|known| own.is_some() && known.secret == own && !known.revoked)
    }

    pub(super) fn propose_secret(&mut self, id: ApplianceId, secret: &str) -> Result<()> {
        let hash = own_hash(secret)?;
        let known = self.appliances.get_mut(&id);
        let known = known.ok_or_else(|| super::not_found("appliance", id))?;
        if known.secret == Some(hash) {
            return Ok(());
        }
        if known.revoked {
            return Err(refused(id, "is revoked"));
        }
        if known.old_secret == Some(hash) {
            return Err(refused(
                id,
                "had this secret before the present one; it has to make a new one",
            ));
        }
        if known.by_certificate && known.secret.is_none() {
            return Err(refused(id, "comes in by a certificate and has no secret to exchange"));
        }
        let lost = known.old_secret.is_some();
        known.old_secret = known.secret.replace(hash);
        known.old_secret_until = None;
        if lost {
            self.tell_access(AccessChange::Device(id));
        }
        Ok(())
    }

    pub(super) fn end_old_secret(&mut self, id: ApplianceId, secret: &str) -> Result<()> {
        let hash = own_hash(secret)?;
        let known = self.appliances.get_mut(&id);
        let known = known.ok_or_else(|| super::not_found("appliance", id))?;
        if known.secret != Some(hash) {
            return Err(refused(id, "has another secret by now"));
        }
        if known.old_secret.is_none() && known.group.is_none() {
            return Ok(());
        }
        (known.old_secret, known.old_secret_until, known.group) = (None, None, None);
        self.tell_access(AccessChange::Device(id));
        Ok(())
    }

    /// The device, and whether it has a credential that ends now.
    fn provisioned_device(
        &mut self,
        claimant: &Claimant,
        request: &ProvisionRequest,
        grant: &ClaimCredential,
    ) -> Result<(ApplianceId, bool)> {
        let refused = |why: &str| StoreError::Refused(format!("device {} {why}", request.device));
        let Some(known) = self.named(&claimant.tenant, &request.device) else {
            let made = self.insert_device(&claimant.tenant, &request.device, &grant.profile)?;
            return Ok((made.id, false));
        };
        if known.revoked {
            return Err(refused("is revoked"));
        }
        if known.profile != grant.profile {
            return Err(refused("reports by another profile than the claim credential gives"));
        }
        let has_secret = known.secret.is_some() || known.old_secret.is_some();
        let has_one = has_secret || known.group.is_some() || known.by_certificate;
        if has_one && !grant.may_replace {
            return Err(refused(
                "has a credential already; only a claim credential that may replace one gives another",
            ));
        }
        Ok((known.id, has_one))
    }

    /// What it came in with before does not work any more, certificates of the maker's own authority excepted.
    fn set_secret(&mut self, id: ApplianceId, secret: Option<[u8; 32]>) {
        if let Some(appliance) = self.appliances.get_mut(&id) {
            appliance.by_certificate |= secret.is_none();
            (appliance.secret, appliance.old_secret, appliance.old_secret_until) = (secret, None, None);
            appliance.group = None;
        }
    }
}

fn own_hash(secret: &str) -> Result<[u8; 32]> {
    check_own_secret(secret).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(sha256(secret.as_bytes()))
}

fn refused(id: ApplianceId, why: &str) -> StoreError {
    StoreError::Refused(format!("the device of appliance {id} {why}"))
}
