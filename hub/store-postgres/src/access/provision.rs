//! A device asks for its credential with a claim credential. Device, credential, use and what is ended by it are one
//! transaction.

use super::{change, enrol, held, issue, own};
use crate::keyring::{random, sha256};
use crate::row::{Columns, db, sql};
use crate::store::{PostgresStore, sealed};
use hub_core::access::{Credentials, Provision, SecretHash};
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
    let Some(mut found) = device(&mut tx, claimant, request, made.as_ref(), &grant, now).await? else {
        // Its answer was lost: it is given again, and nothing else.
        return Ok(Provisioned::Own);
    };
    let appliance = found.appliance;
    if found.had_one {
        issue::revoke(store, &mut tx, &claimant.tenant, &[appliance.0], now).await?;
        change::device(&mut tx, &claimant.tenant, appliance).await?;
    }
    let (hash, given) = match (key, made) {
        (Some(key), _) => {
            let device = (&request.device, appliance);
            let signed = issue::sign(store, &mut tx, &claimant.tenant, device, &key, now).await?;
            let given = Provisioned::Certificate {
                certificate: signed.certificate,
                authority: signed.authority,
            };
            (None, given)
        }
        (None, Some(hash)) => (Some(hash), Provisioned::Own),
        (None, None) => {
            let secret = hex::encode(random::<32>().map_err(sealed("random bytes"))?);
            (Some(sha256(secret.as_bytes())), Provisioned::Secret(secret))
        }
    };
    found.held.give(hash);
    held::write(&mut tx, appliance, &found.held).await?;
    count_use(&mut tx, claimant, now).await?;
    change::commit(store, tx).await?;
    tracing::info!(tenant = %claimant.tenant, device = %request.device, claim = claimant.name,
        certificate = request.csr.is_some(), replaced = found.had_one, "a device was given its credential");
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

/// The device that gets its credential. Locked.
struct Found {
    appliance: ApplianceId,
    held: Credentials,
    /// It has a credential that ends now.
    had_one: bool,
}

/// `None` if the secret that it has made lets it in already.
async fn device(
    conn: &mut PgConnection,
    claimant: &Claimant,
    request: &ProvisionRequest,
    made: Option<&SecretHash>,
    grant: &Grant,
    now: Timestamp,
) -> Result<Option<Found>> {
    let named = || format!("device {}", request.device);
    let known = sqlx::query("select * from appliance where tenant = $1 and device = $2 for no key update")
        .bind(claimant.tenant.as_str())
        .bind(request.device.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let Some(row) = known else {
        let made = enrol::insert(conn, &claimant.tenant, &request.device, &grant.profile, now).await?;
        let at_once = || {
            StoreError::Refused(format!(
                "{} was made at the same moment by somebody else; ask again",
                named()
            ))
        };
        return Ok(Some(Found {
            appliance: made.ok_or_else(at_once)?,
            held: Credentials::default(),
            had_one: false,
        }));
    };
    let held = held::read(&row)?;
    let is_of_profile = row.col::<String>("profile")? == grant.profile;
    let provision = held
        .provision(made, is_of_profile, grant.may_replace)
        .map_err(|error| held::refused(named(), error))?;
    let had_one = match provision {
        Provision::Served => return Ok(None),
        Provision::First => false,
        Provision::Instead => true,
    };
    Ok(Some(Found {
        appliance: ApplianceId(row.col("id")?),
        held,
        had_one,
    }))
}
