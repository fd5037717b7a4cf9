//! How long the three queries take that people wait for: through the store, and the same text in psql.

use super::base::{Base, CHANNELS, PROFILE, TENANT};
use super::psql;
use crate::bar::median;
use anyhow::{Result, ensure};
use hub_core::id::TenantId;
use hub_store::Scope;
use hub_store::reading::{ReadingStore, Window};
use hub_store_postgres::statement;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// Points of the chart.
const POINTS: usize = 300;
/// Rows of the first look at the newest values, of one day.
const NEWEST: usize = 8;
/// Hours of the fleet.
const HOURS: i64 = 42;
/// Asked before it counts: each connection of the pool plans a statement anew for the first five times, psql's one too.
const WARMING: usize = 80;
/// A connection is back in the pool after this time.
const SETTLED_AFTER: Duration = Duration::from_millis(1);
/// In turn, so that what else the machine does befalls both.
const TURNS: usize = 3;

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Which query.
    pub name: &'static str,
    /// Through the store.
    pub ours: f64,
    /// In psql; NaN where it was not asked.
    pub psql: f64,
}

/// Asks all three, each `often` times in a row, and psql beside it if so wanted. `newest` is the time of the newest reading.
///
/// # Errors
/// A query fails or gives a wrong answer.
pub async fn measure(base: &Base, newest: Timestamp, often: usize, beside: bool) -> Result<Vec<Latency>> {
    let mut all = Vec::new();
    for query in [Query::Window, Query::Latest, Query::Fleet] {
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        query.ours(base, newest, WARMING).await?;
        for _ in 0..TURNS {
            ours.push(query.ours(base, newest, often).await?);
            if beside {
                let (types, text, arguments) = query.text(base, newest).await?;
                peers.push(median(
                    psql::prepared(&base.options, types, &text, &arguments, often).await?,
                ));
            }
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
        let scope = Scope::Tenant(tenant.clone());
        let mut times = Vec::with_capacity(often);
        for _ in 0..often {
            settle().await;
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

    /// Types of the parameters, the statement, and the parameters.
    async fn text(self, base: &Base, newest: Timestamp) -> Result<(&'static str, String, String)> {
        let appliance = base.fleet.some();
        Ok(match self {
            Self::Window => {
                let stretch = SignedDuration::from_hours(24).as_micros() / (POINTS as i128 / 2);
                (
                    "bigint, timestamptz, timestamptz, bigint, bigint",
                    statement::window(CHANNELS),
                    format!("{appliance}, '{}', '{newest}', {stretch}, 1", day_before(newest)),
                )
            }
            Self::Latest => (
                "bigint, text, bigint, integer",
                statement::LATEST.to_owned(),
                format!("{appliance}, '{TENANT}', {NEWEST}, 1"),
            ),
            Self::Fleet => {
                let version = base
                    .number("select no::bigint from profile_version where channels <> '[]'")
                    .await?;
                let (from, to) = hours(newest);
                (
                    "text, smallint[], smallint[], timestamptz, timestamptz, bigint",
                    statement::FLEET_HOURLY.to_owned(),
                    format!("'{TENANT}', '{{{version}}}', '{{1}}', '{from}', '{to}', 10000"),
                )
            }
        })
    }
}

/// Lets the pool take back what the query before has used: whoever asks once does not wait for that.
async fn settle() {
    let begun = Instant::now();
    while begun.elapsed() < SETTLED_AFTER {
        tokio::task::yield_now().await;
    }
}

fn day_before(at: Timestamp) -> Timestamp {
    at - SignedDuration::from_hours(24)
}

fn hours(newest: Timestamp) -> (Timestamp, Timestamp) {
    (newest - SignedDuration::from_hours(HOURS), newest)
}
