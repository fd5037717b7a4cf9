//! QoS 2 played again, over connections and over the hub's violent end.

use super::{PATIENCE, Siege};
use tests_hub::eventually;
use tests_hub::site::SECRET;
use tests_mqtt::{Client, Connect, Version, again, release};

/// A reading without a time of its own: nothing but the packet identifier says that it is the same one.
const READING: &[u8] = br#"{"phase": 1}"#;

async fn come(siege: &Siege, clean: bool) -> (Client, bool) {
    let who = Connect {
        clean,
        ..Connect::new("acme/replay", SECRET)
    };
    eventually("the device is taken", PATIENCE, async || {
        let mut device = Client::open(siege.lab.mqtt).await.ok()?;
        let connack = device.log_in(&who).await.ok()?;
        Some((device, connack[0] == 1))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_2_is_stored_once_over_replay_reconnect_and_kill() {
    let mut siege = Siege::begin(&["replay", "second"]).await;
    let publish = Version::V4.publish(2, "d/replay/j", 7, READING);
    let repeat = again(publish.clone());
    let (mut device, present) = come(&siege, false).await;
    assert!(!present, "nothing was kept for a device that never came");
    device.send(&publish).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));
    for _ in 0..100 {
        device.send(&repeat).await;
        assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));
    }
    siege.stored("replay", 1).await;

    let (mut device, present) = come(&siege, false).await;
    assert!(present, "the session is kept while the device is away");
    device.send(&repeat).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));

    // The honest device's connection does not outlive the hub: it is counted before and starts over after.
    let Siege {
        lab,
        hub,
        console,
        honest,
    } = siege;
    let told = honest.stop().await;
    hub.kill().await.unwrap();
    assert!(lab.kill_database() > 0);
    let hub = lab.serve().await.unwrap();
    let honest = super::Probe::start(&lab, "second").await;
    siege = Siege {
        lab,
        hub,
        console,
        honest,
    };
    siege.stored("honest", told as i64).await;

    let (mut device, present) = come(&siege, false).await;
    assert!(present, "the session survives kill -9");
    device.send(&repeat).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));
    for _ in 0..2 {
        device.send(&release(7)).await;
        assert_eq!(device.packet().await.unwrap(), Some((0x70, vec![0, 7])));
    }
    siege.stored("replay", 1).await;
    // Released, the identifier carries something new.
    device.send(&publish).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));
    siege.stored("replay", 2).await;
    let (_, present) = come(&siege, true).await;
    assert!(!present, "a clean session starts from nothing");
    let (mut device, _) = come(&siege, false).await;
    device.send(&publish).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x50, vec![0, 7])));
    siege.stored("replay", 3).await;
    siege.honest.stop().await;
    siege.hub.stop().await.unwrap();
}
