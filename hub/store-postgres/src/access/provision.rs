//! A device asks for its credential with a claim credential. Device, credential, use and what is ended by it are one
//! transaction.

use super::{change, enrol, issue, own};
use crate::keyring::{random, sha256};
use crate::row::{Columns, db, sql};
use crate::store::{PostgresStore, sealed};
use hub_core::id::ApplianceId;
use hub_store::access::{Claimant, ProvisionRequest, Provisioned};
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;

/// What the claim credential allows.
struct Grant {
    profile: String,
    may_replace: bool,
}

pub(super) async fn provision(
    store: &PostgresStore,
    claimant: &Claimant,
    request: &ProvisionRequest,
    now: Timestamp,
) -> Result<Provisioned> {
    let key = request.csr.as_deref().map(issue::read_request).transpose()?;
    // Before an authority is made for it.
    let grant = grant(&mut *store.pool.acquire().await.map_err(db)?, claimant, now).await?;
    if key.is_some() {
        issue::ensure(store, &claimant.tenant, now).await?;
    }
    let made = request.secret.as_deref().map(own::hash).transpose()?;
    let mut tx = store.begin().await?;
    let (appliance, had_one) = match device(&mut tx, claimant, request, made.as_ref(), &grant, now).await? {
        Found::Device { appliance, had_one } => (appliance, had_one),
        // Its answer was lost: it is given again, and nothing else.
        Found::Served => return Ok(Provisioned::Own),
    };
    if had_one {
        issue::revoke(store, &mut tx, &claimant.tenant, appliance, now).await?;
        change::device(&mut tx, &claimant.tenant, appliance).await?;
    }
    let given = match (key, made) {
        (Some(key), _) => {
            set_secret(&mut tx, appliance, None).await?;
            let device = (&request.device, appliance);
            let signed = issue::sign(store, &mut tx, &claimant.tenant, device, &key, now).await?;
            Provisioned::Certificate {
                certificate: signed.certificate,
                authority: signed.authority,
            }
        }
        (None, Some(hash)) => {
            set_secret(&mut tx, appliance, Some(hash)).await?;
            Provisioned::Own
        }
        (None, None) => {
            let secret = hex::encode(random::<32>().map_err(sealed("random bytes"))?);
            set_secret(&mut tx, appliance, Some(sha256(secret.as_bytes()))).await?;
            Provisioned::Secret(secret)
        }
    };
    count_use(&mut tx, claimant, now).await?;
    change::commit(store, tx).await?;
    tracing::info!(tenant = %claimant.tenant, device = %request.device, claim = claimant.name,
        certificate = request.csr.is_some(), replaced = had_one, "a device was given its credential");
    Ok(given)
}

async fn grant(conn: &mut PgConnection, claimant: &Claimant, now: Timestamp) -> Result<Grant> {
    let row = sqlx::query(
        "select profile, may_replace from claim_credential \
         where tenant = $1 and name = $2 and not revoked and expires_at > $3 and uses_left > 0",
    )
    .bind(claimant.tenant.as_str())
    .bind(&claimant.name)
    .bind(sql(now))
    .fetch_optional(conn)
    .await
    .map_err(db)?
    .ok_or_else(|| ended(claimant))?;
    Ok(Grant {
        profile: row.col("profile")?,
        may_replace: row.col("may_replace")?,
    })
}

/// At the end, so that devices wait for one another as shortly as possible.
async fn count_use(conn: &mut PgConnection, claimant: &Claimant, now: Timestamp) -> Result<()> {
    let counted = sqlx::query(
        "update claim_credential set uses_left = uses_left - 1 \
         where tenant = $1 and name = $2 and not revoked and expires_at > $3 and uses_left > 0",
    )
    .bind(claimant.tenant.as_str())
    .bind(&claimant.name)
    .bind(sql(now))
    .execute(conn)
    .await
    .map_err(db)?;
    match counted.rows_affected() {
        1 => Ok(()),
        _ => Err(ended(claimant)),
    }
}

fn ended(claimant: &Claimant) -> StoreError {
    StoreError::Refused(format!(
        "claim credential {} is revoked, used up or over; make a new one",
        claimant.name
    ))
}

/// What there is of the device.
enum Found {
    /// It gets its credential. Locked.
    Device {
        appliance: ApplianceId,
        /// It has a credential that ends now.
        had_one: bool,
    },
    /// The secret that it has made lets it in already.
    Served,
}

async fn device(
    conn: &mut PgConnection,
    claimant: &Claimant,
    request: &ProvisionRequest,
    made: Option<&[u8; 32]>,
    grant: &Grant,
    now: Timestamp,
) -> Result<Found> {
    let refused = |why: &str| StoreError::Refused(format!("device {} {why}", request.device));
    let select = "select id, profile, revoked, secret_sha256, \
           (secret_sha256 is not null or old_secret_sha256 is not null or key_group is not null or by_certificate) \
             as has_one \
         from appliance where tenant = $1 and device = $2 for no key update";
    let known = sqlx::query(select)
        .bind(claimant.tenant.as_str())
        .bind(request.device.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let Some(row) = known else {
        return enrol::insert(conn, &claimant.tenant, &request.device, &grant.profile, now)
            .await?
            .map(|appliance| Found::Device {
                appliance,
                had_one: false,
            })
            .ok_or_else(|| refused("was made at the same moment by somebody else; ask again"));
    };
    if row.col::<bool>("revoked")? {
        return Err(refused("is revoked"));
    }
    let present: Option<Vec<u8>> = row.col("secret_sha256")?;
    if made.is_some_and(|made| own::is(present.as_deref(), made)) {
        return Ok(Found::Served);
    }
    if row.col::<String>("profile")? != grant.profile {
        return Err(refused("reports by another profile than the claim credential gives"));
    }
    let has_one = row.col::<bool>("has_one")?;
    if has_one && !grant.may_replace {
        return Err(refused(
            "has a credential already; only a claim credential that may replace one gives another",
        ));
    }
    Ok(Found::Device {
        appliance: ApplianceId(row.col("id")?),
        had_one: has_one,
    })
}

/// What it came in with before does not work any more, certificates of the maker's own authority excepted.
async fn set_secret(conn: &mut PgConnection, appliance: ApplianceId, hash: Option<[u8; 32]>) -> Result<()> {
    sqlx::query(
        "update appliance set secret_sha256 = $2, old_secret_sha256 = null, old_secret_until = null, key_group = null, \
           by_certificate = by_certificate or $2 is null \
         where id = $1",
    )
    .bind(appliance.0)
    .bind(hash.map(|hash| hash.to_vec()))
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
