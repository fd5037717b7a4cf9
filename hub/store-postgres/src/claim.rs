//! A household takes its appliance into its own name.

use crate::keyring::random;
use crate::row::{Columns, db, not_found, sql, text, word};
use crate::site_row::{ledger, phone_place};
use crate::situation;
use crate::store::{PostgresStore, commit, sealed};
use crate::transaction::Transaction;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::{self, Consent};
use hub_core::id::{ApplianceId, DeviceId, OwnerId, TenantId};
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
            "select id, owner, service_point from appliance where tenant = $1 and device = $2 and not revoked for no key update",
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
        let (appliance, before) = (ApplianceId(row.col("id")?), row.col::<Option<Uuid>>("owner")?);
        if !knows_code(self, &mut tx, appliance, code, now).await? {
            return Err(wrong(tx).await?);
        }
        let owner = owner(self, &mut tx, tenant, contact, now).await?;
        let consent = put_consent(&mut tx, tenant, owner, contact.consent, now).await?;
        link(&mut tx, appliance, before, owner, now).await?;
        commit(self, tx).await?;
        tracing::info!(%tenant, %device, "an owner took an appliance into their own name");
        Ok(ClaimedOwner {
            appliance,
            owner: OwnerId(owner),
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

/// The owner that the tenant knows by this number, or a new one.
async fn owner(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    contact: &OwnerContact,
    now: Timestamp,
) -> Result<Uuid> {
    let index = store.keyring.blind_index(&contact.phone);
    let known = sqlx::query_scalar(
        "select id from owner where tenant = $1 and phone_index = $2 order by id limit 1 for no key update",
    )
    .bind(tenant.as_str())
    .bind(&index[..])
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    if let Some(id) = known {
        return Ok(id);
    }
    let id = OwnerId::new(now, random().map_err(sealed("random bytes"))?).0;
    let phone = store.keyring.seal(&phone_place(id), contact.phone.reveal().as_bytes());
    sqlx::query(
        "insert into owner (id, tenant, name_in_tenant, name, phone, phone_index, language, zone) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(tenant.as_str())
    .bind(format!("claim-{id}"))
    .bind(text(contact.name.trim()))
    .bind(phone.map_err(sealed("phone number"))?)
    .bind(&index[..])
    .bind(word(&contact.language)?)
    .bind(&contact.zone)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(id)
}

/// A "no" always counts. A "yes" does not undo what was withdrawn: the number may be somebody else's.
async fn put_consent(
    conn: &mut PgConnection,
    tenant: &TenantId,
    owner: Uuid,
    given: bool,
    now: Timestamp,
) -> Result<Consent> {
    let standing = consent::current(&ledger(conn, owner).await?);
    if given && standing == Consent::Withdrawn {
        return Ok(standing);
    }
    sqlx::query("insert into consent (tenant, owner, at, given, source) values ($1, $2, $3, $4, $5)")
        .bind(tenant.as_str())
        .bind(owner)
        .bind(sql(now))
        .bind(given)
        .bind(OWNER_CLAIM)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(if given { Consent::Given } else { Consent::Withdrawn })
}

/// Links the appliance and closes what was open for it.
async fn link(
    conn: &mut PgConnection,
    appliance: ApplianceId,
    before: Option<Uuid>,
    owner: Uuid,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "with closed as (delete from owner_claim where appliance = $1) update appliance set owner = $2 where id = $1",
    )
    .bind(appliance.0)
    .bind(owner)
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    // A new owner uses it in another way.
    if before.is_some_and(|before| before != owner) {
        situation::restart_baselines(conn, &[appliance.0], now).await?;
    }
    Ok(())
}
