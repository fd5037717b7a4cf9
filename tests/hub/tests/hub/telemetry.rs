//! An acknowledged reading is a stored reading.

use std::time::Duration;
use tests_hub::fleet::{past, recent, send};
use tests_hub::hub::Lab;
use tests_hub::site::{TestSite, daytime_zone};
use tests_hub::soak::{Stored, audit};
use tokio::task::JoinSet;

const PUBLISHERS: usize = 50;
const ROUNDS: usize = 3;

fn site() -> TestSite {
    let devices = (0..PUBLISHERS)
        .map(|n| (format!("wm-{n:02}"), "washing-machine".to_owned(), None))
        .collect();
    TestSite {
        trunk: None,
        password: None,
        devices,
        consent: true,
        zone: daytime_zone(12),
    }
}

/// Kills hub and database with -9 three times while 50 devices send, and looks at every row afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_hub_and_database_loses_and_doubles_nothing() {
    // Without a prepared state directory: here the hub's first start makes its database, whatever the run has prepared.
    let lab = Lab::bare().unwrap();
    let mut hub = lab.serve().await.unwrap();
    lab.apply(&site().toml()).await.unwrap();

    // A month each, so that the load outlasts the kills.
    let now = recent();
    let mut publishers = JoinSet::new();
    let lab = std::sync::Arc::new(lab);
    for n in 0..PUBLISHERS {
        let lab = lab.clone();
        publishers.spawn(async move {
            let samples = past(n as u64, 12, None, now);
            let count = samples.len() as u64;
            (count, send(&lab, &format!("wm-{n:02}"), 7, samples).await.unwrap())
        });
    }
    let mut killed = 0;
    for _ in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(900)).await;
        hub.kill().await.unwrap();
        killed += lab.kill_database();
        hub = lab.serve().await.unwrap();
    }
    assert!(killed >= ROUNDS, "the database's processes were not found: {killed}");
    let mut sent = 0;
    while let Some(publisher) = publishers.join_next().await {
        let (count, acknowledged) = publisher.unwrap();
        assert_eq!(acknowledged, count, "every sample is acknowledged in the end");
        sent += count;
    }
    hub.stop().await.unwrap();

    let stored = audit(&lab).await.unwrap();
    println!("acknowledged {sent}, {stored:?}, database processes killed {killed}");
    assert_eq!(
        stored,
        Stored {
            rows: sent,
            distinct: sent
        },
        "acknowledged, stored, and stored twice"
    );
}
