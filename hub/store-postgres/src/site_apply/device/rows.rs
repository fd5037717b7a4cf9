//! Devices as rows: read, made and changed, each by one statement for all.

use super::wanted::{News, Stored, Wanted};
use crate::access::enrol;
use crate::row::{Columns, db, not_found, sql};
use hub_core::id::{DeviceId, TenantId};
use hub_core::partition::partition;
use hub_store::error::{Result, StoreError};
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// Those that the database has, by name, locked: as the code that dials, scores or ends a call does, and in the same order,
/// before anything else, so that nobody waits for a household or a service point in a circle.
pub(super) async fn read_locked(
    conn: &mut PgConnection,
    tenant: &TenantId,
    names: Vec<&str>,
) -> Result<HashMap<String, Stored>> {
    sqlx::query("select from appliance where tenant = $1 and device = any($2) order by id for no key update")
        .bind(tenant.as_str())
        .bind(&names)
        .execute(&mut *conn)
        .await
        .map_err(db)?;
    // Looked at when they are locked: a row that somebody has changed meanwhile would not be joined to its new household.
    read(conn, tenant, names).await
}

pub(super) async fn read(
    conn: &mut PgConnection,
    tenant: &TenantId,
    names: Vec<&str>,
) -> Result<HashMap<String, Stored>> {
    let rows = sqlx::query(
        "select a.id, a.device, a.revoked, a.profile, a.model, h.name_in_tenant as owner, a.service_point, \
           a.secret_sha256, a.old_secret_sha256, a.site_secret_sha256, a.declared \
         from appliance a left join household h on h.id = a.household where a.tenant = $1 and a.device = any($2)",
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
                declared: row.col("declared")?,
            };
            Ok((row.col("device")?, known))
        })
        .collect()
}

/// Households that devices name, by name; all must be there.
pub(super) async fn owners<'a>(
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
    let rows = sqlx::query("select name_in_tenant, id from household where tenant = $1 and name_in_tenant = any($2)")
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
            None => Err(not_found("household", name)),
        })
        .collect()
}

pub(super) async fn insert(
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
           insert into appliance (tenant, tenant_no, device, partition, profile, model, household, service_point, \
             secret_sha256, site_secret_sha256, declared, created_at) \
           select t.id, t.no, k.device, k.partition, k.profile, k.model, k.household, k.service_point, k.secret, \
             k.site_secret, k.declared, $2 \
           from unnest($3::text[], $4::smallint[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::bytea[], \
               $10::bytea[], $11::boolean[]) \
             as k (device, partition, profile, model, household, service_point, secret, site_secret, declared) \
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
    .bind(fresh.iter().map(|wanted| wanted.by_file).collect::<Vec<_>>())
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

pub(super) async fn update(
    conn: &mut PgConnection,
    changed: &[(&Wanted<'_>, &Stored, News<'_>)],
    owners: &HashMap<&str, Uuid>,
) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let devices = || changed.iter().map(|(wanted, _, _)| wanted);
    sqlx::query(
        "update appliance a set profile = k.profile, model = k.model, household = k.household, \
           service_point = k.service_point, secret_sha256 = coalesce(k.secret, a.secret_sha256), \
           old_secret_sha256 = case when k.secret is null then a.old_secret_sha256 end, \
           old_secret_until = case when k.secret is null then a.old_secret_until end, \
           site_secret_sha256 = coalesce(k.site_secret, a.site_secret_sha256), declared = a.declared or k.declared \
         from unnest($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::bytea[], $8::boolean[]) \
           as k (id, profile, model, household, service_point, secret, site_secret, declared) where a.id = k.id",
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
    .bind(changed.iter().map(|(_, _, news)| news.declared).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
