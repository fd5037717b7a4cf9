//! A household takes its appliance into its own name.

use crate::household::key::HouseholdKey;
use crate::household::{HouseholdRow, PersonRow, Rows, ledger};
use crate::keyring::random;
use crate::row::{Columns, db, not_found, sql, text};
use crate::situation;
use crate::store::{PostgresStore, commit, sealed};
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::baseline::RestartReason;
use hub_core::consent::{Consent, Subject, is_refused};
use hub_core::id::{ApplianceId, DeviceId, HouseholdId, PersonId, TenantId};
use hub_core::site::OWNER;
use hub_store::check;
use hub_store::claim::{ClaimStore, ClaimedOwner, OWNER_CLAIM, Opener, OwnerContact, TRIES_MAX};
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;

#[async_trait]
impl ClaimStore for PostgresStore {
    async fn open_claim(
        &self,
        appliance: ApplianceId,
        opener: Opener,
        code: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        check::claim(opener, code, until, now)?;
        let hash = self.keyring.claim_code(&appliance.to_string(), code);
        let open = || {
            sqlx::query(
                "insert into owner_claim (appliance, opener, code_hash, until) values ($1, $2, $3, $4) \
                 on conflict (appliance, opener) do update set code_hash = $3, until = $4, tries = 0",
            )
            .bind(appliance.0)
            .bind(opener.name())
            .bind(&hash[..])
            .bind(sql(until))
        };
        self.fetch(open).await.map(drop)
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
        let no_device = || not_found("device", format!("{tenant}/{device}"));
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "select id, household, service_point from appliance where tenant = $1 and device = $2 and not revoked for no key update",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(db)?
        .ok_or_else(no_device)?;
        if !actor.reaches(tenant, row.col("service_point")?) {
            return Err(no_device());
        }
        let (appliance, before) = (ApplianceId(row.col("id")?), row.col::<Option<Uuid>>("household")?);
        if !knows_code(self, &mut tx, appliance, code, now).await? {
            return Err(wrong(tx).await?);
        }
        let owner = owner(self, &mut tx, tenant, contact, now).await?;
        let consent = put_consent(&mut tx, tenant, &owner, contact.consent, now).await?;
        link(&mut tx, appliance, before, owner.household, now).await?;
        commit(self, tx).await?;
        tracing::info!(%tenant, %device, "an owner took an appliance into their own name");
        Ok(ClaimedOwner {
            appliance,
            owner: PersonId(owner.person),
            consent,
        })
    }
}

/// Compares with every claim that is open, each time in the same time; a wrong code counts against all of them. Refused
/// if none is open.
async fn knows_code(
    store: &PostgresStore,
    conn: &mut PgConnection,
    appliance: ApplianceId,
    code: &str,
    now: Timestamp,
) -> Result<bool> {
    let open: Vec<Vec<u8>> = sqlx::query_scalar(
        "select code_hash from owner_claim where appliance = $1 and until > $2 and tries < $3 for update",
    )
    .bind(appliance.0)
    .bind(sql(now))
    .bind(TRIES_MAX)
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if open.is_empty() {
        return Err(check::no_claim_open());
    }
    let shown = store.keyring.claim_code(&appliance.to_string(), code);
    let fits = open
        .iter()
        .fold(Choice::from(0), |fits, code| fits | code.as_slice().ct_eq(&shown));
    if bool::from(fits) {
        return Ok(true);
    }
    sqlx::query("update owner_claim set tries = tries + 1 where appliance = $1 and until > $2")
        .bind(appliance.0)
        .bind(sql(now))
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(false)
}

/// The wrong code is kept in mind.
async fn wrong(tx: Transaction) -> Result<StoreError> {
    tx.commit().await.map_err(db)?;
    Ok(check::wrong_code())
}

/// Who has a number.
struct Claimant {
    household: Uuid,
    person: Uuid,
    /// Others with the same number.
    others: Vec<Uuid>,
}

/// The person whom the tenant knows by this number, or a new household of one.
async fn owner(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    contact: &OwnerContact,
    now: Timestamp,
) -> Result<Claimant> {
    let index = store.keyring.blind_index(&contact.phone);
    let known = sqlx::query(
        "select id, household from person \
         where id in (select person from phone where tenant = $1 and number_index = $2) order by rank, id for no key update",
    )
    .bind(tenant.as_str())
    .bind(&index[..])
    .fetch_all(&mut *conn)
    .await
    .map_err(db)?;
    if let Some((first, others)) = known.split_first() {
        return Ok(Claimant {
            household: first.col("household")?,
            person: first.col("id")?,
            others: others.iter().map(|row| row.col("id")).collect::<Result<_>>()?,
        });
    }
    let draw = || random().map_err(sealed("random bytes"));
    let (household, person) = (HouseholdId::new(now, draw()?).0, PersonId::new(now, draw()?).0);
    let (key, sealed_key) = HouseholdKey::make(&store.keyring, household)?;
    let (name_in_tenant, name) = (format!("claim-{person}"), text(contact.name.trim()));
    let home = HouseholdRow {
        name_in_tenant: &name_in_tenant,
        address: None,
        zone: &contact.zone,
    };
    let one = PersonRow {
        household,
        name_in_household: OWNER,
        name: &name,
        language: contact.language,
        rank: 0,
    };
    let mut rows = Rows::default();
    rows.household(household, &key, sealed_key, &home)?;
    rows.person(person, &one)?;
    let numbers = std::slice::from_ref(&contact.phone);
    rows.numbers(person, &key, &store.keyring, numbers)?;
    rows.put(conn, tenant).await?;
    Ok(Claimant {
        household,
        person,
        others: Vec::new(),
    })
}

/// A "no" always counts, for everybody who has the number. A "yes" does not undo what the person has refused: the number may be somebody
/// else's.
async fn put_consent(
    conn: &mut PgConnection,
    tenant: &TenantId,
    claimant: &Claimant,
    given: bool,
    now: Timestamp,
) -> Result<Consent> {
    let person = claimant.person;
    let subject = Subject::SERVICE_CALLS;
    let said = ledger::of(conn, vec![person])
        .await?
        .remove(&person)
        .unwrap_or_default();
    if given && is_refused(&said, subject) {
        return Ok(Consent::Withdrawn);
    }
    let saying = |person| ledger::Saying { person, subject, given };
    let mut sayings = vec![saying(person)];
    if !given {
        sayings.extend(claimant.others.iter().copied().map(saying));
    }
    ledger::add(conn, tenant, &sayings, OWNER_CLAIM, now).await?;
    Ok(if given { Consent::Given } else { Consent::Withdrawn })
}

/// Links the appliance and closes what was open for it.
async fn link(
    conn: &mut PgConnection,
    appliance: ApplianceId,
    before: Option<Uuid>,
    household: Uuid,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "with closed as (delete from owner_claim where appliance = $1) update appliance set household = $2 where id = $1",
    )
    .bind(appliance.0)
    .bind(household)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    // A new household uses it in another way.
    if before.is_some_and(|before| before != household) {
        let restarted = [(appliance.0, RestartReason::NewOwner)].into();
        situation::restart_baselines(conn, &restarted, now).await?;
    }
    Ok(())
}
