//! What devices that run our agent say of themselves: the newest birth message of each is kept, and what they gave up is added
//! up over their starts. As with states, what is older than the stored one changes nothing.

use super::Item;
use crate::baseline::{self, Said};
use crate::row::{db, sql, text, word};
use hub_core::baseline::version;
use hub_store::birth::{Birth, DROPPED_MAX, StateContent};
use hub_store::error::Result;
use hub_store::telemetry::Ingest;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// A birth message on its way into the table.
type Told<'a> = (i64, Timestamp, &'a Birth);

/// Takes the birth messages among the retained states of a batch, and what takes their place.
pub(super) async fn write(conn: &mut PgConnection, items: &[Item<'_>]) -> Result<()> {
    // By appliance; `None` stands for a state that is none of our agent's.
    let mut said: BTreeMap<i64, Vec<(Timestamp, Option<&Birth>)>> = BTreeMap::new();
    for (_, item) in items {
        if let Ingest::State {
            appliance,
            content,
            retain: true,
            at,
            ..
        } = item
        {
            match content {
                StateContent::Birth(birth) => said.entry(appliance.0).or_default().push((*at, Some(birth.as_ref()))),
                StateContent::Other => said.entry(appliance.0).or_default().push((*at, None)),
                StateContent::Gone => {}
            }
        }
    }
    let mut gone: Vec<(i64, Timestamp)> = Vec::new();
    let mut rounds: Vec<Vec<Told<'_>>> = Vec::new();
    for (appliance, states) in &mut said {
        states.sort_by_key(|(at, _)| *at);
        let mut births: Vec<Told<'_>> = Vec::new();
        for (at, birth) in states.iter() {
            match birth {
                Some(birth) => {
                    // Within one start the last of its counts holds the others.
                    births.pop_if(|(_, _, before)| before.boot == birth.boot);
                    births.push((*appliance, *at, *birth));
                }
                None => {
                    births.clear();
                    gone.push((*appliance, *at));
                }
            }
        }
        for (round, told) in births.into_iter().enumerate() {
            if rounds.len() == round {
                rounds.push(Vec::new());
            }
            rounds[round].push(told);
        }
    }
    forget(conn, &gone).await?;
    // One statement takes one row of each appliance: usually there is one round.
    for round in &rounds {
        keep(conn, round).await?;
        baseline::told_by_agents(conn, &firmware(round)).await?;
    }
    Ok(())
}

/// Versions of firmware that birth messages say.
fn firmware(round: &[Told<'_>]) -> Vec<Said> {
    let said = round.iter().filter_map(|(appliance, at, birth)| {
        let version = version(&birth.firmware).map(text)?;
        Some((*appliance, version, *at))
    });
    said.collect()
}

async fn forget(conn: &mut PgConnection, gone: &[(i64, Timestamp)]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from appliance_birth where ctid = any(array( \
           select b.place from unnest($1::bigint[], $2::timestamptz[]) as k (appliance, at) cross join lateral ( \
             select ctid as place from appliance_birth where appliance = k.appliance and at <= k.at offset 0) b))",
    )
    .bind(gone.iter().map(|(appliance, _)| *appliance).collect::<Vec<i64>>())
    .bind(gone.iter().map(|(_, at)| sql(*at)).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

async fn keep(conn: &mut PgConnection, round: &[Told<'_>]) -> Result<()> {
    let numbers = |of: fn(&Birth) -> u64| -> Vec<i64> {
        let numbers = round.iter().map(|(_, _, birth)| of(birth));
        numbers.map(u64::cast_signed).collect()
    };
    let texts = |of: fn(&Birth) -> &str| -> Vec<String> {
        let texts = round.iter().map(|(_, _, birth)| of(birth));
        texts.map(text).collect()
    };
    let resets: Vec<String> = round
        .iter()
        .map(|(_, _, birth)| word(&birth.reset))
        .collect::<Result<_>>()?;
    sqlx::query(
        "insert into appliance_birth as b (appliance, at, boot, model, firmware, sdk, reset, takes_cbor, settings, \
           dropped_events, dropped_telemetry, dropped_events_in_all, dropped_telemetry_in_all) \
         select appliance, at, boot, model, firmware, sdk, reset, takes_cbor, settings, \
           events, telemetry, least(events, $12), least(telemetry, $12) \
         from unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], \
           $8::boolean[], $9::bigint[], $10::bigint[], $11::bigint[]) \
           as k (appliance, at, boot, model, firmware, sdk, reset, takes_cbor, settings, events, telemetry) \
         on conflict (appliance) do update set at = excluded.at, boot = excluded.boot, model = excluded.model, \
           firmware = excluded.firmware, sdk = excluded.sdk, reset = excluded.reset, takes_cbor = excluded.takes_cbor, \
           settings = excluded.settings, dropped_events = excluded.dropped_events, \
           dropped_telemetry = excluded.dropped_telemetry, \
           dropped_events_in_all = least(b.dropped_events_in_all + greatest(excluded.dropped_events \
             - case when b.boot = excluded.boot then b.dropped_events else 0 end, 0), $12), \
           dropped_telemetry_in_all = least(b.dropped_telemetry_in_all + greatest(excluded.dropped_telemetry \
             - case when b.boot = excluded.boot then b.dropped_telemetry else 0 end, 0), $12) \
         where b.at <= excluded.at",
    )
    .bind(round.iter().map(|(appliance, _, _)| *appliance).collect::<Vec<i64>>())
    .bind(round.iter().map(|(_, at, _)| sql(*at)).collect::<Vec<_>>())
    .bind(numbers(|birth| birth.boot))
    .bind(texts(|birth| &birth.model))
    .bind(texts(|birth| &birth.firmware))
    .bind(texts(|birth| &birth.sdk))
    .bind(resets)
    .bind(
        round
            .iter()
            .map(|(_, _, birth)| birth.takes_cbor)
            .collect::<Vec<bool>>(),
    )
    .bind(numbers(|birth| birth.settings))
    .bind(numbers(|birth| birth.dropped_events))
    .bind(numbers(|birth| birth.dropped_telemetry))
    .bind(DROPPED_MAX.cast_signed())
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}
