//! The database stands still for a minute while a fleet reports: pings are answered, nothing is acknowledged, and when it
//! goes on, everything that devices still hold is stored once.

use super::{PATIENCE, site};
use crate::telemetry::recent;
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::{log_in, past, send};
use tests_hub::hub::Lab;
use tokio::task::JoinSet;

const FLEET: usize = 20;
const STANDSTILL: Duration = Duration::from_secs(60);
/// Until the whole fleet has been heard.
const FLEET_PATIENCE: Duration = Duration::from_secs(240);
/// For a commit; a device that waits longer is cut and comes again.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_loses_nothing() {
    let lab = Arc::new(Lab::new().unwrap());
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
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        lab.signal_database(Signal::SIGSTOP) > 1,
        "the database's processes were not found"
    );
    let standing = std::time::Instant::now();
    while standing.elapsed() < STANDSTILL {
        // A device that has nothing to say is not cut off, and a stopped database does not stop pings.
        let asked = std::time::Instant::now();
        quiet.ping().await.unwrap();
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "a ping took {:?}",
            asked.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(STANDSTILL > COMMIT_PATIENCE);
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
    assert_eq!(hub.errors(), Vec::<String>::new());
    hub.stop().await.unwrap();
}
