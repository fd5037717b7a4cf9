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
use hub_store::floors::{Fleet, FleetFloors, FloorStore, WANDERED_MAX, Wandered, WanderedPage};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::postgres::PgRow;

/// Appliances `a` of a page, each with the state of its detector, or with none where no floors are learned from it. The page is taken
/// first: how many rows are read follows from it alone. What most appliances lack is asked first, `w`; of the others those are left out
/// of which something was found, and those whose baseline starts over and whose detector does not know it yet. `{found}` says that a
/// finding is there, and `{resolved}` that a ticket is closed. Each `offset 0` keeps the server from reading a whole table for a page.
const WANDERED: &str = concat!(
    "select a.id, m.appliance_model, m.state \
     from (select id, profile from appliance where tenant = $1 and profile = $3 and id > $4 order by id limit $6) a \
     left join lateral (select ",
    appliance_model!(),
    " as appliance_model, c.state \
       from (select appliance, (told->>'since')::timestamptz as since from watching where appliance = a.id \
         and told->>'state' = 'watched' and told->>'model' = $2 offset 0) w \
       cross join lateral (select state from checkpoint where appliance = w.appliance and model = $2 offset 0) c \
       left join lateral (select model from appliance_birth where appliance = w.appliance offset 0) h on true \
       where w.since <= $5 \
         and not exists (select from checkpoint r where r.appliance = w.appliance and r.restarted offset 0) \
         and not exists (select from finding f where f.appliance = w.appliance and f.state = '{found}' offset 0) \
         and not exists (select from ticket t where t.appliance = w.appliance \
           and (t.category <> '{resolved}' and t.finding is not null \
             or t.closed_at >= w.since and t.outcome->>'verdict' in ('right', 'other_fault')) offset 0) offset 0) m on true \
     order by a.id"
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
    ) -> Result<WanderedPage> {
        let limit = limit.min(WANDERED_MAX);
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
                .bind(count(limit))
        };
        let rows = self.fetch(query).await?;
        let last = rows.last().filter(|_| rows.len() == limit);
        Ok(WanderedPage {
            of: rows
                .iter()
                .filter_map(|row| wandered(row).transpose())
                .collect::<Result<_>>()?,
            last: last.map(|row| row.col("id").map(ApplianceId)).transpose()?,
        })
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

/// What the detector of this appliance of a page holds, if floors are learned from it.
fn wandered(row: &PgRow) -> Result<Option<Wandered>> {
    let Some(state) = row.col::<Option<Vec<u8>>>("state")? else {
        return Ok(None);
    };
    Ok(Some(Wandered {
        appliance: ApplianceId(row.col("id")?),
        appliance_model: row.col("appliance_model")?,
        state,
    }))
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
