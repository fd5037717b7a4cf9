//! Applying a site file: what differs is written and told; what it does not name stays.

use crate::access::{change, enrol};
use crate::keyring::random;
use crate::retention;
use crate::row::{Columns, db, json, sql, text, word};
use crate::site::{ledger, phone_place, trunk, trunk_place};
use crate::store::{PostgresStore, commit, sealed};
use crate::ticket_row::restart_baseline;
use hub_core::id::{ApplianceId, OwnerId, TenantId};
use hub_core::site::{Device, Owner, ServicePoint, Site, Tenant, Trunk};
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use jiff::Timestamp;
use sqlx::PgConnection;

/// `source` of ledger entries that come from a site file.
const SITE_FILE: &str = "site_file";

/// Applies a site in one transaction; with `dry_run` it is rolled back.
pub(crate) async fn apply(
    store: &PostgresStore,
    site: &Site,
    now: Timestamp,
    dry_run: bool,
) -> Result<Vec<SiteChange>> {
    site.check(&store.profiles)
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    let mut tx = store.begin().await?;
    let mut changes = Vec::new();
    lock_appliances(&mut tx, site).await?;
    for declared in &site.tenants {
        tenant(&mut tx, declared, &mut changes).await?;
        if let Some(trunk) = &declared.trunk {
            put_trunk(store, &mut tx, &declared.id, trunk, &mut changes).await?;
        }
        retention::declare::put(&mut tx, &declared.id, &declared.retentions, &mut changes).await?;
        for owner in &declared.owners {
            put_owner(store, &mut tx, &declared.id, owner, now, &mut changes).await?;
        }
        for point in &declared.service_points {
            put_service_point(&mut tx, &declared.id, point, &mut changes).await?;
        }
        for declared_device in &declared.devices {
            file_device(&mut tx, &declared.id, declared_device, now, &mut changes).await?;
        }
    }
    if dry_run {
        tx.rollback().await.map_err(db)?;
    } else {
        commit(store, tx).await?;
    }
    Ok(changes)
}

/// Locks the appliances that the file names before anything else, as whoever dials, scores or ends a call does: then
/// nobody waits for an owner or a service point in a circle.
async fn lock_appliances(conn: &mut PgConnection, site: &Site) -> Result<()> {
    let named = || site.tenants.iter().flat_map(|t| t.devices.iter().map(move |d| (t, d)));
    sqlx::query(
        "select from appliance where (tenant, device) in (select * from unnest($1::text[], $2::text[])) \
         order by id for no key update",
    )
    .bind(named().map(|(tenant, _)| tenant.id.as_str()).collect::<Vec<_>>())
    .bind(named().map(|(_, device)| device.id.as_str()).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

fn note(changes: &mut Vec<SiteChange>, known: bool, kind: &'static str, id: String) {
    let action = if known { "change" } else { "add" };
    changes.push(SiteChange { action, kind, id });
}

async fn tenant(conn: &mut PgConnection, tenant: &Tenant, changes: &mut Vec<SiteChange>) -> Result<()> {
    let wanted = (
        json(&tenant.brand)?,
        json(&tenant.contact_plan)?,
        json(&tenant.visit_price)?,
    );
    let known = sqlx::query("select brand, contact_plan, visit_price from tenant where id = $1 for no key update")
        .bind(tenant.id.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    if let Some(row) = &known {
        // Compared as what they mean: JSON numbers come back in another form.
        let same = row.json::<hub_core::site::Localised>("brand")? == tenant.brand
            && row.json::<hub_core::contact_plan::ContactPlan>("contact_plan")? == tenant.contact_plan
            && row.json::<hub_core::site::Price>("visit_price")? == tenant.visit_price;
        if same {
            return Ok(());
        }
    }
    sqlx::query(
        "insert into tenant (id, brand, contact_plan, visit_price) values ($1, $2, $3, $4) \
         on conflict (id) do update set brand = $2, contact_plan = $3, visit_price = $4",
    )
    .bind(tenant.id.as_str())
    .bind(wanted.0)
    .bind(wanted.1)
    .bind(wanted.2)
    .execute(conn)
    .await
    .map_err(db)?;
    note(changes, known.is_some(), "tenant", tenant.id.to_string());
    Ok(())
}

async fn put_trunk(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Trunk,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let known = sqlx::query("select * from trunk where tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    if let Some(row) = &known
        && trunk(row, &store.keyring)?.1 == *wanted
    {
        return Ok(());
    }
    let seal = |column: &str, value: &str| {
        store
            .keyring
            .seal(&trunk_place(column, tenant), value.as_bytes())
            .map_err(sealed("trunk secret"))
    };
    let password = wanted.password.as_deref().map(|p| seal("password", p)).transpose()?;
    sqlx::query(
        "insert into trunk (tenant, proxy, domain, username, password, caller_number, caller_index) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant) do update \
         set proxy = $2, domain = $3, username = $4, password = $5, caller_number = $6, caller_index = $7",
    )
    .bind(tenant.as_str())
    .bind(wanted.proxy.to_string())
    .bind(&wanted.domain)
    .bind(&wanted.username)
    .bind(password)
    .bind(seal("caller_number", wanted.caller_number.reveal())?)
    .bind(&store.keyring.blind_index(&wanted.caller_number)[..])
    .execute(conn)
    .await
    .map_err(db)?;
    note(changes, known.is_some(), "trunk", tenant.to_string());
    Ok(())
}

async fn put_service_point(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &ServicePoint,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let known = crate::site::service_point(conn, tenant, &wanted.id).await?;
    if known.as_ref() == Some(wanted) {
        return Ok(());
    }
    sqlx::query(
        "insert into service_point (tenant, id, name, zone, slots) values ($1, $2, $3, $4, $5) \
         on conflict (tenant, id) do update set name = $3, zone = $4, slots = $5",
    )
    .bind(tenant.as_str())
    .bind(&wanted.id)
    .bind(json(&wanted.name)?)
    .bind(&wanted.zone)
    .bind(json(&wanted.slots)?)
    .execute(conn)
    .await
    .map_err(db)?;
    note(
        changes,
        known.is_some(),
        "service point",
        format!("{tenant}/{}", wanted.id),
    );
    Ok(())
}

async fn put_owner(
    store: &PostgresStore,
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Owner,
    now: Timestamp,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let index = wanted.phone.as_ref().map(|phone| store.keyring.blind_index(phone));
    let language = word(&wanted.language)?;
    let known = sqlx::query("select * from owner where tenant = $1 and name_in_tenant = $2 for update")
        .bind(tenant.as_str())
        .bind(&wanted.id)
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let (id, same) = match &known {
        Some(row) => {
            let same = row.col::<String>("name")? == text(&wanted.name)
                && row.col::<Option<Vec<u8>>>("phone_index")?.as_deref() == index.as_ref().map(|i| &i[..])
                && row.col::<String>("language")? == language
                && row.col::<String>("zone")? == wanted.zone;
            (row.col("id")?, same)
        }
        None => (OwnerId::new(now, random().map_err(sealed("random bytes"))?).0, false),
    };
    if !same {
        let phone = wanted
            .phone
            .as_ref()
            .map(|phone| store.keyring.seal(&phone_place(id), phone.reveal().as_bytes()))
            .transpose()
            .map_err(sealed("phone number"))?;
        sqlx::query(
            "insert into owner (id, tenant, name_in_tenant, name, phone, phone_index, language, zone) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) \
             on conflict (id) do update set name = $4, phone = $5, phone_index = $6, language = $7, zone = $8",
        )
        .bind(id)
        .bind(tenant.as_str())
        .bind(&wanted.id)
        .bind(text(&wanted.name))
        .bind(phone)
        .bind(index.as_ref().map(|i| &i[..]))
        .bind(language)
        .bind(&wanted.zone)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
        note(changes, known.is_some(), "owner", format!("{tenant}/{}", wanted.id));
    }
    put_consent(conn, tenant, id, wanted, now, changes).await
}

/// Appends to the ledger where the file says something new. Its "yes" never undoes what the owner took back elsewhere.
async fn put_consent(
    conn: &mut PgConnection,
    tenant: &TenantId,
    owner: uuid::Uuid,
    wanted: &Owner,
    now: Timestamp,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let ledger = ledger(conn, owner).await?;
    let file_said = ledger.iter().rev().find(|e| e.source == SITE_FILE).map(|e| e.given);
    let taken_back = ledger
        .iter()
        .rev()
        .find(|e| e.source != SITE_FILE)
        .is_some_and(|e| !e.given);
    let given = wanted.consent_to_calls;
    if file_said.unwrap_or(false) == given || given && taken_back {
        return Ok(());
    }
    sqlx::query("insert into consent (tenant, owner, at, given, source) values ($1, $2, $3, $4, $5)")
        .bind(tenant.as_str())
        .bind(owner)
        .bind(sql(now))
        .bind(given)
        .bind(SITE_FILE)
        .execute(conn)
        .await
        .map_err(db)?;
    note(
        changes,
        file_said.is_some(),
        "consent",
        format!("{tenant}/{}", wanted.id),
    );
    Ok(())
}

/// Brings one device to what the file declares. A secret that the file named before is no news: it may have been rotated
/// or replaced since.
async fn file_device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Device,
    now: Timestamp,
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let secret = wanted.secret_sha256.as_deref().map(secret_hash).transpose()?;
    let before: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("select site_secret_sha256 from appliance where tenant = $1 and device = $2")
            .bind(tenant.as_str())
            .bind(wanted.id.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(db)?;
    let before = before.flatten();
    let news = secret.as_ref().filter(|secret| before.as_deref() != Some(&secret[..]));
    let id = device(&mut *conn, tenant, wanted, news, now, changes).await?;
    if let Some(news) = news {
        sqlx::query("update appliance set site_secret_sha256 = $2 where id = $1")
            .bind(id.0)
            .bind(&news[..])
            .execute(conn)
            .await
            .map_err(db)?;
    }
    Ok(())
}

/// Makes a device or gives it a secret. Of one that exists only what is stated besides changes; a new one is made as stated.
pub(crate) async fn add_device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    stated: &Device,
    secret: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<ApplianceId> {
    let known = sqlx::query(
        "select a.revoked, a.profile, a.model, a.service_point, o.name_in_tenant as owner \
         from appliance a left join owner o on o.id = a.owner where a.tenant = $1 and a.device = $2 \
         for no key update of a",
    )
    .bind(tenant.as_str())
    .bind(stated.id.as_str())
    .fetch_optional(&mut *conn)
    .await
    .map_err(db)?;
    let mut wanted = stated.clone();
    if let Some(row) = &known {
        if row.col::<bool>("revoked")? {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} is revoked; let it in again with `forecall device restore` first",
                stated.id
            )));
        }
        let profile: String = row.col("profile")?;
        if profile != stated.profile {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} reports by profile {profile}, not {}; change it in the site file",
                stated.id, stated.profile
            )));
        }
        wanted.model = wanted.model.or(row.col("model")?);
        wanted.owner = wanted.owner.or(row.col("owner")?);
        wanted.service_point = wanted.service_point.or(row.col("service_point")?);
    }
    device(conn, tenant, &wanted, secret, now, &mut Vec::new()).await
}

/// Brings one device to what is declared; without a secret the one it has stays.
pub(crate) async fn device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Device,
    secret: Option<&[u8; 32]>,
    now: Timestamp,
    changes: &mut Vec<SiteChange>,
) -> Result<ApplianceId> {
    let owner = match &wanted.owner {
        Some(name) => Some(owner_id(conn, tenant, name).await?),
        None => None,
    };
    let known = sqlx::query("select * from appliance where tenant = $1 and device = $2 for no key update")
        .bind(tenant.as_str())
        .bind(wanted.id.as_str())
        .fetch_optional(&mut *conn)
        .await
        .map_err(db)?;
    let Some(row) = known else {
        let id = insert_device(conn, tenant, wanted, owner, secret, now).await?;
        note(changes, false, "device", format!("{tenant}/{}", wanted.id));
        return Ok(id);
    };
    let id: i64 = row.col("id")?;
    let owner_before: Option<uuid::Uuid> = row.col("owner")?;
    let profile_before: String = row.col("profile")?;
    let secret_before: Option<Vec<u8>> = row.col("secret_sha256")?;
    let old_secret: Option<Vec<u8>> = row.col("old_secret_sha256")?;
    // One that works already, in either place, is nothing new.
    let new_secret = secret
        .filter(|secret| secret_before.as_deref() != Some(&secret[..]) && old_secret.as_deref() != Some(&secret[..]));
    let same = owner_before == owner
        && profile_before == wanted.profile
        && row.col::<Option<String>>("model")? == wanted.model
        && row.col::<Option<String>>("service_point")? == wanted.service_point
        && new_secret.is_none();
    if same {
        return Ok(ApplianceId(id));
    }
    sqlx::query(
        "update appliance set profile = $2, model = $3, owner = $4, service_point = $5, \
           secret_sha256 = coalesce($6, secret_sha256), \
           old_secret_sha256 = case when $6 is null then old_secret_sha256 end, \
           old_secret_until = case when $6 is null then old_secret_until end where id = $1",
    )
    .bind(id)
    .bind(&wanted.profile)
    .bind(&wanted.model)
    .bind(owner)
    .bind(&wanted.service_point)
    .bind(new_secret.map(|secret| &secret[..]))
    .execute(&mut *conn)
    .await
    .map_err(db)?;
    // Its session ends in either case: it was read by the profile of its log-in.
    if new_secret.is_some() && (secret_before.is_some() || old_secret.is_some()) || profile_before != wanted.profile {
        change::device(conn, tenant, ApplianceId(id)).await?;
    }
    // A new owner uses it in another way.
    if profile_before != wanted.profile || owner_before.is_some() && owner_before != owner {
        restart_baseline(conn, ApplianceId(id), now).await?;
    }
    note(changes, true, "device", format!("{tenant}/{}", wanted.id));
    Ok(ApplianceId(id))
}

async fn insert_device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &Device,
    owner: Option<uuid::Uuid>,
    secret: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<ApplianceId> {
    let id = enrol::insert(conn, tenant, &wanted.id, &wanted.profile, now)
        .await?
        .ok_or_else(|| StoreError::Conflict(format!("device {tenant}/{} was made at the same moment", wanted.id)))?;
    sqlx::query("update appliance set model = $2, owner = $3, service_point = $4, secret_sha256 = $5 where id = $1")
        .bind(id.0)
        .bind(&wanted.model)
        .bind(owner)
        .bind(&wanted.service_point)
        .bind(secret.map(|secret| &secret[..]))
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(id)
}

async fn owner_id(conn: &mut PgConnection, tenant: &TenantId, name: &str) -> Result<uuid::Uuid> {
    sqlx::query_scalar("select id from owner where tenant = $1 and name_in_tenant = $2")
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .ok_or_else(|| crate::row::not_found("owner", name))
}

fn secret_hash(digits: &str) -> Result<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash)
        .map_err(|_| StoreError::Refused("secret_sha256 must be 64 hexadecimal digits".to_owned()))?;
    Ok(hash)
}
