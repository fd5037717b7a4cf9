//! What a site file declared once and does not name any more: the trunk, devices, and persons who are rung since a file said so.

use crate::access::{change, issue};
use crate::row::{Columns, db, sql, unreadable};
use crate::store::{PostgresStore, commit};
use hub_core::consent::SITE_FILE;
use hub_core::id::{DeviceId, PersonId, TenantId};
use hub_core::site::{OWNER, Tenant};
use hub_store::error::Result;
use jiff::Timestamp;
use uuid::Uuid;

/// What persons of a tenant allow now, since a site file says so: the last entry on a subject counts. What they have said themselves
/// since, by a claim or on the telephone, is no file's to leave out.
const BY_FILE: &str = "select * from (select distinct on (person, purpose, channel) person, purpose, channel, given, source \
     from consent where tenant = $1 order by person, purpose, channel, number desc) c where c.given and c.source = $2";

/// A person whom a site file has declared and another one leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Id of the person.
    pub id: PersonId,
    /// Name of the household within the tenant.
    pub household: String,
    /// Name within the household; [`OWNER`] where it was declared in the short form.
    pub person: String,
}

impl PostgresStore {
    /// Whether a tenant has a trunk that this site file does not declare. Trunks are declared by site files alone.
    ///
    /// # Errors
    /// The database fails.
    pub async fn has_trunk_left_out(&self, tenant: &Tenant) -> Result<bool> {
        if tenant.trunk.is_some() {
            return Ok(false);
        }
        sqlx::query_scalar("select exists (select from trunk where tenant = $1)")
            .bind(tenant.id.as_str())
            .fetch_one(&self.pool)
            .await
            .map_err(db)
    }

    /// Takes a tenant's trunk away: its tickets wait, as those of a tenant that never had one.
    ///
    /// # Errors
    /// The database fails.
    pub async fn retire_trunk(&self, tenant: &TenantId) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("delete from trunk where tenant = $1")
            .bind(tenant.as_str())
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        commit(self, tx).await
    }

    /// Persons of a tenant who allow something since a site file says so, and whom this one does not name, by household and name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn persons_left_out(&self, tenant: &Tenant) -> Result<Vec<LeftOut>> {
        let owners = tenant.owners.iter().map(|owner| (owner.id.as_str(), OWNER));
        let persons = tenant.households.iter().flat_map(|home| {
            let persons = home.persons.iter();
            persons.map(|person| (home.id.as_str(), person.id.as_str()))
        });
        let (households, persons): (Vec<&str>, Vec<&str>) = owners.chain(persons).unzip();
        let rows = sqlx::query(&format!(
            "select p.id, h.name_in_tenant, p.name_in_household from person p join household h on h.id = p.household \
             where h.tenant = $1 and p.id in (select person from ({BY_FILE}) f) \
               and not exists (select from unnest($3::text[], $4::text[]) as k (household, person) \
                 where k.household = h.name_in_tenant and k.person = p.name_in_household) \
             order by h.name_in_tenant, p.name_in_household"
        ))
        .bind(tenant.id.as_str())
        .bind(SITE_FILE)
        .bind(&households)
        .bind(&persons)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let left_out = rows.iter().map(|row| {
            Ok(LeftOut {
                id: PersonId(row.col("id")?),
                household: row.col("name_in_tenant")?,
                person: row.col("name_in_household")?,
            })
        });
        left_out.collect()
    }

    /// Takes back what these persons allow since a site file says so, in one transaction: nobody rings them about it any more. Their
    /// names, numbers and refusals stay; a file that names them again with their consent gives it again.
    ///
    /// # Errors
    /// The database fails: of none of them it is taken back then, or its answer was lost and it is of all.
    pub async fn retire_persons(&self, tenant: &TenantId, persons: &[LeftOut], now: Timestamp) -> Result<()> {
        let ids: Vec<Uuid> = persons.iter().map(|person| person.id.0).collect();
        let mut tx = self.begin().await?;
        // What a person says is written beside the person's row, whose key it holds: nothing slips in behind the look at it.
        sqlx::query("select from person where id = any($1) order by id for update")
            .bind(&ids)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        sqlx::query(&format!(
            "insert into consent (tenant, person, purpose, channel, at, given, source) \
             select $1, f.person, f.purpose, f.channel, $3, false, $2 from ({BY_FILE}) f where f.person = any($4)"
        ))
        .bind(tenant.as_str())
        .bind(SITE_FILE)
        .bind(sql(now))
        .bind(&ids)
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        commit(self, tx).await
    }

    /// Devices of a tenant that some site file has declared and this one does not name, by name; revoked ones left out. What was
    /// made in other ways – by a command, by a group's key, by a claim credential – is no site file's to name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn no_longer_declared(&self, tenant: &Tenant) -> Result<Vec<DeviceId>> {
        let named: Vec<&str> = tenant.devices.iter().map(|device| device.id.as_str()).collect();
        let names: Vec<String> = sqlx::query_scalar(
            "select a.device from appliance a where a.tenant = $1 and a.declared and not a.revoked \
               and not exists (select from unnest($2::text[]) as k (device) where k.device = a.device) order by a.device",
        )
        .bind(tenant.id.as_str())
        .bind(&named)
        .fetch_all(&self.pool)
        .await
        .map_err(db)?;
        let read = names.into_iter().map(DeviceId::new);
        read.map(|name| name.map_err(|error| unreadable("device")(Box::new(error))))
            .collect()
    }

    /// Lets nothing let these devices of a tenant in any more, and cuts their connections, in one transaction: what
    /// [`revoke_device`](hub_store::credential::DeviceCredentials::revoke_device) does for one. Their data stay.
    ///
    /// # Errors
    /// The database fails: none of them is retired then, or its answer was lost and all of them are.
    pub async fn retire_devices(&self, tenant: &TenantId, devices: &[DeviceId], now: Timestamp) -> Result<()> {
        let names: Vec<&str> = devices.iter().map(DeviceId::as_str).collect();
        let mut tx = self.begin().await?;
        let ids: Vec<i64> = sqlx::query_scalar(
            "select id from appliance where tenant = $1 and device = any($2) and not revoked order by id for no key update",
        )
        .bind(tenant.as_str())
        .bind(&names)
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        sqlx::query("update appliance set revoked = true where id = any($1)")
            .bind(&ids)
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        issue::revoke(self, &mut tx, tenant, &ids, now).await?;
        change::devices(&mut tx, tenant, &ids).await?;
        change::commit(self, tx).await
    }
}
