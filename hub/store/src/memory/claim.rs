//! A household takes its appliance into its own name.

use super::state::{Owner, OwnerClaim, State, sha256};
use super::{MemoryStore, not_found, text};
use crate::check;
use crate::claim::{ClaimStore, ClaimedOwner, OWNER_CLAIM, Opener, OwnerContact, TRIES_MAX};
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::{self, Consent};
use hub_core::id::{ApplianceId, DeviceId, OwnerId, TenantId};
use jiff::Timestamp;

const OPENERS: [Opener; 2] = [Opener::Device, Opener::Maker];

#[async_trait]
impl ClaimStore for MemoryStore {
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        opener: Opener,
        code: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        check::claim(opener, code, until, now)?;
        let mut state = self.state();
        if !state.appliances.contains_key(&appliance) {
            return Err(StoreError::Refused(format!("there is no appliance {appliance}")));
        }
        let claim = OwnerClaim {
            code_hash: code_hash(appliance, code),
            until,
            tries: 0,
        };
        state.owner_claims.insert((appliance, opener), claim);
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
        actor.may(Act::ClaimAppliance)?;
        check::owner_contact(contact)?;
        let mut state = self.state();
        let known = state
            .named(tenant, device)
            .filter(|a| actor.reaches(tenant, a.service_point.as_deref()) && !a.access.revoked);
        let known = known.ok_or_else(|| not_found("device", format!("{tenant}/{device}")))?;
        let (appliance, before) = (known.id, known.owner);
        state.check_code(appliance, code, now)?;
        let owner = state.claimant(tenant, contact, now);
        let consent = state.claimed_consent(owner, contact.consent, now);
        for opener in OPENERS {
            state.owner_claims.remove(&(appliance, opener));
        }
        if let Some(appliance) = state.appliances.get_mut(&appliance) {
            appliance.owner = Some(owner);
        }
        // A new owner uses it in another way.
        if before.is_some_and(|before| before != owner) {
            state.restart_baseline(appliance, now)?;
        }
        drop(state);
        self.changed();
        Ok(ClaimedOwner {
            appliance,
            owner,
            consent,
        })
    }
}

impl State {
    /// Refused if no claim is open or the code fits none of them; a wrong code counts against all.
    fn check_code(&mut self, appliance: ApplianceId, code: &str, now: Timestamp) -> Result<()> {
        let shown = code_hash(appliance, code);
        let (mut open, mut fits) = (false, false);
        for opener in OPENERS {
            let claim = self.owner_claims.get(&(appliance, opener));
            if let Some(claim) = claim.filter(|claim| claim.until > now && claim.tries < TRIES_MAX) {
                open = true;
                fits |= claim.code_hash == shown;
            }
        }
        if fits {
            return Ok(());
        }
        if !open {
            return Err(check::no_claim_open());
        }
        for opener in OPENERS {
            let claim = self.owner_claims.get_mut(&(appliance, opener));
            if let Some(claim) = claim.filter(|claim| claim.until > now) {
                claim.tries += 1;
            }
        }
        Err(check::wrong_code())
    }

    /// The owner that the tenant knows by this number, or a new one.
    fn claimant(&mut self, tenant: &TenantId, contact: &OwnerContact, now: Timestamp) -> OwnerId {
        let same = |owner: &Owner| owner.tenant == *tenant && owner.phone.as_ref() == Some(&contact.phone);
        if let Some((id, _)) = self.owners.iter().find(|(_, owner)| same(owner)) {
            return *id;
        }
        let id = OwnerId::new(now, self.random());
        let owner = Owner {
            tenant: tenant.clone(),
            name_in_tenant: format!("claim-{id}"),
            name: text(contact.name.trim()),
            phone: Some(contact.phone.clone()),
            language: contact.language,
            zone: contact.zone.clone(),
            ledger: Vec::new(),
        };
        self.owners.insert(id, owner);
        id
    }

    /// A "no" always counts. A "yes" does not undo what was withdrawn: the number may be somebody else's.
    fn claimed_consent(&mut self, owner: OwnerId, given: bool, now: Timestamp) -> Consent {
        let ledger = self.owners.get(&owner).map_or(&[][..], |owner| &owner.ledger);
        let standing = consent::current(ledger);
        if given && standing == Consent::Withdrawn {
            return standing;
        }
        self.write_consent(owner, given, OWNER_CLAIM, now);
        if given { Consent::Given } else { Consent::Withdrawn }
    }
}

fn code_hash(appliance: ApplianceId, code: &str) -> [u8; 32] {
    sha256(format!("{appliance}/{code}").as_bytes())
}
