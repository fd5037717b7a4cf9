//! An honest device among attackers: its acknowledgements stay quick, and what it was told is stored.

use crate::client::{Honest, PATIENCE, Raw, connect};
use crate::{Door, eventually};
use hub_core::id::ApplianceId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tests_mqtt::publish;

const BAD_PAYLOADS: u64 = 10_000;
/// Bad payloads that are sent before the first of them is acknowledged.
const ROUND: u64 = 100;
const ROUNDS: u64 = BAD_PAYLOADS / ROUND;
/// The honest device is served in turn with the bad one, however fast the machine is: while it waits for an
/// acknowledgement, about two of the bad one's rounds pass. No wait is longer than a quarter of them all …
const WAIT_MAX: u64 = ROUNDS / 4;
/// … and on the average so many pass in a wait.
const MEAN_WAIT_MAX: u64 = 8;
/// Fewer waits beside the flood would prove nothing about the average.
const REPORTS_MIN: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_bad_payloads_and_hostile_connections_disturb_nobody() {
    let door = Door::open().await;
    let addr = door.addr;
    let mut honest = Honest::connected(addr, "acme", "washer").await;
    let rounds = Arc::new(AtomicU64::new(0));
    let flood = tokio::spawn(bad_payloads(addr, Arc::clone(&rounds)));
    let attacks = tokio::spawn(async move {
        loop {
            attack(addr).await;
        }
    });
    let (mut reports, mut beside, mut waited, mut longest) = (0u32, 0u64, 0u64, 0u64);
    while !flood.is_finished() || reports < 50 {
        let before = rounds.load(Ordering::Relaxed);
        honest
            .report(format!(r#"{{"pump_current": {}}}"#, f64::from(reports % 90) / 10.0))
            .await;
        let passed = rounds.load(Ordering::Relaxed) - before;
        longest = longest.max(passed);
        reports += 1;
        if !flood.is_finished() {
            beside += 1;
            waited += passed;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    flood.await.unwrap();
    attacks.abort();
    let waits = format!("{beside} waits beside the flood: {waited} rounds in all, {longest} at most in one");
    println!("{reports} reports, {waits}");
    assert!(beside >= REPORTS_MIN && longest <= WAIT_MAX, "{waits}");
    assert!(waited <= MEAN_WAIT_MAX * beside, "{waits}");
    let stored = door
        .store
        .samples()
        .iter()
        .filter(|(a, _)| *a == ApplianceId(1))
        .count();
    assert_eq!(stored, reports as usize, "acknowledged = stored");
    let bad = |s: &crate::store::Asked| s.quarantined.iter().filter(|q| q.appliance == ApplianceId(4)).count() as u64;
    assert_eq!(door.store.with(bad), BAD_PAYLOADS);
    let counted = door
        .broker
        .counters()
        .quarantined
        .load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counted, BAD_PAYLOADS);
    assert!(door.store.with(|s| s.largest_batch) > 1, "commits are grouped");
    for label in ["foreign_topic", "topic", "web_socket", "oversize", "refused"] {
        assert!(door.closed(label) > 0, "{label}");
    }
    drop(honest);
    eventually("all connections are gone", || {
        door.broker
            .counters()
            .connections
            .load(std::sync::atomic::Ordering::Relaxed)
            == 0
    })
    .await;
}

/// All of them acknowledged: the device has no reason to send them again.
async fn bad_payloads(addr: SocketAddr, rounds: Arc<AtomicU64>) {
    let mut device = Raw::connected(addr, "acme", "bad").await;
    for round in 0..ROUNDS {
        for n in 1..=ROUND as u16 {
            let payload = [(round % 256) as u8, (n % 256) as u8, 0xFF, 0x00];
            device.send(&publish("d/bad/t", n, &payload)).await;
        }
        for n in 1..=ROUND as u16 {
            device.expect_ack(n).await;
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

async fn attack(addr: SocketAddr) {
    let greeting = connect("acme/dryer", "secret-of-dryer", "a/+#$", 60);
    let attacks: [Vec<u8>; 6] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [greeting.clone(), publish("d/washer/t", 1, b"x")].concat(),
        [greeting.clone(), publish("家电/冰箱", 1, b"x")].concat(),
        [greeting.clone(), publish("d/dryer/j", 1, &[b' '; 20_000])].concat(),
        connect("acme/washer", "guess", "x", 60),
        greeting,
    ];
    let mut silent = Vec::new();
    for bytes in attacks {
        silent.push(Raw::open(addr).await);
        let mut raw = Raw::open(addr).await;
        raw.send(&bytes).await;
        silent.push(raw);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// A connection that is accepted just before the stop is told like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_come_while_the_hub_stops_hold_it_up_no_longer() {
    for _ in 0..20 {
        // A stop that waits for one of them does not end.
        let an_hour = Duration::from_secs(3_600);
        let door = Door::open_with(|c| (c.connect_patience, c.drain_patience) = (an_hour, an_hour)).await;
        let addr = door.addr;
        let crowd = tokio::spawn(async move {
            let mut crowd = Vec::new();
            while let Ok(mut client) = tokio::net::TcpStream::connect(addr).await {
                // The beginning of a CONNECT, of which nothing more comes.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut client, &[0x10]).await;
                crowd.push(client);
            }
            crowd
        });
        eventually("the crowd comes", || door.connections() > 10).await;
        let stopped = tokio::time::timeout(PATIENCE, door.broker.stopped()).await;
        stopped.expect("the stop waits for those who have not been let in");
        drop(crowd.await.unwrap());
    }
}
