//! The database stands still while a fleet reports, for longer than the hub waits for a commit: pings are answered, nothing
//! is acknowledged, and when it goes on, everything that devices still hold is stored once.

use super::{PATIENCE, site};
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, past, recent, send};
use tests_hub::hub::Lab;
use tests_hub::watch::figure;
use tokio::task::JoinSet;

const FLEET: usize = 20;
/// Twice as long as the hub waits for a commit.
const STANDSTILL: Duration = Duration::from_secs(12);
/// Until the whole fleet has been heard.
const FLEET_PATIENCE: Duration = Duration::from_secs(240);
/// For a commit; a device that waits longer is cut and comes again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(6);
/// Pings answered meanwhile: one that waited for a commit would take [`COMMIT_PATIENCE`], so there would be two.
const PINGS_MIN: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_loses_nothing() {
    let mut lab = Lab::new().unwrap();
    lab.set("FORECALL_COMMIT_PATIENCE_S", COMMIT_PATIENCE.as_secs());
    let lab = Arc::new(lab);
    let names: Vec<String> = (0..FLEET).map(|n| format!("wm-{n:02}")).collect();
    let devices: Vec<&str> = names.iter().map(String::as_str).chain(["quiet"]).collect();
    lab.apply(&site(&devices).toml()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let mut quiet = log_in(lab.mqtt, "quiet").await.unwrap();

    let now = recent();
    let mut fleet = JoinSet::new();
    for (n, name) in names.iter().enumerate() {
        let (lab, name) = (lab.clone(), name.clone());
        let samples = past(n as u64, 40, None, now);
        fleet.spawn(async move {
            let count = samples.len() as u64;
            // A device that gave up comes again with what it still holds; what was stored is then a repeat.
            let what = format!("{name} is rid of its samples");
            let acknowledged = eventually(&what, FLEET_PATIENCE, async || {
                send(&lab, &name, 3, samples.clone()).await.ok()
            });
            (count, acknowledged.await)
        });
    }
    eventually("the fleet reports", PATIENCE, async || {
        (figure(&lab, "mqtt_acknowledged_total").await > 0.0).then_some(())
    })
    .await;
    assert!(
        lab.signal_database(Signal::SIGSTOP) > 1,
        "the database's processes were not found"
    );
    let (standing, mut pings) = (std::time::Instant::now(), 0);
    while standing.elapsed() < STANDSTILL {
        // A device that has nothing to say is not cut off, and a stopped database does not stop pings.
        let answer = tokio::time::timeout(COMMIT_PATIENCE / 2, quiet.ping()).await;
        answer.expect("a ping waits for the database").unwrap();
        pings += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(STANDSTILL, COMMIT_PATIENCE * 2);
    assert!(pings >= PINGS_MIN, "{pings} pings were answered in {STANDSTILL:?}");
    lab.signal_database(Signal::SIGCONT);

    let (mut sent, mut told) = (0, 0);
    while let Some(device) = fleet.join_next().await {
        let (count, acknowledged) = device.unwrap();
        sent += count;
        told += acknowledged;
    }
    assert_eq!(sent, told, "every sample is acknowledged in the end");
    eventually("what was acknowledged is counted once", PATIENCE, async || {
        let appliances = console.all("/api/v1/appliances").await.unwrap();
        let shown: u64 = appliances.iter().map(|a| a["samples"].as_u64().unwrap()).sum();
        assert!(shown <= sent, "{shown} are stored, {sent} were sent");
        (shown == sent).then_some(())
    })
    .await;
    println!("{sent} samples over a standstill of {STANDSTILL:?}");
    hub.stop().await.unwrap();
}
