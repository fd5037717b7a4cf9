//! Tenants, households, service points, trunks and devices: what people and calls read of them.

use crate::keyring::sha256;
use crate::page::{page, page_limit};
use crate::row::{Columns, db, not_found, sql, text, word};
use crate::site_apply;
use crate::site_row::{APPLIANCE_VIEW, appliance_view, appliance_views, trunk};
use crate::store::{PostgresStore, commit};
use crate::tally;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::consent::Subject;
use hub_core::id::{ApplianceId, DeviceId, TenantId};
use hub_core::number_plan::NumberPlan;
use hub_core::site::{Device, Site, Trunk};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use hub_store::site::{ApplianceView, SiteChange, SiteStore, TenantTally};
use jiff::Timestamp;

impl PostgresStore {
    /// All tenants, by id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn tenants(&self) -> Result<Vec<TenantId>> {
        let rows = self.fetch(|| sqlx::query("select id from tenant order by id")).await?;
        rows.iter().map(|row| row.word("id")).collect()
    }
}

#[async_trait]
impl SiteStore for PostgresStore {
    async fn apply_site(&self, site: &Site, now: Timestamp, dry_run: bool) -> Result<Vec<SiteChange>> {
        let mut changes = Vec::new();
        self.apply_site_telling(site, now, dry_run, &mut changes, &mut |_| ())
            .await?;
        Ok(changes)
    }

    async fn add_device(
        &self,
        tenant: &TenantId,
        device: &Device,
        secret: &str,
        now: Timestamp,
    ) -> Result<ApplianceId> {
        if !self.versions().contains_key(&device.profile) {
            return Err(not_found("appliance profile", &device.profile));
        }
        let mut tx = self.begin().await?;
        let secret = sha256(secret.as_bytes());
        let id = site_apply::add_device(&mut tx, tenant, device, Some(&secret), now).await?;
        commit(self, tx).await?;
        Ok(id)
    }

    async fn set_consent(
        &self,
        tenant: &TenantId,
        household: &str,
        given: bool,
        source: &str,
        now: Timestamp,
    ) -> Result<()> {
        let calls = Subject::SERVICE_CALLS;
        let written = sqlx::query(
            "insert into consent (tenant, person, purpose, channel, at, given, source) \
             select p.tenant, p.id, $6, $7, $3, $4, $5 from household h join person p on p.household = h.id \
             where h.tenant = $1 and h.name_in_tenant = $2 order by p.rank, p.id limit 1",
        )
        .bind(tenant.as_str())
        .bind(household)
        .bind(sql(now))
        .bind(given)
        .bind(text(source))
        .bind(word(&calls.purpose)?)
        .bind(word(&calls.channel)?)
        .execute(&self.pool)
        .await
        .map_err(db)?
        .rows_affected();
        if written == 1 {
            Ok(())
        } else {
            Err(not_found("household", household))
        }
    }

    async fn number_plan(&self, tenant: &TenantId, zone: &str) -> Result<Option<NumberPlan>> {
        let plan = || {
            sqlx::query(
                "select number_plan from trunk \
                 where tenant = $1 and exists (select from service_point where tenant = $1 and zone = $2)",
            )
            .bind(tenant.as_str())
            .bind(zone)
        };
        let rows = self.fetch(plan).await?;
        rows.first().map_or(Ok(None), |row| row.maybe_json("number_plan"))
    }

    async fn trunks(&self) -> Result<Vec<(TenantId, Trunk)>> {
        let rows = self
            .fetch(|| sqlx::query("select * from trunk order by tenant"))
            .await?;
        rows.iter().map(|row| trunk(row, &self.keyring)).collect()
    }

    async fn appliances(&self, actor: &Actor, after: Option<&str>, limit: usize) -> Result<Page<ApplianceView>> {
        actor.may(Act::ReadAppliances)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let (tenant, device) = match after {
            Some(cursor) => cursor.split_once('/').ok_or_else(|| not_found("page after", cursor))?,
            None => ("", ""),
        };
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query(&format!(
            "{APPLIANCE_VIEW} where ($1::text is null or a.tenant = $1) and (a.tenant, a.device) > ($2, $3) \
               and ($5::text[] is null or a.service_point = any($5)) order by a.tenant, a.device limit $4"
        ))
        .bind(actor.tenant())
        .bind(tenant)
        .bind(device)
        .bind(page_limit(limit))
        .bind(actor.sites())
        .fetch_all(&mut *tx)
        .await
        .map_err(db)?;
        let items: Vec<ApplianceView> = rows.iter().map(appliance_view).collect::<Result<_>>()?;
        Ok(page(items, limit, |view| format!("{}/{}", view.tenant, view.device)))
    }

    async fn appliance(&self, actor: &Actor, id: ApplianceId) -> Result<ApplianceView> {
        actor.may(Act::ReadAppliances)?;
        let mut tx = self.begin_scoped(actor).await?;
        appliance_views(&mut tx, &[id.0])
            .await?
            .remove(&id.0)
            .filter(|view| actor.reaches(&view.tenant, view.service_point.as_deref()))
            .ok_or_else(|| not_found("appliance", id))
    }

    async fn appliance_by_name(&self, tenant: &TenantId, device: &DeviceId) -> Result<ApplianceView> {
        let statement = format!("{APPLIANCE_VIEW} where a.tenant = $1 and a.device = $2");
        let query = || sqlx::query(&statement).bind(tenant.as_str()).bind(device.as_str());
        let rows = self.fetch(query).await?;
        let row = rows
            .first()
            .ok_or_else(|| not_found("device", format!("{tenant}/{device}")))?;
        appliance_view(row)
    }

    async fn tallies(&self) -> Result<Vec<TenantTally>> {
        tally::largest(self).await
    }
}
