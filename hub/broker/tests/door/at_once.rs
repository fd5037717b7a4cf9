//! Devices that come, say something and go, all at the same time: what has to be asked of the store is asked for many of them
//! together.

use crate::client::{Raw, connect_v5};
use crate::ingest::cbor;
use crate::store::{Gate, Mode};
use crate::{Door, eventually};
use agent_sdk_wire::TimeBase;
use hub_core::id::ApplianceId;
use hub_store::telemetry::{Ingest, TelemetryStore};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tests_mqtt::{AN_HOUR, Connect, publish, subscribe};

const DEVICES: usize = 150;
/// Questions of each kind for all of them. A few would do: what is asked first goes alone, the others follow together; and two
/// may come late, in the middle of a look of one of the two threads.
const ASKED_MAX: usize = DEVICES / 10;
const ONE: &[u8] = br#"{"pump_current": 1.5}"#;

/// What the store was asked so far.
#[derive(Debug, Clone, Copy)]
struct Asked {
    log_ins: usize,
    sessions: usize,
    commands: usize,
    commits: usize,
    presence: usize,
}

fn asked(door: &Door) -> Asked {
    door.store.with(|s| Asked {
        log_ins: s.identified.len(),
        sessions: s.sessions_asked.len(),
        commands: s.commands_asked.len(),
        commits: s.ingest_asked,
        presence: s.presence_writes,
    })
}

/// Each kind of question is held until all devices wait for its answer, so the machine's speed plays no part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_come_say_one_thing_and_go_cost_the_store_a_few_questions() {
    let names: Vec<String> = (0..DEVICES).map(|n| format!("d-{n}")).collect();
    let devices: Vec<(&str, &str)> = [("acme", "washer")]
        .into_iter()
        .chain(names.iter().map(|name| ("acme", name.as_str())))
        .collect();
    let door = Door::open_for(&devices, Vec::new(), |c| {
        // However slow the machine is.
        (c.store_patience, c.commit_patience) = (Duration::from_secs(60), Duration::from_secs(60));
    })
    .await;
    let counters = door.broker.counters();
    // Nothing of a process before is in doubt.
    let mut first = Raw::connected(door.addr, "acme", "washer").await;
    first.send(&publish("d/washer/j", 1, ONE)).await;
    first.expect_ack(1).await;
    eventually("it is here", || door.store.with(|s| s.presence.len() == 1)).await;

    let before = asked(&door);
    door.store
        .shut(&[Gate::LogIns, Gate::Sessions, Gate::Commands, Gate::Presence]);
    let read = || counters.bytes_in.load(Ordering::Relaxed);
    let mut all_read = read();
    let mut crowd = Vec::new();
    for name in &names {
        let (user_name, secret) = (format!("acme/{name}"), format!("secret-of-{name}"));
        let connect = Connect {
            clean: false,
            ..Connect::new(&user_name, &secret)
        };
        let connect = connect.bytes();
        all_read += connect.len() as u64;
        let mut raw = Raw::open(door.addr).await;
        raw.send(&connect).await;
        crowd.push(raw);
    }
    eventually("all have asked who they are", || read() == all_read).await;
    door.store.shut(&[Gate::Sessions, Gate::Commands, Gate::Presence]);
    let changes = || counters.session_changes.load(Ordering::Relaxed);
    eventually("all sessions wait to be kept", || changes() == DEVICES as u64).await;
    door.store.shut(&[Gate::Commands, Gate::Presence]);
    for raw in &mut crowd {
        assert_eq!(raw.packet().await, Some((0x20, vec![0, 0])));
    }
    let come = asked(&door);
    assert_eq!(come.commits, before.commits, "nobody waits for a commit to come in");

    door.store.shut(&[Gate::Sessions, Gate::Commands, Gate::Presence]);
    for (raw, name) in crowd.iter_mut().zip(&names) {
        raw.send(&subscribe(1, &[&format!("d/{name}/c/+")])).await;
    }
    eventually("all subscriptions wait to be kept", || changes() == 2 * DEVICES as u64).await;
    door.store.shut(&[Gate::Commands, Gate::Presence]);
    for raw in &mut crowd {
        assert_eq!(raw.packet().await, Some((0x90, vec![0, 1, 1])));
    }
    door.store.shut(&[Gate::Presence]);
    let looked_for = || door.store.with(|s| s.commands_asked.iter().sum::<usize>());
    eventually("commands are looked for", || looked_for() == DEVICES).await;
    let subscribed = asked(&door);

    door.store.set(Mode::Hold);
    for (raw, name) in crowd.iter_mut().zip(&names) {
        raw.send(&publish(&format!("d/{name}/j"), 2, ONE)).await;
    }
    let waiting = || counters.queue_items.load(Ordering::Relaxed);
    eventually("all readings wait for their commit", || waiting() == DEVICES as u64).await;
    door.store.set(Mode::Commit);
    for raw in &mut crowd {
        raw.expect_ack(2).await;
        raw.send(&[0xE0, 0]).await;
        raw.expect_closed("in order").await;
    }
    eventually("all have gone", || door.connections() == 1).await;
    door.store.shut(&[]);
    let gone = || door.store.with(|s| s.presence.iter().filter(|p| !p.1).count());
    eventually("that is told", || gone() == DEVICES).await;
    let left = asked(&door);

    let each = [
        ("log-ins", come.log_ins - before.log_ins),
        ("sessions that begin", come.sessions - before.sessions),
        ("subscriptions", subscribed.sessions - come.sessions),
        ("commands", subscribed.commands - come.commands),
        ("commits", left.commits - subscribed.commits),
        ("presence", left.presence - before.presence),
    ];
    println!("{DEVICES} devices: {each:?}");
    for (what, asked) in each {
        assert!((1..=ASKED_MAX).contains(&asked), "{what} of {DEVICES} devices: {asked}");
    }
    assert_eq!(left.log_ins, come.log_ins, "each is asked about once");
    let stored = (door.store.samples().len(), door.store.sessions().len());
    assert_eq!(stored, (1 + DEVICES, DEVICES));
    assert!(door.store.sessions().iter().all(|kept| kept.subscriptions.len() == 1));
    first.ping().await;
}

#[tokio::test]
async fn a_session_that_the_store_does_not_take_keeps_nobody_else_out() {
    const BAD: ApplianceId = ApplianceId(4);
    let door = Door::open().await;
    let mut first = Raw::connected(door.addr, "globex", "washer").await;
    first.send(&publish("d/washer/j", 1, ONE)).await;
    first.expect_ack(1).await;
    door.store.change(|s| s.deleted = Some(BAD));
    door.store.shut(&[Gate::Sessions]);
    let come = async |device: &str| {
        let (user_name, secret) = (format!("acme/{device}"), format!("secret-of-{device}"));
        let mut raw = Raw::open(door.addr).await;
        raw.send(&connect_v5(&user_name, &secret, AN_HOUR, true)).await;
        raw
    };
    // The first is asked about alone, the others together.
    let washer = come("washer").await;
    eventually("it is asked about", || door.store.with(|s| s.sessions_asked.len() == 1)).await;
    let mut bad = come("bad").await;
    let dryer = come("dryer").await;
    let counters = door.broker.counters();
    let changes = || counters.session_changes.load(Ordering::Relaxed);
    eventually("all wait", || changes() == 3).await;
    door.store.shut(&[]);
    for mut raw in [washer, dryer] {
        let (kind, body) = raw.packet().await.unwrap();
        assert_eq!((kind, body[1]), (0x20, 0), "taken");
    }
    let (kind, body) = bad.packet().await.unwrap();
    assert_eq!((kind, body[1]), (0x20, 0x88), "refused: the server is not available");
    assert_eq!(door.store.with(|s| s.sessions_asked.clone()), [1, 2, 1, 1]);
}

/// Devices whose readings count from their start: the store is asked when that was, and held until all wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_of_devices_that_come_back_cost_the_store_a_few_questions() {
    let names: Vec<String> = (0..DEVICES).map(|n| format!("d-{n}")).collect();
    let devices: Vec<(&str, &str)> = names.iter().map(|name| ("acme", name.as_str())).collect();
    let door = Door::open_for(&devices, Vec::new(), |c| {
        (c.store_patience, c.commit_patience) = (Duration::from_secs(60), Duration::from_secs(60));
    })
    .await;
    // Each has told another time.
    let now = door.now_ms();
    let started = |n: usize| now - 100_000 - 1_000 * n as i64;
    let appliance = |n: usize| ApplianceId(n as i64 + 1);
    let clock = |n| Ingest::Clock {
        appliance: appliance(n),
        boot: 5,
        offset_ms: started(n),
    };
    let clocks: Vec<_> = (0..DEVICES).map(clock).collect();
    door.store.ingest(&clocks).await.unwrap();
    let mut crowd = Vec::new();
    for name in &names {
        crowd.push(Raw::connected(door.addr, "acme", name).await);
    }

    door.store.shut(&[Gate::Clocks]);
    let reading = cbor(TimeBase::Uptime, 5, 0, 40_000, &[(0, &[(1, 1.0)])]);
    for (raw, name) in crowd.iter_mut().zip(&names) {
        raw.send(&publish(&format!("d/{name}/t"), 1, &reading)).await;
    }
    let counters = door.broker.counters();
    let published = || counters.publishes.load(Ordering::Relaxed);
    eventually("all have published", || published() == DEVICES as u64).await;
    door.store.shut(&[]);
    for raw in &mut crowd {
        raw.expect_ack(1).await;
    }
    let asked = door.store.with(|s| s.clocks_asked.clone());
    println!("{DEVICES} devices: {asked:?}");
    assert_eq!(asked.iter().sum::<usize>(), DEVICES, "each is asked for once");
    assert!(asked.len() <= ASKED_MAX, "{} questions", asked.len());
    let samples = door.store.samples();
    let times = samples.iter().map(|(of, sample)| (*of, sample.at.as_millisecond()));
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let own: Vec<_> = (0..DEVICES).map(|n| (appliance(n), started(n) + 40_000)).collect();
    assert_eq!(times, own, "each has its own answer");
}

#[tokio::test]
async fn a_session_that_the_store_lost_on_its_way_is_told_again() {
    let door = Door::open().await;
    door.store.change(|s| s.sessions_lost = 1);
    let mut washer = Raw::open(door.addr).await;
    washer
        .send(&connect_v5("acme/washer", "secret-of-washer", AN_HOUR, true))
        .await;
    let (kind, body) = washer.packet().await.unwrap();
    assert_eq!((kind, body[1]), (0x20, 0), "taken");
    let (asked, kept) = (
        door.store.with(|s| s.sessions_asked.clone()),
        door.store.sessions().len(),
    );
    assert_eq!((asked, kept), (vec![1, 1], 1));
}
