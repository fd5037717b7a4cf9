//! Visits as rows, and the visits of a span of time.

use crate::page::{page, page_limit};
use crate::row::{Columns, db, json, not_found, sql};
use crate::site_row::appliance_views;
use crate::store::PostgresStore;
use async_trait::async_trait;
use hub_core::actor::{Act, Actor};
use hub_core::appointment::{Appointment, AppointmentState};
use hub_core::situation::Changed;
use hub_store::appointment::{AppointmentFilter, AppointmentStore, AppointmentSummary, cursor, place};
use hub_store::error::Result;
use hub_store::page::{PAGE_MAX, Page};
use serde_json::Value;

/// A row `v` in the form in which [`Appointment`] is read.
const VISIT: &str =
    "to_jsonb(v) || jsonb_build_object('slot', jsonb_build_object('start', v.slot_start, 'end', v.slot_end))";

/// The newest visit of a ticket `t`, as a column.
pub(crate) fn newest() -> String {
    format!("(select {VISIT} from appointment v where v.ticket = t.id order by v.id desc limit 1) as appointment")
}

/// The states of visits that stand, as a list for a statement's text: by a general plan of a bound list the database would not
/// see that the index of visits that stand will do.
pub(crate) fn standing() -> String {
    let names: Vec<String> = AppointmentState::standing()
        .map(|state| format!("'{}'", state.name()))
        .collect();
    names.join(", ")
}

/// What [`crate::ticket_row::save`] stores of visits: their fields are the columns, but for the slot.
pub(crate) fn rows<'a>(visits: impl Iterator<Item = &'a Changed<Appointment>>) -> Result<Value> {
    visits
        .map(|visit| json(&visit.now))
        .collect::<Result<_>>()
        .map(Value::Array)
}

#[async_trait]
impl AppointmentStore for PostgresStore {
    async fn appointments(
        &self,
        actor: &Actor,
        filter: &AppointmentFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<AppointmentSummary>> {
        actor.may(Act::ReadTickets)?;
        let limit = limit.clamp(1, PAGE_MAX);
        let place = place(after)?;
        let mut tx = self.begin_scoped(actor).await?;
        // Tickets one by one, as the limit makes the database see: it would read all of them where it does not know the span.
        let query = format!(
            "select {VISIT} as appointment, t.number, t.appliance \
             from appointment v \
               cross join lateral (select number, appliance from ticket where id = v.ticket limit 1) t \
             where v.slot_start >= $1 and v.slot_start < $2 and ($3::text is null or v.service_point = $3) \
               and ($4::timestamptz is null or (v.slot_start, v.id) > ($4, $5)) and ($6::text is null or v.tenant = $6) \
               and ($7::text[] is null or t.appliance in (select id from appliance where service_point = any($7))) \
             order by v.slot_start, v.id limit $8"
        );
        let rows = sqlx::query(&query)
            .bind(sql(filter.from))
            .bind(sql(filter.until))
            .bind(&filter.service_point)
            .bind(place.map(|(start, _)| sql(start)))
            .bind(place.map(|(_, id)| id.0))
            .bind(actor.tenant())
            .bind(actor.sites())
            .bind(page_limit(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(db)?;
        let ids: Vec<i64> = rows.iter().map(|row| row.col("appliance")).collect::<Result<_>>()?;
        let appliances = appliance_views(&mut tx, &ids).await?;
        let mut items = Vec::with_capacity(rows.len());
        for (row, id) in rows.iter().zip(ids) {
            let appliance = appliances.get(&id).cloned();
            items.push(AppointmentSummary {
                appointment: row.json("appointment")?,
                number: row.col("number")?,
                appliance: appliance.ok_or_else(|| not_found("appliance", id))?,
            });
        }
        Ok(page(items, limit, |summary| cursor(&summary.appointment)))
    }
}
