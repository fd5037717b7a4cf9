//! What is stored only if something else happens in the same transaction. QoS 2: a publish is stored with its packet
//! identifier, and not again until the device has released that identifier (MQTT 3.1.1 §4.3.3, method B). A payload
//! that is read again is stored if it leaves quarantine with that.

use super::Item;
use crate::quarantine;
use crate::row::{Columns, db};
use hub_store::error::Result;
use hub_store::telemetry::{Ingest, Ingested};
use sqlx::PgConnection;
use std::collections::HashSet;

/// Appliance and packet identifier.
type Packet = (i64, i32);

/// Takes what is to be stored out of [`Ingest::Once`] and [`Ingest::Replayed`], without what is stored already.
pub(super) async fn admit<'a>(
    conn: &mut PgConnection,
    items: Vec<Item<'a>>,
    answers: &mut [Ingested],
) -> Result<Vec<Item<'a>>> {
    let items = packets(conn, items, answers).await?;
    replayed(conn, items, answers).await
}

async fn replayed<'a>(
    conn: &mut PgConnection,
    items: Vec<Item<'a>>,
    answers: &mut [Ingested],
) -> Result<Vec<Item<'a>>> {
    let numbers = items.iter().filter_map(|(_, item)| match item {
        Ingest::Replayed { number, .. } => Some(*number),
        _ => None,
    });
    let numbers: Vec<i64> = numbers.collect();
    if numbers.is_empty() {
        return Ok(items);
    }
    let mut held = quarantine::release(conn, &numbers).await?;
    let mut admitted = Vec::with_capacity(items.len());
    for (at, item) in items {
        match item {
            Ingest::Replayed { number, content, .. } if held.remove(number) => admitted.push((at, &**content)),
            Ingest::Replayed { content, .. } => answers[at].repeated += samples(content),
            _ => admitted.push((at, item)),
        }
    }
    Ok(admitted)
}

async fn packets<'a>(conn: &mut PgConnection, items: Vec<Item<'a>>, answers: &mut [Ingested]) -> Result<Vec<Item<'a>>> {
    let named: HashSet<Packet> = items.iter().filter_map(|(_, item)| packet(item)).collect();
    if named.is_empty() {
        return Ok(items);
    }
    let before = load(conn, &named).await?;
    let mut held = before.clone();
    let mut admitted = Vec::with_capacity(items.len());
    for (at, item) in items {
        match (item, packet(item)) {
            (Ingest::Once { content, .. }, Some(packet)) => {
                if held.insert(packet) {
                    admitted.push((at, &**content));
                } else {
                    answers[at].repeated += samples(content);
                }
            }
            (Ingest::Release { .. }, Some(packet)) => {
                held.remove(&packet);
            }
            _ => admitted.push((at, item)),
        }
    }
    insert(conn, held.difference(&before)).await?;
    delete(conn, before.difference(&held)).await?;
    Ok(admitted)
}

fn packet(item: &Ingest) -> Option<Packet> {
    match item {
        Ingest::Once {
            appliance, packet_id, ..
        }
        | Ingest::Release { appliance, packet_id } => Some((appliance.0, i32::from(*packet_id))),
        _ => None,
    }
}

/// What a repeated content counts for.
fn samples(content: &Ingest) -> u32 {
    match content.readings() {
        Some(message) => u32::try_from(message.samples.len()).unwrap_or(u32::MAX),
        None => 1,
    }
}

async fn load(conn: &mut PgConnection, packets: &HashSet<Packet>) -> Result<HashSet<Packet>> {
    let (appliances, ids) = columns(packets.iter());
    let rows = sqlx::query(
        "select p.* from unnest($1::bigint[], $2::integer[]) as k (appliance, packet_id) cross join lateral ( \
           select appliance, packet_id from inbound_packet where appliance = k.appliance and packet_id = k.packet_id offset 0) p",
    )
    .bind(appliances)
    .bind(ids)
    .fetch_all(conn)
    .await
    .map_err(db)?;
    rows.iter()
        .map(|row| Ok((row.col("appliance")?, row.col("packet_id")?)))
        .collect()
}

/// An identifier that somebody else has stored meanwhile is a conflict, so that the batch is decided again.
async fn insert(conn: &mut PgConnection, packets: impl Iterator<Item = &Packet>) -> Result<()> {
    let (appliances, ids) = columns(packets);
    if appliances.is_empty() {
        return Ok(());
    }
    sqlx::query("insert into inbound_packet (appliance, packet_id) select * from unnest($1::bigint[], $2::integer[])")
        .bind(appliances)
        .bind(ids)
        .execute(conn)
        .await
        .map_err(db)?;
    Ok(())
}

async fn delete(conn: &mut PgConnection, packets: impl Iterator<Item = &Packet>) -> Result<()> {
    let (appliances, ids) = columns(packets);
    if appliances.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from inbound_packet where ctid = any(array( \
           select p.place from unnest($1::bigint[], $2::integer[]) as k (appliance, packet_id) cross join lateral ( \
             select ctid as place from inbound_packet where appliance = k.appliance and packet_id = k.packet_id offset 0) p))",
    )
    .bind(appliances)
    .bind(ids)
    .execute(conn)
    .await
    .map_err(db)?;
    Ok(())
}

/// In order, so that two writers never wait for each other in a circle.
fn columns<'a>(packets: impl Iterator<Item = &'a Packet>) -> (Vec<i64>, Vec<i32>) {
    let mut sorted: Vec<Packet> = packets.copied().collect();
    sorted.sort_unstable();
    sorted.into_iter().unzip()
}
