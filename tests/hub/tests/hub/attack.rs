//! A hub under attack by its own devices and by strangers: it lives, an honest device beside them is served within a
//! bounded time, and nothing acknowledged is lost.

mod outage;
mod probe;
mod sequence;
mod sessions;

use probe::Probe;
use serde_json::Value;
use std::time::Duration;
use tests_hub::console::Console;
use tests_hub::eventually;
use tests_hub::fleet::log_in;
use tests_hub::hub::{Lab, RunningHub};
use tests_hub::site::{SECRET, TestSite, daytime_zone};
use tests_mqtt::{Client, Connect, frame, publish, subscribe};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What the hub has stored and shows, in time.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that dribble a CONNECT.
const LORISES: usize = 300;
const SUBSCRIPTIONS: usize = 10_000;
/// Connections of one device, as fast as they come.
const STORM: usize = 400;
const WILLS: usize = 300;

fn site(devices: &[&str]) -> TestSite {
    let devices = devices
        .iter()
        .map(|n| ((*n).to_owned(), "washing-machine".to_owned(), None));
    TestSite {
        trunk: None,
        password: None,
        devices: devices.collect(),
        consent: false,
        zone: daytime_zone(12),
    }
}

/// A hub with an honest device.
pub struct Siege {
    pub lab: Lab,
    pub hub: RunningHub,
    pub console: Console,
    pub honest: Probe,
}

impl Siege {
    pub async fn begin(devices: &[&str]) -> Self {
        let lab = Lab::new().unwrap();
        lab.apply(&site(&[devices, &["honest"]].concat()).toml()).await.unwrap();
        let hub = lab.serve().await.unwrap();
        let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
        let honest = Probe::start(&lab, "honest").await;
        honest.is_served("the start").await;
        Self {
            lab,
            hub,
            console,
            honest,
        }
    }

    pub async fn appliance(&self, device: &str) -> Value {
        let appliances = self.console.all("/api/v1/appliances").await.unwrap();
        appliances.iter().find(|a| a["device"] == device).unwrap().clone()
    }

    /// Waits until the hub shows that so many samples of the device are stored, and says how many if they are others.
    pub async fn stored(&self, device: &str, samples: i64) {
        let what = format!("{samples} samples of {device}");
        eventually(&what, PATIENCE, async || {
            let shown = self.appliance(device).await["samples"].as_i64().unwrap();
            assert!(
                shown <= samples,
                "{device}: {shown} samples are stored, {samples} were sent once"
            );
            (shown == samples).then_some(())
        })
        .await;
    }

    pub async fn device(&self, name: &str) -> Client {
        log_in(self.lab.mqtt, name).await.unwrap()
    }

    /// All that the honest device was told is stored, and nobody had to look.
    pub async fn end(self) {
        let Self {
            lab: _lab,
            hub,
            console,
            honest,
        } = self;
        let acknowledged = honest.stop().await;
        eventually("the honest device's readings are counted", PATIENCE, async || {
            let appliances = console.all("/api/v1/appliances").await.unwrap();
            let shown = appliances.iter().find(|a| a["device"] == "honest").unwrap()["samples"].clone();
            (shown == acknowledged).then_some(())
        })
        .await;
        hub.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_under_attack_serves_the_honest() {
    let siege = Siege::begin(&["twice", "greedy", "storm", "mourner", "curious"]).await;
    connects_that_dribble(&siege).await;
    client_ids_of_every_kind(&siege).await;
    ten_thousand_subscriptions(&siege).await;
    what_a_device_may_not_hear_or_say(&siege).await;
    a_storm_of_one_device(&siege).await;
    a_flood_of_wills(&siege).await;
    siege.end().await;
}

/// One byte a second, each on a connection of its own: cut when its time is over, whatever it dribbles.
async fn connects_that_dribble(siege: &Siege) {
    let whole = Connect::new("acme/greedy", SECRET).bytes();
    let mut lorises = JoinSet::new();
    for _ in 0..LORISES {
        let (hub, whole) = (siege.lab.mqtt, whole.clone());
        lorises.spawn(async move {
            let mut stream = TcpStream::connect(hub).await.unwrap();
            for byte in whole {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            panic!("a CONNECT may take a byte a second");
        });
    }
    siege.honest.is_served("CONNECTs that dribble").await;
    while let Some(loris) = lorises.join_next().await {
        loris.unwrap();
    }
    siege.honest.is_served("after CONNECTs that dribbled").await;
}

/// Characters that are wildcards and separators in topics, twice; and 64 kB of them.
async fn client_ids_of_every_kind(siege: &Siege) {
    for client_id in ["acme/twice", "+/#", "$share/g/x", "家电", ""] {
        for _ in 0..3 {
            let who = Connect {
                client_id,
                ..Connect::new("acme/twice", SECRET)
            };
            let mut device = Client::connected(siege.lab.mqtt, &who).await.unwrap();
            device.ping().await.unwrap();
        }
    }
    let long = "x".repeat(65_535);
    let greedy = Connect {
        client_id: &long,
        ..Connect::new("acme/greedy", SECRET)
    };
    let mut device = Client::open(siege.lab.mqtt).await.unwrap();
    device.send(&greedy.bytes()).await;
    assert_eq!(
        device.packet().await.unwrap(),
        None,
        "a client identifier of 64 kB is not read"
    );
    siege.honest.is_served("client identifiers").await;
}

async fn ten_thousand_subscriptions(siege: &Siege) {
    let mut device = siege.device("greedy").await;
    let mut answered = 0;
    for n in 0..SUBSCRIPTIONS {
        let packet_id = (n % 65_535 + 1) as u16;
        let own = ["d/greedy/c/+", "d/greedy/f/+"];
        let foreign = format!("d/greedy/x{n}/+");
        device.send(&subscribe(packet_id, &[own[n % 2], &foreign])).await;
        // Subscriptions draw on the device's allowance like publishes: who uses it up is cut.
        let Some((first, body)) = device.packet().await.unwrap() else {
            break;
        };
        assert_eq!((first, &body[2..]), (0x90, &[1, 0x80][..]), "{n}");
        answered += 1;
    }
    assert!(answered > 1_000, "cut after {answered} subscriptions");
    // And in one packet, as far as a packet reaches.
    let filters: Vec<String> = (0..SUBSCRIPTIONS).map(|n| format!("d/greedy/x{n}/+")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let mut device = siege.device("greedy").await;
    device.send(&subscribe(1, &filters)).await;
    device.closed().await.unwrap();
    siege.honest.is_served("10,000 subscriptions").await;
}

async fn what_a_device_may_not_hear_or_say(siege: &Siege) {
    let mut device = siege.device("curious").await;
    let filters = [
        "#",
        "+/+/+",
        "d/+/t",
        "d/honest/c/+",
        "d/curious/#",
        "d/curious/+",
        "$share/g/d/curious/c/+",
        "$SYS/#",
        "acme/d/curious/c/+",
        "globex/d/curious/c/+",
    ];
    device.send(&subscribe(1, &filters)).await;
    let (first, body) = device.packet().await.unwrap().unwrap();
    assert_eq!((first, &body[2..]), (0x90, &[0x80; 10][..]));
    device.ping().await.unwrap();
    let topics = [
        "d/honest/t",
        "d/+/t",
        "d/curious/#",
        "$share/g/t",
        "$SYS/broker",
        "globex/d/curious/t",
        "/d/curious/t",
        "d/curious/c/1",
        "",
    ];
    for topic in topics {
        let mut device = siege.device("curious").await;
        device.send(&publish(topic, 1, b"{\"phase\": 1}")).await;
        assert_eq!(device.packet().await.unwrap(), None, "{topic:?}");
    }
    siege.stored("curious", 0).await;
    siege.honest.is_served("forbidden topics").await;
}

/// The newest connection wins, and the device can come in again afterwards.
async fn a_storm_of_one_device(siege: &Siege) {
    let mut storm = JoinSet::new();
    for n in 0..STORM {
        let hub = siege.lab.mqtt;
        storm.spawn(async move {
            let who = Connect {
                clean: n % 2 == 0,
                ..Connect::new("acme/storm", SECRET)
            };
            let mut device = Client::open(hub).await.unwrap();
            device.send(&who.bytes()).await;
            // Taken, or told to come later; and cut when the next one comes.
            let answer = device.packet().await.unwrap();
            if let Some((first, body)) = answer {
                assert!(first == 0x20 && [0, 3].contains(&body[1]), "{first} {body:?}");
            }
        });
    }
    while let Some(one) = storm.join_next().await {
        one.unwrap();
    }
    siege.honest.is_served("a storm of one device").await;
    let again = eventually("the device comes in after its storm", PATIENCE, async || {
        log_in(siege.lab.mqtt, "storm").await.ok()
    });
    again.await.ping().await.unwrap();
}

/// Wills for topics of its own are kept, one for another's topic is refused; nobody hears a flood.
async fn a_flood_of_wills(siege: &Siege) {
    let foreign = Connect {
        will: Some(("d/honest/s", b"gone")),
        ..Connect::new("acme/mourner", SECRET)
    };
    let mut device = Client::open(siege.lab.mqtt).await.unwrap();
    device.send(&foreign.bytes()).await;
    assert_eq!(device.packet().await.unwrap(), Some((0x20, vec![0, 5])));
    for n in 0..WILLS {
        let payload = n.to_string();
        let own = Connect {
            will: Some(("d/mourner/s", payload.as_bytes())),
            ..foreign
        };
        let mut device = Client::open(siege.lab.mqtt).await.unwrap();
        device.send(&own.bytes()).await;
        let answer = device.packet().await.unwrap();
        if answer.is_some_and(|(_, body)| body[1] == 3) {
            // Too fast for one device: told to come later.
            break;
        }
        // The end without DISCONNECT.
    }
    siege.honest.is_served("a flood of wills").await;
    let mut garbage = siege.device("greedy").await;
    garbage.send(&frame(0xF7, b"?")).await;
    garbage.closed().await.unwrap();
}
