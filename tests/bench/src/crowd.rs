//! The hub and its peers with many devices that say nothing, and when all of these come back at once; and the hub with devices
//! that come, say one thing and go.

use crate::bar::{Bars, median};
use crate::client::{Identity, connect_all};
use crate::hub::BenchHub;
use crate::idle::{Idle, measure};
use crate::peer::{Peer, Persistence};
use crate::reading::{Load, identity, trains};
use crate::storm::{Storm, storm};
use crate::tls::Certificate;
use crate::visit::visit;
use anyhow::{Result, ensure};
use hub_core::clock::{CivilClock, SystemClock};
use tests_hub::ports;

/// Bytes that a connection may take.
const PLAIN_MAX: f64 = 6_000.0;
const TLS_MAX: f64 = 40_000.0;
/// Of mosquitto's time.
const BACK_MAX: f64 = 0.5;
/// Devices that are there at once.
const VISITING: usize = 100;
/// Visits a second.
const VISITS_MIN: f64 = 2_000.0;
/// Readings are of the last hour.
const AGE_MS: i64 = 3_600_000;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Idle connections.
    pub connections: usize,
    /// Devices that come back.
    pub returning: usize,
    /// How often they do.
    pub rounds: usize,
    /// Devices that come and go.
    pub visits: usize,
}

impl Plan {
    /// What the bars hold for.
    pub fn full() -> Self {
        Self {
            connections: 10_000,
            returning: 5_000,
            rounds: 3,
            visits: 20_000,
        }
    }

    /// Some seconds: does it work at all?
    pub fn quick() -> Self {
        Self {
            connections: 100,
            returning: 100,
            rounds: 1,
            visits: 300,
        }
    }
}

/// Runs the plan and prints each figure as it comes.
///
/// # Errors
/// A broker does not start, or does not take a connection.
pub async fn run(plan: Plan) -> Result<Bars> {
    let mut bars = Bars::default();
    plain(plan, &mut bars).await?;
    over_tls(plan, &mut bars).await?;
    returning(plan, &mut bars).await?;
    visiting(plan, &mut bars).await?;
    Ok(bars)
}

async fn plain(plan: Plan, bars: &mut Bars) -> Result<()> {
    let count = plan.connections;
    println!("{count} idle connections, plain: kB for each");
    let hub = BenchHub::start("hub", count).await?;
    let ours = measure(&hub.broker, hub.broker.address, count, None).await?;
    print_idle("hub", ours);
    hub.stop().await?;
    let mosquitto = Peer::mosquitto("mosquitto", Persistence::Off).await?;
    print_idle(
        "mosquitto",
        measure(&mosquitto.broker, mosquitto.broker.address, count, None).await?,
    );
    drop(mosquitto);
    let rumqttd = Peer::rumqttd("rumqttd, stock").await?;
    print_idle(
        "rumqttd, stock",
        measure(&rumqttd.broker, rumqttd.broker.address, count, None).await?,
    );
    bars.at_most("bytes_per_idle_connection", ours.connected, PLAIN_MAX);
    bars.at_most(
        "bytes_per_idle_connection_with_subscription",
        ours.subscribed,
        PLAIN_MAX,
    );
    Ok(())
}

async fn over_tls(plan: Plan, bars: &mut Bars) -> Result<()> {
    let count = plan.connections;
    println!("{count} idle connections, TLS 1.3: kB for each");
    let dir = tempfile::tempdir()?;
    let certificate = Certificate::write(dir.path())?;
    let client = certificate.client()?;
    let address = ports::tcp()?;
    let hub = BenchHub::start_with("hub", count, |lab| {
        lab.set("FORECALL_MQTT_TLS", address.to_string());
        lab.set("FORECALL_TLS_CERTIFICATE", certificate.chain.to_string_lossy());
        lab.set("FORECALL_TLS_KEY", certificate.key.to_string_lossy());
        Ok(())
    })
    .await?;
    let ours = measure(&hub.broker, address, count, Some(client.clone())).await?;
    print_idle("hub", ours);
    hub.stop().await?;
    let mosquitto = Peer::mosquitto_with_tls("mosquitto", &certificate).await?;
    let theirs = measure(&mosquitto.broker, mosquitto.broker.address, count, Some(client)).await?;
    print_idle("mosquitto", theirs);
    bars.at_most("bytes_per_idle_tls_connection", ours.connected, TLS_MAX);
    bars.at_most(
        "bytes_per_idle_tls_connection_with_subscription",
        ours.subscribed,
        TLS_MAX,
    );
    Ok(())
}

fn print_idle(name: &str, idle: Idle) {
    println!(
        "  {name:<16} {:>6.2} authenticated, {:>6.2} with a subscription; all connected after {:.2} s",
        idle.connected / 1e3,
        idle.subscribed / 1e3,
        idle.took.as_secs_f64()
    );
}

/// Both ask for a password: the hub its database, mosquitto its file.
async fn returning(plan: Plan, bars: &mut Bars) -> Result<()> {
    let count = plan.returning;
    println!("{count} devices come back after kill -9 and a restart: seconds from listener up to the last CONNACK");
    let identities: Vec<Identity> = (0..count).map(identity).collect();
    let mut hub = BenchHub::start("hub", count).await?;
    let mut mosquitto = Peer::mosquitto_with_users("mosquitto", &identities).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let before = connect_all(hub.broker.address, &identities).await?;
        let killed = hub.kill().await?;
        drop(before);
        let storming = tokio::spawn(storm(killed.address(), identities.clone()));
        hub = killed.start().await?;
        ours.push(print_storm("hub", storming.await??));

        let before = connect_all(mosquitto.broker.address, &identities).await?;
        mosquitto.kill().await?;
        drop(before);
        let storming = tokio::spawn(storm(mosquitto.broker.address, identities.clone()));
        mosquitto.start_again().await?;
        theirs.push(print_storm("mosquitto", storming.await??));
    }
    hub.stop().await?;
    bars.at_most("return_time_vs_mosquitto", median(ours) / median(theirs), BACK_MAX);
    Ok(())
}

fn print_storm(name: &str, storm: Storm) -> f64 {
    let seconds = storm.took.as_secs_f64();
    println!("  {name:<16} {seconds:>6.2}, {} tries failed before", storm.failed);
    seconds
}

/// Each is new to the hub's process, and to the store's table of readings.
async fn visiting(plan: Plan, bars: &mut Bars) -> Result<()> {
    let count = plan.visits;
    println!("{count} devices connect, send a reading, wait for its acknowledgement and go, {VISITING} at once");
    let forgotten = visits(count, true, "clean session").await?;
    bars.at_least("visits_a_second", forgotten, VISITS_MIN);
    // To be seen beside it: the bar is for those that leave nothing behind.
    visits(count, false, "session kept").await?;
    Ok(())
}

async fn visits(count: usize, clean_session: bool, what: &str) -> Result<f64> {
    let hub = BenchHub::start("hub", count).await?;
    let load = Load {
        number: 1,
        each: 1,
        from_ms: SystemClock.now().as_millisecond() - AGE_MS,
    };
    let trains = trains(load, count)?;
    hub.broker.quiet().await?;
    let before = hub.broker.usage()?;
    let took = visit(hub.broker.address, trains, VISITING, clean_session).await?;
    let usage = hub.broker.usage()?.since(&before);
    let stored = hub.stored(load).await?;
    ensure!(
        stored.rows == count && stored.distinct == count,
        "of {count} acknowledged readings are stored: {stored:?}"
    );
    hub.stop().await?;
    let rate = count as f64 / took.as_secs_f64();
    let each = (usage.broker + usage.database) / count as f64 * 1e6;
    println!("  hub, {what}: {rate:.0} a second, CPU {usage} ({each:.0} µs each)");
    Ok(rate)
}
