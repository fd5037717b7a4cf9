//! Devices as a site file or an administrator declares them.

use super::{BATCH, Run, commit, is_tried_again, note};
use crate::access::{change, enrol};
use crate::row::{Columns, db, not_found, sql};
use crate::situation;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::partition::partition;
use hub_core::site::Device;
use hub_store::error::{Result, StoreError};
use hub_store::site::SiteChange;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// A device whose baseline begins again takes a transaction as long as so many others do: its findings are cleared, and
/// their tickets told, one by one.
const RESTART_WEIGHT: usize = 10;

/// A device as it is declared.
struct Wanted<'a> {
    device: &'a Device,
    /// SHA-256 of a secret that is to work from now on.
    secret: Option<[u8; 32]>,
    /// A site file says so. A secret that the file named before is no news: it may have been rotated or replaced since.
    by_file: bool,
}

/// A device as the database has it.
struct Stored {
    id: i64,
    revoked: bool,
    profile: String,
    model: Option<String>,
    /// Name of its owner in the tenant.
    owner: Option<String>,
    service_point: Option<String>,
    secret: Option<Vec<u8>>,
    old_secret: Option<Vec<u8>>,
    /// What a site file named last.
    site_secret: Option<Vec<u8>>,
}

/// What of a wanted device is new, if it exists.
struct News<'a> {
    /// Somebody is told that it changes.
    told: bool,
    secret: Option<&'a [u8]>,
    site_secret: Option<&'a [u8]>,
    /// Its session ends.
    cut: bool,
    /// Its baseline begins again.
    restarted: bool,
}

/// Brings some devices to what a site file declares; without a secret the one that a device has stays.
pub(super) async fn put(
    run: &Run<'_>,
    tenant: &TenantId,
    devices: &[Device],
    changes: &mut Vec<SiteChange>,
) -> Result<()> {
    let wanted: Vec<Wanted<'_>> = devices.iter().map(Wanted::by_file).collect::<Result<_>>()?;
    let stored = {
        let mut conn = run.store.pool.acquire().await.map_err(db)?;
        read(&mut conn, tenant, wanted.iter().map(Wanted::id).collect()).await?
    };
    if run.dry_run {
        wanted
            .iter()
            .for_each(|wanted| wanted.note(tenant, stored.get(wanted.id()), changes));
        return Ok(());
    }
    for part in parts(&wanted, &stored) {
        let mut tries = 1;
        loop {
            match write(run, tenant, &part).await {
                Ok(written) => {
                    changes.extend(written);
                    break;
                }
                Err(error) if is_tried_again(&error, tries) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Those that differ, in their order, as many together as one transaction writes.
fn parts<'a, 'b>(wanted: &'a [Wanted<'b>], stored: &HashMap<String, Stored>) -> Vec<Vec<&'a Wanted<'b>>> {
    let mut parts: Vec<Vec<&Wanted<'_>>> = Vec::new();
    let mut room = 0;
    for wanted in wanted {
        let weight = match stored.get(wanted.id()).map(|known| wanted.news(known)) {
            Some(news) if !news.is_any() => continue,
            Some(news) if news.restarted => RESTART_WEIGHT,
            Some(_) | None => 1,
        };
        match parts.last_mut().filter(|_| room >= weight) {
            Some(part) => part.push(wanted),
            None => {
                parts.push(vec![wanted]);
                room = BATCH;
            }
        }
        room -= weight;
    }
    parts
}

async fn write(run: &Run<'_>, tenant: &TenantId, wanted: &[&Wanted<'_>]) -> Result<Vec<SiteChange>> {
    let mut tx = run.store.begin().await?;
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.id()).collect();
    let stored = read_locked(&mut tx, tenant, names).await?;
    let changes = save(&mut tx, tenant, wanted, &stored, run.now).await?;
    commit(run, tx).await?;
    Ok(changes)
}

/// Makes a device or gives it a secret. Of one that exists only what is stated besides changes; a new one is made as stated.
pub(crate) async fn add_device(
    conn: &mut PgConnection,
    tenant: &TenantId,
    stated: &Device,
    secret: Option<&[u8; 32]>,
    now: Timestamp,
) -> Result<ApplianceId> {
    let stored = read_locked(&mut *conn, tenant, vec![stated.id.as_str()]).await?;
    let mut device = stated.clone();
    if let Some(known) = stored.get(stated.id.as_str()) {
        if known.revoked {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} is revoked; let it in again with `forecall device restore` first",
                stated.id
            )));
        }
        if known.profile != stated.profile {
            return Err(StoreError::Refused(format!(
                "device {tenant}/{} reports by profile {}, not {}; change it in the site file",
                stated.id, known.profile, stated.profile
            )));
        }
        device.model = device.model.or(known.model.clone());
        device.owner = device.owner.or(known.owner.clone());
        device.service_point = device.service_point.or(known.service_point.clone());
    }
    let wanted = Wanted {
        device: &device,
        secret: secret.copied(),
        by_file: false,
    };
    save(&mut *conn, tenant, &[&wanted], &stored, now).await?;
    if let Some(known) = stored.get(stated.id.as_str()) {
        return Ok(ApplianceId(known.id));
    }
    sqlx::query_scalar("select id from appliance where tenant = $1 and device = $2")
        .bind(tenant.as_str())
        .bind(stated.id.as_str())
        .fetch_one(conn)
        .await
        .map(ApplianceId)
        .map_err(db)
}

/// Those that the database has, by name, locked: as whoever dials, scores or ends a call does, and in the same order,
/// before anything else, so that nobody waits for an owner or a service point in a circle.
async fn read_locked(conn: &mut PgConnection, tenant: &TenantId, names: Vec<&str>) -> Result<HashMap<String, Stored>> {
    sqlx::query("select from appliance where tenant = $1 and device = any($2) order by id for no key update")
        .bind(tenant.as_str())
        .bind(&names)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    // Looked at when they are locked: a row that somebody has changed meanwhile would not be joined to its new owner.
    read(conn, tenant, names).await
}

async fn read(conn: &mut PgConnection, tenant: &TenantId, names: Vec<&str>) -> Result<HashMap<String, Stored>> {
    let rows = sqlx::query(
        "select a.id, a.device, a.revoked, a.profile, a.model, o.name_in_tenant as owner, a.service_point, \
           a.secret_sha256, a.old_secret_sha256, a.site_secret_sha256 \
         from appliance a left join owner o on o.id = a.owner where a.tenant = $1 and a.device = any($2)",
    )
    .bind(tenant.as_str())
    .bind(names)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| {
            let known = Stored {
                id: row.col("id")?,
                revoked: row.col("revoked")?,
                profile: row.col("profile")?,
                model: row.col("model")?,
                owner: row.col("owner")?,
                service_point: row.col("service_point")?,
                secret: row.col("secret_sha256")?,
                old_secret: row.col("old_secret_sha256")?,
                site_secret: row.col("site_secret_sha256")?,
            };
            Ok((row.col("device")?, known))
        })
        .collect()
}

/// Brings devices to what is declared; those that exist are locked and as `stored` says.
async fn save(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &[&Wanted<'_>],
    stored: &HashMap<String, Stored>,
    now: Timestamp,
) -> Result<Vec<SiteChange>> {
    let mut changes = Vec::with_capacity(wanted.len());
    let (mut fresh, mut changed) = (Vec::new(), Vec::new());
    for wanted in wanted {
        wanted.note(tenant, stored.get(wanted.id()), &mut changes);
        match stored.get(wanted.id()) {
            Some(known) => changed.push((*wanted, known, wanted.news(known))),
            None => fresh.push(*wanted),
        }
    }
    changed.retain(|(_, _, news)| news.is_any());
    let owners = owners(&mut *conn, tenant, wanted).await?;
    insert(&mut *conn, tenant, &fresh, &owners, now).await?;
    update(&mut *conn, &changed, &owners).await?;
    let of = |which: fn(&News<'_>) -> bool| {
        let chosen = changed.iter().filter(|(_, _, news)| which(news));
        chosen.map(|(_, known, _)| known.id).collect::<Vec<i64>>()
    };
    let (cut, restarted) = (of(|news| news.cut), of(|news| news.restarted));
    change::devices(&mut *conn, tenant, &cut).await?;
    situation::restart_baselines(&mut *conn, &restarted, now).await?;
    Ok(changes)
}

/// Owners that devices name, by name; all must be there.
async fn owners<'a>(
    conn: &mut PgConnection,
    tenant: &TenantId,
    wanted: &[&Wanted<'a>],
) -> Result<HashMap<&'a str, Uuid>> {
    let mut names: Vec<&str> = wanted.iter().filter_map(|wanted| wanted.owner()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query("select name_in_tenant, id from owner where tenant = $1 and name_in_tenant = any($2)")
        .bind(tenant.as_str())
        .bind(&names)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    let mut ids: HashMap<String, Uuid> = HashMap::with_capacity(rows.len());
    for row in &rows {
        ids.insert(row.col("name_in_tenant")?, row.col("id")?);
    }
    let owners = wanted.iter().filter_map(|wanted| wanted.owner());
    owners
        .map(|name| match ids.get(name) {
            Some(id) => Ok((name, *id)),
            None => Err(not_found("owner", name)),
        })
        .collect()
}

async fn insert(
    conn: &mut PgConnection,
    tenant: &TenantId,
    fresh: &[&Wanted<'_>],
    owners: &HashMap<&str, Uuid>,
    now: Timestamp,
) -> Result<()> {
    if fresh.is_empty() {
        return Ok(());
    }
    if !enrol::take(&mut *conn, tenant, fresh.len()).await? {
        let room = usize::try_from(enrol::room(conn, tenant).await?).unwrap_or(0);
        let first = fresh.get(room).or(fresh.last());
        return Err(first.map_or_else(
            || not_found("tenant", tenant),
            |wanted| enrol::full(tenant, &wanted.device.id),
        ));
    }
    let partition_of = |device: &DeviceId| i16::from(partition(tenant, device));
    let made: i64 = sqlx::query_scalar(
        "with made as ( \
           insert into appliance (tenant, tenant_no, device, partition, profile, model, owner, service_point, \
             secret_sha256, site_secret_sha256, created_at) \
           select t.id, t.no, k.device, k.partition, k.profile, k.model, k.owner, k.service_point, k.secret, \
             k.site_secret, $2 \
           from unnest($3::text[], $4::smallint[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::bytea[], \
               $10::bytea[]) as k (device, partition, profile, model, owner, service_point, secret, site_secret) \
             join tenant t on t.id = $1 \
           on conflict (tenant, device) do nothing returning id), \
         status as (insert into appliance_status (appliance) select id from made) \
         select count(*) from made",
    )
    .bind(tenant.as_str())
    .bind(sql(now))
    .bind(fresh.iter().map(|wanted| wanted.id()).collect::<Vec<_>>())
    .bind(
        fresh
            .iter()
            .map(|wanted| partition_of(&wanted.device.id))
            .collect::<Vec<_>>(),
    )
    .bind(
        fresh
            .iter()
            .map(|wanted| wanted.device.profile.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        fresh
            .iter()
            .map(|wanted| wanted.device.model.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(fresh.iter().map(|wanted| wanted.owner_in(owners)).collect::<Vec<_>>())
    .bind(
        fresh
            .iter()
            .map(|wanted| wanted.device.service_point.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(fresh.iter().map(|wanted| wanted.secret()).collect::<Vec<_>>())
    .bind(
        fresh
            .iter()
            .map(|wanted| wanted.secret().filter(|_| wanted.by_file))
            .collect::<Vec<_>>(),
    )
    .fetch_one(conn)
    .await
    .map_err(db)?;
    if usize::try_from(made) == Ok(fresh.len()) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "{} of tenant {tenant} was made at the same moment by somebody else; look again",
        match fresh {
            [only] => format!("device {}", only.device.id),
            _ => "a device".to_owned(),
        }
    )))
}

async fn update(
    conn: &mut PgConnection,
    changed: &[(&Wanted<'_>, &Stored, News<'_>)],
    owners: &HashMap<&str, Uuid>,
) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let devices = || changed.iter().map(|(wanted, _, _)| wanted);
    sqlx::query(
        "update appliance a set profile = k.profile, model = k.model, owner = k.owner, \
           service_point = k.service_point, secret_sha256 = coalesce(k.secret, a.secret_sha256), \
           old_secret_sha256 = case when k.secret is null then a.old_secret_sha256 end, \
           old_secret_until = case when k.secret is null then a.old_secret_until end, \
           site_secret_sha256 = coalesce(k.site_secret, a.site_secret_sha256) \
         from unnest($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::bytea[]) \
           as k (id, profile, model, owner, service_point, secret, site_secret) where a.id = k.id",
    )
    .bind(changed.iter().map(|(_, known, _)| known.id).collect::<Vec<_>>())
    .bind(
        devices()
            .map(|wanted| wanted.device.profile.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        devices()
            .map(|wanted| wanted.device.model.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(devices().map(|wanted| wanted.owner_in(owners)).collect::<Vec<_>>())
    .bind(
        devices()
            .map(|wanted| wanted.device.service_point.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(changed.iter().map(|(_, _, news)| news.secret).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, _, news)| news.site_secret).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

impl<'a> Wanted<'a> {
    fn by_file(device: &'a Device) -> Result<Self> {
        Ok(Self {
            device,
            secret: device.secret_sha256.as_deref().map(secret_hash).transpose()?,
            by_file: true,
        })
    }

    fn id(&self) -> &'a str {
        self.device.id.as_str()
    }

    fn owner(&self) -> Option<&'a str> {
        self.device.owner.as_deref()
    }

    fn owner_in(&self, owners: &HashMap<&str, Uuid>) -> Option<Uuid> {
        self.owner().and_then(|name| owners.get(name)).copied()
    }

    fn secret(&self) -> Option<&[u8]> {
        self.secret.as_ref().map(|secret| &secret[..])
    }

    fn news(&self, known: &Stored) -> News<'_> {
        let named = self
            .secret()
            .filter(|secret| !(self.by_file && known.site_secret.as_deref() == Some(*secret)));
        // One that works already, in either place, is nothing new.
        let works =
            |secret: &[u8]| known.secret.as_deref() == Some(secret) || known.old_secret.as_deref() == Some(secret);
        let secret = named.filter(|secret| !works(secret));
        let other_profile = known.profile != self.device.profile;
        let other_owner = known.owner != self.device.owner;
        let had_secret = known.secret.is_some() || known.old_secret.is_some();
        News {
            told: secret.is_some()
                || other_profile
                || other_owner
                || known.model != self.device.model
                || known.service_point != self.device.service_point,
            secret,
            site_secret: named.filter(|_| self.by_file),
            // In either case: it was read by the profile of its log-in.
            cut: secret.is_some() && had_secret || other_profile,
            // A new owner uses it in another way.
            restarted: other_profile || known.owner.is_some() && other_owner,
        }
    }

    fn note(&self, tenant: &TenantId, known: Option<&Stored>, changes: &mut Vec<SiteChange>) {
        if known.is_none_or(|known| self.news(known).told) {
            note(
                changes,
                known.is_some(),
                "device",
                format!("{tenant}/{}", self.device.id),
            );
        }
    }
}

impl News<'_> {
    fn is_any(&self) -> bool {
        self.told || self.site_secret.is_some()
    }
}

fn secret_hash(digits: &str) -> Result<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits, &mut hash)
        .map_err(|_| StoreError::Refused("secret_sha256 must be 64 hexadecimal digits".to_owned()))?;
    Ok(hash)
}
