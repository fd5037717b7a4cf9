//! What of a device's MQTT session is kept.

use crate::row::{Columns, db, json, sql, text};
use crate::session_writer::held;
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::id::{ApplianceId, TenantId};
use hub_store::check;
use hub_store::error::Result;
use hub_store::session::{Attributes, RetainedState, SessionChange, SessionStore};
use jiff::Timestamp;
use std::time::Duration;

#[async_trait]
impl SessionStore for PostgresStore {
    async fn change_sessions(&self, changes: &[(ApplianceId, SessionChange)], now: Timestamp) -> Result<()> {
        change(self, changes, now).await
    }

    async fn commands_passed(
        &self,
        appliance: ApplianceId,
        requests: &[String],
        acknowledged: bool,
        now: Timestamp,
    ) -> Result<()> {
        let requests: Vec<String> = requests.iter().map(|request| text(request)).collect();
        // What was acknowledged did go out, whether or not that was noted in time.
        let update = || {
            sqlx::query(
                "update command set sent_at = coalesce(sent_at, $4), \
                   acknowledged_at = case when $3 then coalesce(acknowledged_at, $4) else acknowledged_at end \
                 where appliance = $1 and request = any($2)",
            )
            .bind(appliance.0)
            .bind(&requests)
            .bind(acknowledged)
            .bind(sql(now))
        };
        self.fetch(update).await.map(drop)
    }

    async fn retained_states(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RetainedState>> {
        let query = || {
            sqlx::query(
                "select a.device, s.payload, s.at from appliance a join appliance_state s on s.appliance = a.id \
                 where a.tenant = $1 and a.device > $2 order by a.device limit $3",
            )
            .bind(tenant.as_str())
            .bind(after.unwrap_or(""))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        };
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| {
                Ok(RetainedState {
                    device: row.col("device")?,
                    payload: row.col("payload")?,
                    at: row.at("at")?,
                })
            })
            .collect()
    }

    async fn attributes(
        &self,
        appliance: ApplianceId,
        client: Option<&[String]>,
        shared: Option<&[String]>,
    ) -> Result<Attributes> {
        let query = || {
            sqlx::query(
                "select scope, name, value from appliance_attribute where appliance = $1 and case scope \
                   when 'client' then $2::text[] is null or name = any($2) else $3::text[] is null or name = any($3) end",
            )
            .bind(appliance.0)
            .bind(client)
            .bind(shared)
        };
        let rows = self.fetch(query).await?;
        let mut found = Attributes::default();
        for row in &rows {
            let values = match row.col::<&str>("scope")? {
                "client" => &mut found.client,
                _ => &mut found.shared,
            };
            values.insert(row.col("name")?, row.col("value")?);
        }
        Ok(found)
    }

    async fn attributes_shared(&self, patience: Duration) -> Vec<ApplianceId> {
        self.signals.wait_attributes(patience).await
    }
}

/// Sessions that are kept, forgotten, and ended, by one statement.
const CHANGE: &str = concat!(
    held!(),
    ", \
       packets as (delete from inbound_packet where appliance = any($2) and exists (select from held)), \
       ended as (delete from mqtt_session where appliance = any($3) and exists (select from held)), \
       kept as (insert into mqtt_session (appliance, expiry_s, subscriptions, kept_at) \
         select k.appliance, k.expiry_s, k.subscriptions, $7 \
         from unnest($4::bigint[], $5::bigint[], $6::jsonb[]) as k (appliance, expiry_s, subscriptions) \
         where exists (select from held) \
         on conflict (appliance) do update set expiry_s = excluded.expiry_s, \
           subscriptions = excluded.subscriptions, kept_at = excluded.kept_at) \
     select exists (select from held) as held"
);

/// One statement for all, on the connection that changes sessions: it says how things are to be, and no older one comes behind
/// it.
async fn change(store: &PostgresStore, changes: &[(ApplianceId, SessionChange)], now: Timestamp) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    // In order, so that two of them never wait for each other in a circle.
    let mut changes: Vec<&(ApplianceId, SessionChange)> = changes.iter().collect();
    changes.sort_by_key(|(appliance, _)| *appliance);
    let (mut forgotten, mut ended) = (Vec::new(), Vec::new());
    let (mut kept, mut expiries, mut subscriptions) = (Vec::new(), Vec::new(), Vec::new());
    for (appliance, change) in changes {
        if change.forgets() {
            forgotten.push(appliance.0);
        }
        let Some(session) = change.kept() else {
            ended.push(appliance.0);
            continue;
        };
        check::session(session)?;
        kept.push(appliance.0);
        expiries.push(i64::from(session.expiry_s));
        subscriptions.push(json(&session.subscriptions)?);
    }
    let change = |token: i64| {
        sqlx::query(CHANGE)
            .bind(token)
            .bind(&forgotten)
            .bind(&ended)
            .bind(&kept)
            .bind(&expiries)
            .bind(&subscriptions)
            .bind(sql(now))
    };
    store.sessions.change(store, change).await
}

/// Forgets sessions that were found expired, with their packet identifiers. One that was begun or used since stays: its
/// device may be connecting elsewhere at this moment. Fenced; and in a transaction, which ends with the connection, so that
/// nothing of it is done when the caller has given up.
pub(crate) async fn forget_expired(store: &PostgresStore, appliances: &[i64], now: Timestamp) -> Result<()> {
    let mut tx = store.begin_fenced().await?;
    sqlx::query(
        "with expired as ( \
           delete from mqtt_session m using appliance_status s \
           where m.appliance = any($1) and s.appliance = m.appliance and not s.online \
             and greatest(s.presence_at, m.kept_at) + make_interval(secs => m.expiry_s) <= $2 \
           returning m.appliance) \
         delete from inbound_packet p where p.appliance = any($1) \
           and (p.appliance in (select appliance from expired) \
             or not exists (select from mqtt_session m where m.appliance = p.appliance))",
    )
    .bind(appliances)
    .bind(sql(now))
    .execute(&mut *tx)
    .await
    .map_err(db)?;
    tx.commit().await.map_err(db)
}

/// Notes that these sessions are taken up: presence tells so a little later. Fenced.
pub(crate) async fn touch(store: &PostgresStore, appliances: &[i64], now: Timestamp) -> Result<()> {
    let mut tx = store.begin_fenced().await?;
    sqlx::query("update mqtt_session set kept_at = greatest(kept_at, $2) where appliance = any($1)")
        .bind(appliances)
        .bind(sql(now))
        .execute(&mut *tx)
        .await
        .map_err(db)?;
    tx.commit().await.map_err(db)
}
