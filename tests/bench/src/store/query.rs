//! How long the three queries take that people wait for: through the store, and the same text in psql.

use super::base::{Base, CHANNELS, PROFILE, TENANT};
use super::psql;
use crate::bar::median;
use anyhow::{Result, ensure};
use hub_core::actor::Actor;
use hub_core::id::TenantId;
use hub_store::reading::{ReadingStore, Window};
use hub_store_postgres::statement;
use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// Points of the chart.
const POINTS: usize = 300;
/// Rows of the first look at the newest values, of one day.
const NEWEST: usize = 8;
/// Hours of the fleet.
const HOURS: i64 = 42;
/// Asked before it counts: a connection plans a statement again for the first five times.
const WARMING: usize = 20;
/// In turn, so that what else the machine does affects both.
const TURNS: usize = 5;

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// The query.
    pub name: &'static str,
    /// Through the store.
    pub ours: f64,
    /// In psql.
    pub psql: f64,
}

/// Asks all three, each `often` times in a row, through the store and in psql in turn. `newest` is the time of the newest
/// reading.
///
/// # Errors
/// A query fails or gives a wrong answer.
pub async fn measure(base: &Base, newest: Timestamp, often: usize) -> Result<Vec<Latency>> {
    let mut all = Vec::new();
    for query in [Query::Window, Query::Latest, Query::Fleet] {
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        query.ours(base, newest, WARMING).await?;
        for _ in 0..TURNS {
            ours.push(query.ours(base, newest, often).await?);
            peers.push(query.peer(base, newest, often).await?);
        }
        all.push(Latency {
            name: query.name(),
            ours: median(ours),
            psql: median(peers),
        });
    }
    Ok(all)
}

#[derive(Clone, Copy)]
enum Query {
    Window,
    Latest,
    Fleet,
}

impl Query {
    fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Latest => "latest",
            Self::Fleet => "fleet_hourly",
        }
    }

    async fn ours(self, base: &Base, newest: Timestamp, often: usize) -> Result<f64> {
        let tenant = TenantId::new(TENANT)?;
        let scope = Actor::hub("test").within(Some(tenant.clone()));
        let mut times = Vec::with_capacity(often);
        for _ in 0..often {
            let begun = Instant::now();
            match self {
                Self::Window => {
                    let window = Window {
                        channels: Vec::new(),
                        from: day_before(newest),
                        to: newest,
                        points: POINTS,
                    };
                    let series = base.store.window(&scope, base.fleet.some(), &window).await?;
                    ensure!(series.len() == usize::from(CHANNELS), "{} channels", series.len());
                    ensure!(series.iter().all(|s| (2..=POINTS).contains(&s.points.len())), "points");
                }
                Self::Latest => {
                    let latest = base.store.latest(&scope, base.fleet.some()).await?;
                    ensure!(latest.len() == usize::from(CHANNELS), "{} newest values", latest.len());
                }
                Self::Fleet => {
                    let (from, to) = hours(newest);
                    let hours = base
                        .store
                        .fleet_hourly(&scope, &tenant, PROFILE, "c1", from, to)
                        .await?;
                    ensure!(!hours.is_empty(), "no hours of the fleet");
                }
            }
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    }

    /// The same statements in psql: the sum of what each takes.
    async fn peer(self, base: &Base, newest: Timestamp, often: usize) -> Result<f64> {
        let mut sum = 0.0;
        for (types, text, arguments) in self.texts(base, newest).await? {
            sum += median(psql::prepared(&base.options, types, &text, &arguments, often).await?);
        }
        Ok(sum)
    }

    /// What the store asks, in order: types of the parameters, the statement, and the parameters.
    async fn texts(self, base: &Base, newest: Timestamp) -> Result<Vec<(&'static str, String, String)>> {
        let appliance = base.fleet.some();
        let from = day_before(newest);
        let subject = (
            "bigint, text, text[]",
            statement::SUBJECT.to_owned(),
            format!("{appliance}, '{TENANT}', null"),
        );
        Ok(match self {
            Self::Window => {
                let stretch = SignedDuration::from_hours(24).as_micros() / (POINTS as i128 / 2);
                let window = (
                    "bigint, timestamptz, timestamptz, bigint, bigint",
                    statement::window(CHANNELS),
                    format!("{appliance}, '{from}', '{newest}', {stretch}, 1"),
                );
                vec![subject, window]
            }
            Self::Latest => {
                let latest = (
                    "bigint, timestamptz, bigint",
                    statement::LATEST.to_owned(),
                    format!("{appliance}, '{from}', {NEWEST}"),
                );
                vec![subject, latest]
            }
            Self::Fleet => {
                let version = base
                    .number("select no::bigint from profile_version where channels <> '[]'")
                    .await?;
                let (from, to) = hours(newest);
                vec![(
                    "text, smallint[], smallint[], timestamptz, timestamptz, bigint",
                    statement::FLEET_HOURLY.to_owned(),
                    format!("'{TENANT}', '{{{version}}}', '{{1}}', '{from}', '{to}', 10000"),
                )]
            }
        })
    }
}

fn day_before(at: Timestamp) -> Timestamp {
    at - SignedDuration::from_hours(24)
}

fn hours(newest: Timestamp) -> (Timestamp, Timestamp) {
    (newest - SignedDuration::from_hours(HOURS), newest)
}
