//! A household takes its appliance into its own name.

use super::state::{Household, OwnerClaim, Person, State, sha256};
use super::{MemoryStore, not_found, text};
use crate::check;
use crate::claim::{ClaimStore, ClaimedOwner, OWNER_CLAIM, Opener, OwnerContact, TRIES_MAX};
use crate::error::{Result, StoreError};
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::baseline::RestartReason;
use hub_core::consent::{Consent, Subject, is_refused};
use hub_core::id::{ApplianceId, DeviceId, HouseholdId, PersonId, TenantId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::OWNER;
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
        let (appliance, before) = (known.id, known.household);
        state.check_code(appliance, code, now)?;
        let (household, owner) = state.claimant(tenant, contact, now);
        let consent = state.claimed_consent(tenant, owner, contact, now);
        for opener in OPENERS {
            state.owner_claims.remove(&(appliance, opener));
        }
        if let Some(appliance) = state.appliances.get_mut(&appliance) {
            appliance.household = Some(household);
        }
        // A new household uses it in another way.
        if before.is_some_and(|before| before != household) {
            state.restart_baseline(appliance, RestartReason::NewOwner, now)?;
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

    /// The person whom the tenant knows by this number, or a new household of one.
    fn claimant(&mut self, tenant: &TenantId, contact: &OwnerContact, now: Timestamp) -> (HouseholdId, PersonId) {
        if let Some(known) = self.who_have(tenant, &contact.phone).first() {
            return *known;
        }
        let (id, person) = (HouseholdId::new(now, self.random()), PersonId::new(now, self.random()));
        let household = Household {
            tenant: tenant.clone(),
            name_in_tenant: format!("claim-{person}"),
            address: None,
            zone: contact.zone.clone(),
            persons: vec![Person {
                id: person,
                name_in_household: OWNER.to_owned(),
                name: text(contact.name.trim()),
                numbers: vec![contact.phone.clone()],
                language: contact.language,
                ledger: Vec::new(),
            }],
        };
        self.households.insert(id, household);
        (id, person)
    }

    /// Everybody who has a number, the first in order first.
    fn who_have(&self, tenant: &TenantId, number: &PhoneNumber) -> Vec<(HouseholdId, PersonId)> {
        let own = self.households.iter().filter(|(_, known)| known.tenant == *tenant);
        let persons = own.flat_map(|(id, known)| known.persons.iter().enumerate().map(|(rank, one)| (*id, rank, one)));
        let having = persons.filter(|(_, _, person)| person.numbers.contains(number));
        let mut all: Vec<_> = having.map(|(id, rank, person)| (rank, person.id, id)).collect();
        all.sort();
        all.into_iter().map(|(_, person, id)| (id, person)).collect()
    }

    /// A "no" always counts, for everybody who has the number. A "yes" does not undo what the person has refused: the number may be
    /// somebody else's.
    fn claimed_consent(
        &mut self,
        tenant: &TenantId,
        person: PersonId,
        contact: &OwnerContact,
        now: Timestamp,
    ) -> Consent {
        let (subject, given) = (Subject::SERVICE_CALLS, contact.consent);
        let ledger = self.person(person).map_or(&[][..], |person| &person.ledger);
        if given && is_refused(ledger, subject) {
            return Consent::Withdrawn;
        }
        if given {
            self.write_consent(person, subject, true, OWNER_CLAIM, now);
            return Consent::Given;
        }
        for (_, one) in self.who_have(tenant, &contact.phone) {
            self.write_consent(one, subject, false, OWNER_CLAIM, now);
        }
        Consent::Withdrawn
    }
}

fn code_hash(appliance: ApplianceId, code: &str) -> [u8; 32] {
    sha256(format!("{appliance}/{code}").as_bytes())
}
