//! Floors that fleets have shown, and states of detectors that they are learned from.

use crate::budget::appliance_model;
use crate::row::{Columns, count, db, json, sql};
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::budget::Month;
use hub_core::finding::FindingState;
use hub_core::id::{ApplianceId, TenantId};
use hub_core::ticket::TicketCategory;
use hub_store::budget::check_tenant;
use hub_store::error::Result;
use hub_store::floors::{Fleet, FleetFloors, FloorStore, WANDERED_MAX, Wandered};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::postgres::PgRow;

/// Appliances `a` one by one in order of their ids, with what their detectors say `w` and hold. Those of which something was found are
/// left out, and those whose baseline starts over and whose detector does not know it yet. `{found}` says that a finding is
/// there, and `{resolved}` that a ticket is closed.
const WANDERED: &str = concat!(
    "select a.id, ",
    appliance_model!(),
    " as appliance_model, c.state from appliance a \
     left join lateral (select model from appliance_birth where appliance = a.id offset 0) h on true \
     cross join lateral (select (told->>'since')::timestamptz as since from watching where appliance = a.id \
       and told->>'state' = 'watched' and told->>'model' = $2 offset 0) w \
     cross join lateral (select state from checkpoint where appliance = a.id and model = $2 offset 0) c \
     where a.tenant = $1 and a.profile = $3 and a.id > $4 and w.since <= $5 \
       and not exists (select from checkpoint r where r.appliance = a.id and r.restarted) \
       and not exists (select from finding f where f.appliance = a.id and f.state = '{found}') \
       and not exists (select from ticket t where t.appliance = a.id and (t.category <> '{resolved}' and t.finding is not null \
         or t.closed_at >= w.since and t.outcome->>'verdict' in ('right', 'other_fault'))) \
     order by a.id limit $6"
);

#[async_trait]
impl FloorStore for PostgresStore {
    async fn floors_in_force(&self) -> Result<Vec<FleetFloors>> {
        let query = || sqlx::query("select * from fleet_floors order by tenant, model, profile, appliance_model");
        self.fetch(query).await?.iter().map(from_row).collect()
    }

    async fn floors(&self, actor: &Actor, tenant: &TenantId) -> Result<Vec<FleetFloors>> {
        actor.may(Act::ReadFleet)?;
        check_tenant(actor, tenant)?;
        let mut tx = self.begin_scoped(actor).await?;
        let rows = sqlx::query("select * from fleet_floors where tenant = $1 order by model, profile, appliance_model")
            .bind(tenant.as_str())
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        rows.iter().map(from_row).collect()
    }

    async fn wandered(
        &self,
        fleet: &Fleet,
        watched_since: Timestamp,
        after: Option<ApplianceId>,
        limit: usize,
    ) -> Result<Vec<Wandered>> {
        let statement = WANDERED
            .replace("{found}", FindingState::Open.name())
            .replace("{resolved}", TicketCategory::Resolved.name());
        let query = || {
            sqlx::query(&statement)
                .bind(fleet.tenant.as_str())
                .bind(&fleet.model)
                .bind(&fleet.profile)
                .bind(after.map_or(i64::MIN, |after| after.0))
                .bind(sql(watched_since))
                .bind(count(limit.min(WANDERED_MAX)))
        };
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| {
                Ok(Wandered {
                    appliance: ApplianceId(row.col("id")?),
                    appliance_model: row.col("appliance_model")?,
                    state: row.col("state")?,
                })
            })
            .collect()
    }

    async fn save_floors(&self, floors: &[FleetFloors], forgotten_before: Month) -> Result<()> {
        let mut tx = self.begin_fenced().await?;
        let texts = |of: fn(&FleetFloors) -> &str| floors.iter().map(of).collect::<Vec<_>>();
        sqlx::query(
            "insert into fleet_floors (tenant, model, profile, appliance_model, month, floors, appliances) \
             select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::jsonb[], $7::integer[]) \
             on conflict (tenant, model, profile, appliance_model) do update \
             set month = excluded.month, floors = excluded.floors, appliances = excluded.appliances",
        )
        .bind(texts(|one| one.fleet.tenant.as_str()))
        .bind(texts(|one| &one.fleet.model))
        .bind(texts(|one| &one.fleet.profile))
        .bind(texts(|one| &one.appliance_model))
        .bind(floors.iter().map(|one| one.month.number()).collect::<Vec<_>>())
        .bind(floors.iter().map(|one| json(&one.floors)).collect::<Result<Vec<Value>>>()?)
        .bind(floors.iter().map(|one| one.appliances.cast_signed()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(db)?;
        sqlx::query("delete from fleet_floors where month < $1")
            .bind(forgotten_before.number())
            .execute(&mut *tx)
            .await
            .map_err(db)?;
        tx.commit().await.map_err(db)
    }
}

fn from_row(row: &PgRow) -> Result<FleetFloors> {
    Ok(FleetFloors {
        fleet: Fleet {
            tenant: row.word("tenant")?,
            model: row.col("model")?,
            profile: row.col("profile")?,
        },
        appliance_model: row.col("appliance_model")?,
        month: Month::from_number(row.col("month")?),
        floors: row.json("floors")?,
        appliances: row.col::<i32>("appliances")?.cast_unsigned(),
    })
}
