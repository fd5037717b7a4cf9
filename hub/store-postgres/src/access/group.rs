//! Group keys: sealed in their rows, open only while a batch of logins is looked at. See
//! [`derived_secret`].

use crate::row::{Columns, db, not_found};
use crate::store::{PostgresStore, sealed};
use hub_core::access::derived_secret;
use hub_core::id::{DeviceId, TenantId};
use hub_store::error::Result;
use sqlx::postgres::PgRow;
use std::collections::HashMap;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Where the keys of a group are sealed: bound to row and column. Rotation seals them again.
pub(crate) fn place(column: &str, tenant: &TenantId, name: &str) -> String {
    format!("key_group.{column}/{tenant}/{name}")
}

/// The secret that `key` gives `device`.
pub(crate) fn derive(key: &[u8], device: &DeviceId) -> Zeroizing<String> {
    Zeroizing::new(derived_secret(key, device))
}

/// The open keys of one group.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) profile: String,
    keys: Vec<Zeroizing<Vec<u8>>>,
}

impl Group {
    /// From columns `group_name`, `group_profile`, `current` and `previous`.
    fn open(store: &PostgresStore, tenant: &TenantId, row: &PgRow) -> Result<Self> {
        let name: String = row.col("group_name")?;
        let mut keys = Vec::with_capacity(2);
        for column in ["current", "previous"] {
            if let Some(value) = row.col::<Option<Vec<u8>>>(column)? {
                let key = store.keyring.unseal(&place(column, tenant, &name), &value);
                keys.push(key.map_err(sealed("group key"))?);
            }
        }
        Ok(Self {
            profile: row.col("group_profile")?,
            name,
            keys,
        })
    }

    /// Whether `secret` is what one of its keys gives `device`. Takes equally long whichever it is.
    pub(super) fn knows(&self, device: &DeviceId, secret: &str) -> bool {
        let known = self.keys.iter().fold(subtle::Choice::from(0), |known, key| {
            known | derive(key, device).as_bytes().ct_eq(secret.as_bytes())
        });
        bool::from(known)
    }
}

/// The group of a row, or nothing where its keys do not open: then nobody comes in by it, and everybody else does.
pub(super) fn open(store: &PostgresStore, tenant: &TenantId, row: &PgRow) -> Option<Group> {
    Group::open(store, tenant, row)
        .inspect_err(|error| tracing::error!(%tenant, %error, "group keys cannot be decrypted: devices of the group are refused"))
        .ok()
}

/// Groups of these tenants by which unknown devices enrol.
pub(super) async fn enrolling(store: &PostgresStore, tenants: &[&str]) -> Result<HashMap<TenantId, Vec<Group>>> {
    let query = || {
        sqlx::query(
            "select tenant, name as group_name, profile as group_profile, current, previous from key_group \
             where tenant = any($1) and enrols order by tenant, name",
        )
        .bind(tenants)
    };
    let rows = store.fetch(query).await?;
    let mut groups: HashMap<TenantId, Vec<Group>> = HashMap::new();
    for row in &rows {
        let tenant: TenantId = row.word("tenant")?;
        if let Some(group) = open(store, &tenant, row) {
            groups.entry(tenant).or_default().push(group);
        }
    }
    Ok(groups)
}

/// The present key of a group.
pub(crate) async fn current(store: &PostgresStore, tenant: &TenantId, name: &str) -> Result<Zeroizing<Vec<u8>>> {
    let value: Vec<u8> = sqlx::query_scalar("select current from key_group where tenant = $1 and name = $2")
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(&store.pool)
        .await
        .map_err(db)?
        .ok_or_else(|| not_found("key group", format!("{tenant}/{name}")))?;
    let place = place("current", tenant, name);
    store.keyring.unseal(&place, &value).map_err(sealed("group key"))
}
