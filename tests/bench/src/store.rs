//! The store beside bare PostgreSQL: what it costs to load readings, to keep them, and to look at them.

pub mod base;
pub mod fleet;
pub mod growth;
pub mod layout;
pub mod load;
pub mod psql;
pub mod query;
pub mod size;

use crate::bar::Bars;
use anyhow::{Context, Result, bail, ensure};
use base::Server;
use std::time::Duration;
use tests_hub::database::Database;

/// How much is loaded.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Devices that send, and in how many rounds that is measured.
    pub fleets: Vec<(usize, usize)>,
    /// Values of one round.
    pub round: usize,
    /// Devices of the history that grows.
    pub devices: usize,
    /// How many values it has when queries are measured.
    pub stages: Vec<usize>,
    /// At this one they stand beside psql, and the narrow table is as large.
    pub beside: usize,
    /// How often each query is asked in a row.
    pub times: usize,
    /// Values in each form of row.
    pub layout: usize,
    /// Values that are compressed, where the server that is measured has no TimescaleDB: on the one in WebAssembly. Sizes
    /// there are those of a server.
    pub compressed: Option<usize>,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        Self {
            fleets: vec![(200, 5), (1_000, 1), (10_000, 1), (100_000, 3)],
            round: 1_000_000,
            devices: 60,
            stages: vec![1_000_000, 5_000_000, 50_000_000],
            beside: 5_000_000,
            times: 21,
            layout: 2_000_000,
            compressed: Some(400_000),
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        Self {
            fleets: vec![(20, 1), (500, 1)],
            round: 20_000,
            devices: 5,
            stages: vec![20_000, 60_000],
            beside: 60_000,
            times: 3,
            layout: 20_000,
            compressed: Some(20_000),
        }
    }
}

/// Bars of one run, and what they are about.
#[derive(Debug, Default)]
pub struct Report {
    /// What the figures must reach.
    pub bars: Bars,
    /// Values that are stored in the end, by the count of the database: must be those that were acknowledged.
    pub stored: i64,
    /// Values that were acknowledged.
    pub acknowledged: i64,
}

/// Measures everything, on the server of `BENCH_DATABASE_URL`, or else of `TEST_DATABASE_URL`, or else on a cluster like
/// the hub's own.
///
/// # Errors
/// Something does not work, or gives a wrong answer.
pub async fn run(plan: &Plan) -> Result<Report> {
    let server = Server::open().await?;
    println!("store: {}", server.what());
    let mut report = Report::default();
    let measured = measure(&server, plan, &mut report).await;
    server.close().await?;
    measured?;
    if let Some(values) = plan.compressed.filter(|_| base::given().is_none()) {
        compressed(plan.devices, values, &mut report)
            .await
            .context("compressed on TimescaleDB")?;
    }
    ensure!(
        report.stored == report.acknowledged,
        "{} values were acknowledged, {} are stored",
        report.acknowledged,
        report.stored
    );
    Ok(report)
}

async fn measure(server: &Server, plan: &Plan, report: &mut Report) -> Result<()> {
    load::measure(server, plan, report)
        .await
        .context("load by number of devices")?;
    growth::measure(server, plan, report).await.context("growing history")?;
    layout::measure(server, plan).await.context("arrays beside columns")
}

async fn compressed(devices: usize, values: usize, report: &mut Report) -> Result<()> {
    let Some(timescale) = Database::timescale().await? else {
        println!("no TimescaleDB here (make setup installs one for tests): what is compressed is not measured");
        return Ok(());
    };
    let server = Server::at(&timescale.url).await?;
    println!("in WebAssembly, for sizes only: {}", server.what());
    let measured = growth::bytes(&server, devices, values, report).await;
    server.close().await?;
    timescale.stop().await?;
    measured
}

/// For `cargo xtask bench bench_store`: the whole run ends within this time.
const ENDS_WITHIN: Duration = Duration::from_secs(1_500);

/// Runs with the arguments of a program; whether every bar was held.
///
/// # Errors
/// Something does not work, or gives a wrong answer.
pub async fn main(argument: Option<&str>) -> Result<bool> {
    let plan = match argument {
        None => Plan::full(),
        Some("--quick") => Plan::quick(),
        Some(other) => bail!("unknown argument {other}; known is --quick"),
    };
    let report = tokio::time::timeout(ENDS_WITHIN, run(&plan))
        .await
        .with_context(|| format!("not done within {} s", ENDS_WITHIN.as_secs()))??;
    if argument.is_some() {
        println!("quick: every value was stored and every query answered, nothing is said about speed");
        return Ok(true);
    }
    Ok(report.bars.print())
}
