//! Service points, trunks and appliances as their rows have them.

use crate::keyring::Keyring;
use crate::row::{Columns, db, unreadable};
use crate::store::sealed;
use hub_core::host::HostPortError;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::phone_number::PhoneNumber;
use hub_core::site::{ServicePoint, Trunk};
use hub_store::error::{Result, StoreError};
use hub_store::site::ApplianceView;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

/// An appliance with its status and its household's name.
pub(crate) const APPLIANCE_VIEW: &str = "select a.id, a.tenant, a.device, a.profile, h.name_in_tenant as owner, a.service_point, \
     s.online, s.presence_reason, s.presence_at, s.last_sample_at, s.samples, s.quarantined, s.skew_ms, \
     s.gaps, s.dropped, s.repeated, w.told as watching \
     from appliance a join appliance_status s on s.appliance = a.id left join household h on h.id = a.household \
     left join watching w on w.appliance = a.id";

/// Appliances by id.
pub(crate) async fn appliance_views(conn: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, ApplianceView>> {
    let rows = sqlx::query(&format!("{APPLIANCE_VIEW} where a.id = any($1)"))
        .bind(ids)
        .fetch_all(conn)
        .await
        .map_err(db)?;
    rows.iter()
        .map(|row| appliance_view(row).map(|view| (view.id.0, view)))
        .collect()
}

pub(crate) fn appliance_view(row: &PgRow) -> Result<ApplianceView> {
    Ok(ApplianceView {
        id: ApplianceId(row.col("id")?),
        tenant: row.word("tenant")?,
        device: row.word("device")?,
        profile: row.col("profile")?,
        owner: row.col("owner")?,
        service_point: row.col("service_point")?,
        online: row.col("online")?,
        presence_reason: row.col("presence_reason")?,
        presence_at: row.maybe_at("presence_at")?,
        last_sample_at: row.maybe_at("last_sample_at")?,
        samples: row.col("samples")?,
        quarantined: row.col("quarantined")?,
        skew_ms: row.col("skew_ms")?,
        gaps: row.col("gaps")?,
        dropped: row.col("dropped")?,
        repeated: row.col("repeated")?,
        watching: row.maybe_json("watching")?,
    })
}

/// Where a secret of a trunk is sealed.
pub(crate) fn trunk_place(column: &str, tenant: &TenantId) -> String {
    format!("trunk.{column}/{tenant}")
}

/// In the form that it has now, though it was sealed in another; as it was where it has none.
fn number(keyring: &Keyring, place: &str, value: &[u8]) -> Result<PhoneNumber> {
    let plain = keyring.unseal(place, value).map_err(sealed("phone number"))?;
    let digits = std::str::from_utf8(&plain).map_err(|error| unreadable("phone number")(Box::new(error)))?;
    PhoneNumber::new(digits)
        .or_else(|_| PhoneNumber::kept(digits))
        .map_err(|error| unreadable("phone number")(Box::new(error)))
}

/// A service point, if the tenant has it.
pub(crate) async fn service_point(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ServicePoint>> {
    sqlx::query("select * from service_point where tenant = $1 and id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .as_ref()
        .map(service_point_row)
        .transpose()
}

/// The same, locked until the commit.
pub(crate) async fn lock_service_point(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ServicePoint>> {
    sqlx::query("select * from service_point where tenant = $1 and id = $2 for no key update")
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .as_ref()
        .map(service_point_row)
        .transpose()
}

/// The first service point of a tenant, by its id.
pub(crate) async fn first_service_point(conn: &mut PgConnection, tenant: &TenantId) -> Result<Option<ServicePoint>> {
    sqlx::query("select * from service_point where tenant = $1 order by id limit 1")
        .bind(tenant.as_str())
        .fetch_optional(conn)
        .await
        .map_err(db)?
        .as_ref()
        .map(service_point_row)
        .transpose()
}

fn service_point_row(row: &PgRow) -> Result<ServicePoint> {
    Ok(ServicePoint {
        id: row.col("id")?,
        name: row.json("name")?,
        zone: row.col("zone")?,
        slots: row.json("slots")?,
    })
}

pub(crate) fn trunk(row: &PgRow, keyring: &Keyring) -> Result<(TenantId, Trunk)> {
    let tenant: TenantId = row.word("tenant")?;
    let proxy: String = row.col("proxy")?;
    let password = row
        .col::<Option<Vec<u8>>>("password")?
        .map(|value| {
            let plain = keyring
                .unseal(&trunk_place("password", &tenant), &value)
                .map_err(sealed("trunk password"))?;
            String::from_utf8(plain.to_vec()).map_err(|_| StoreError::Refused("trunk password is not text".to_owned()))
        })
        .transpose()?;
    let caller: Vec<u8> = row.col("caller_number")?;
    let seconds = |name: &'static str| -> Result<u8> {
        u8::try_from(row.col::<i16>(name)?).map_err(|error| unreadable(name)(Box::new(error)))
    };
    let trunk = Trunk {
        proxy: proxy
            .parse()
            .map_err(|error| unreadable("trunk proxy")(Box::<HostPortError>::new(error)))?,
        domain: row.col("domain")?,
        username: row.col("username")?,
        password,
        caller_number: number(keyring, &trunk_place("caller_number", &tenant), &caller)?,
        believe_from: row.col("believe_from")?,
        addresses: row.json("addresses")?,
        inbound_channels: row
            .col::<Option<i16>>("inbound_channels")?
            .map(|channels| u16::try_from(channels).map_err(|error| unreadable("inbound_channels")(Box::new(error))))
            .transpose()?,
        number_plan: row.maybe_json("number_plan")?,
        post_dial_limit_s: seconds("post_dial_limit_s")?,
        trying_limit_s: seconds("trying_limit_s")?,
    };
    Ok((tenant, trunk))
}
