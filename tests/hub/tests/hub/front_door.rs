//! At the front door: whatever a device does wrong is refused or quarantined with a reason that a person can read, and
//! neither an honest device beside it nor another tenant notices.

mod door;

use door::{Door, Honest};
use hub_store_postgres::{Cluster, ClusterOptions};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row;
use std::collections::BTreeMap;
use tests_hub::console::Console;
use tests_hub::fleet::recent;
use tests_hub::hub::Lab;
use tests_hub::payloads;
use tests_hub::site::{SECRET, TestSite, daytime_zone};
use tests_mqtt::{Client, Connect, publish};

const BAD_PAYLOADS: usize = 10_000;
/// Of every device of the second tenant.
const GLOBEX_SECRET: &str = "another-secret-for-globex";
const GLOBEX_SECRET_SHA256: &str = "9184fea44a99c9949ce76aa8edc67f887ebff7858d863aab169d556a77fd9365";
/// A connection is closed after this long without a complete CONNECT.
const CONNECT_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Two tenants with devices of the same names.
fn site() -> String {
    let names = [
        "honest",
        "twin",
        "foreign",
        "multibyte",
        "oversize",
        "garbage",
        "mute",
        "bad",
        "clock",
        "repeat",
    ];
    let devices = names.map(|n| (n.to_owned(), "washing-machine".to_owned(), None));
    let acme = TestSite {
        trunk: None,
        password: None,
        devices: devices.to_vec(),
        consent: false,
        zone: daytime_zone(12),
    };
    let mut text = acme.toml();
    text.push_str("[[tenant]]\nid = 'globex'\nbrand = { zh-CN = '环球', en = 'Globex' }\nvisit_price = { currency = 'CNY', amount = 90 }\n");
    for name in ["honest", "twin"] {
        text.push_str(&format!(
            "[[tenant.device]]\nid = '{name}'\nprofile = 'washing-machine'\nsecret_sha256 = '{GLOBEX_SECRET_SHA256}'\n"
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_so_and_disturbs_nobody() {
    let lab = Lab::new().unwrap();
    lab.apply(&site()).await.unwrap();
    let hub = lab.serve().await.unwrap();
    let console = Console::log_in(lab.http, "admin", &lab.password()).await.unwrap();
    let honest = [
        Honest::start(&lab, "acme", SECRET),
        Honest::start(&lab, "globex", GLOBEX_SECRET),
    ];
    let door = Door { lab, console, honest };
    door.others_are_heard("the start").await;

    let silent = tokio::spawn(says_nothing(door.lab.mqtt));
    twins_do_not_meet(&door).await;
    rule_breakers_are_cut(&door).await;
    bad_payloads_are_kept(&door).await;
    wrong_clocks_are_kept(&door).await;
    repeats_are_stored_once(&door).await;
    silent.await.unwrap();

    let Door { lab, console, honest } = door;
    let [acme, globex] = honest;
    let acknowledged = [acme.stop().await, globex.stop().await];
    assert_eq!(console.all("/api/v1/tickets").await.unwrap(), Vec::<Value>::new());
    hub.stop().await.unwrap();
    let log = std::fs::read_to_string(lab.path().join("hub.log")).unwrap();
    assert!(log.contains("no complete CONNECT within the allowed time"), "{log}");
    println!("samples of the honest devices: {acknowledged:?}");
    println!("reasons in quarantine: {:#?}", the_store_says(&lab, acknowledged).await);
}

/// The same device name and the same client id in two tenants, and it is the client id of a third device.
async fn twins_do_not_meet(door: &Door) {
    let client_id = "globex-honest";
    let mut acme = door.log_in("acme/twin", SECRET, client_id, 60).await;
    let mut globex = door.log_in("globex/twin", GLOBEX_SECRET, client_id, 60).await;
    let one: [(&str, &[u8]); 1] = [("d/twin/j", br#"{"phase": 1}"#)];
    let two: [(&str, &[u8]); 1] = [("d/twin/j", br#"[{"phase": 1}, {"phase": 2}]"#)];
    acme.publish_all(&one, 1).await.unwrap();
    globex.publish_all(&two, 1).await.unwrap();
    acme.ping().await.unwrap();
    globex.ping().await.unwrap();
    door.counts_are("acme", "twin", (1, 0)).await;
    door.counts_are("globex", "twin", (2, 0)).await;

    let stranger = Connect {
        client_id,
        ..Connect::new("globex/twin", SECRET)
    };
    let refused = Client::connected(door.lab.mqtt, &stranger).await.err().unwrap();
    assert!(refused.to_string().contains("[0, 5]"), "not authorised: {refused}");
    globex.ping().await.unwrap();
    door.others_are_heard("twins").await;
}

/// What closes the connection at once.
async fn rule_breakers_are_cut(door: &Door) {
    let told: &[u8] = br#"{"phase": 1}"#;
    let big = vec![b' '; 17 * 1024];
    let wrongs = [
        (
            "foreign",
            publish("d/honest/j", 1, told),
            r#"publish on "d/honest/j" refused: topic belongs to another device"#,
        ),
        (
            "multibyte",
            publish("家电/冰箱", 1, told),
            r#"publish on "家电/冰箱" refused: topic level"#,
        ),
        (
            "oversize",
            publish("d/oversize/j", 1, &big),
            "bytes is longer than allowed",
        ),
        ("garbage", b"\xF7\xFF\xFF\xFF\xFF\xFF".to_vec(), "malformed packet"),
    ];
    for (name, bytes, reason) in wrongs {
        let mut device = door.device(name).await;
        device.send(&bytes).await;
        door.is_cut(device, name, reason).await;
        door.counts_are("acme", name, (0, 0)).await;
    }
    for seed in 0..40u32 {
        let mut device = match seed % 2 {
            0 => Client::open(door.lab.mqtt).await.unwrap(),
            _ => door.device("garbage").await,
        };
        let noise: Vec<u8> = (0..400u32).map(|i| (i * 31 + seed * 97 + i * i * 7) as u8).collect();
        device.send(&noise).await;
        device.say_no_more().await;
        device.closed().await.unwrap();
    }
    let mute = door.log_in("acme/mute", SECRET, "mute", 1).await;
    door.is_cut(mute, "mute", "no sign of life within the keepalive").await;
}

/// A connection on which nothing is ever said.
async fn says_nothing(hub: std::net::SocketAddr) {
    let begun = std::time::Instant::now();
    let mut silent = Client::open(hub).await.unwrap();
    silent.closed().await.unwrap();
    assert!(begun.elapsed() >= CONNECT_PATIENCE, "{:?}", begun.elapsed());
}

/// Each is acknowledged, since sending it again would not help, and kept for a person to look at.
async fn bad_payloads_are_kept(door: &Door) {
    let now = recent().as_millisecond();
    let payloads: Vec<_> = (0..BAD_PAYLOADS)
        .map(|n| match n % 2 {
            0 => ("d/bad/t", payloads::cbor(n / 2, now)),
            _ => ("d/bad/j", payloads::json(n / 2)),
        })
        .collect();
    let mut device = door.device("bad").await;
    let messages: Vec<_> = payloads.iter().map(|(topic, payload)| (*topic, &payload[..])).collect();
    let (sent, ()) = tokio::join!(device.publish_all(&messages, 64), door.others_are_heard("bad payloads"));
    sent.unwrap();
    device.ping().await.unwrap();
    door.counts_are("acme", "bad", (0, BAD_PAYLOADS as i64)).await;
    door.others_are_heard("after bad payloads").await;
}

async fn wrong_clocks_are_kept(door: &Door) {
    let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
    let early = payloads::message(1, 0, at("1996-01-01T00:00:00Z"), 3);
    let late = payloads::message(1, 3, at("2056-01-01T00:00:00Z"), 3);
    let right = payloads::message(1, 6, recent().as_millisecond() - 60_000, 3);
    let mut device = door.device("clock").await;
    let messages = [&early, &late, &right].map(|m| ("d/clock/t", &m[..]));
    device.publish_all(&messages, 1).await.unwrap();
    // Once its clock is right, it is heard.
    door.counts_are("acme", "clock", (3, 2)).await;
}

async fn repeats_are_stored_once(door: &Door) {
    let t0_ms = recent().as_millisecond() - 60_000;
    let whole = payloads::message(1, 0, t0_ms, 10);
    let overlapping = payloads::message(1, 5, t0_ms + 5_000, 10);
    let mut device = door.device("repeat").await;
    let messages = [&whole, &whole, &overlapping, &whole, &overlapping].map(|m| ("d/repeat/t", &m[..]));
    device.publish_all(&messages, 5).await.unwrap();
    // And again as after a lost connection.
    let mut again = door.device("repeat").await;
    again.publish_all(&[("d/repeat/t", &whole[..])], 1).await.unwrap();
    door.counts_are("acme", "repeat", (15, 0)).await;
    door.others_are_heard("repeats").await;
}

/// Looks into the database of the stopped hub; how often which reason stands in quarantine.
async fn the_store_says(lab: &Lab, acknowledged: [u64; 2]) -> BTreeMap<String, usize> {
    let cluster = Cluster::start(&lab.state(), ClusterOptions::default()).await.unwrap();
    let pool = sqlx::PgPool::connect_with(cluster.connect_options()).await.unwrap();
    for (tenant, acknowledged) in ["acme", "globex"].into_iter().zip(acknowledged) {
        let row = sqlx::query(
            "select count(*), count(distinct (boot, lane, seq)) from telemetry t join appliance a on a.id = t.appliance \
             where a.tenant = $1 and a.device = 'honest'",
        )
        .bind(tenant)
        .fetch_one(&pool)
        .await
        .unwrap();
        let (rows, distinct): (i64, i64) = (row.get(0), row.get(1));
        assert!(acknowledged > 0);
        assert_eq!((rows, distinct), (acknowledged as i64, acknowledged as i64), "{tenant}");
    }
    let kept = sqlx::query(
        "select q.tenant, a.device, q.topic, q.reason from quarantine q join appliance a on a.id = q.appliance",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(kept.len(), BAD_PAYLOADS + 2);
    let mut reasons = BTreeMap::<String, usize>::new();
    for row in &kept {
        let (tenant, device, reason): (String, String, String) = (row.get(0), row.get(1), row.get(3));
        assert_eq!(tenant, "acme");
        let readable = reason.len() > 10 && reason.contains(' ') && !reason.chars().any(char::is_control);
        assert!(readable, "{reason:?}");
        if device == "clock" {
            assert!(reason.starts_with("device clock is off: the sample says "), "{reason}");
        }
        // Without the numbers in it: where in the payload, which time.
        let kind = reason.replace(|c: char| c.is_ascii_digit(), "");
        *reasons.entry(format!("{device}: {kind}")).or_default() += 1;
    }
    for wanted in [
        "is not an object",
        "samples: ",
        "neither a number",
        "not JSON: line",
        "whole milliseconds",
        "followed by more bytes",
        "missing, cut off",
        "outside its range",
    ] {
        assert!(
            reasons.keys().any(|r| r.contains(wanted)),
            "no reason says {wanted:?}: {reasons:#?}"
        );
    }
    pool.close().await;
    cluster.stop().await.unwrap();
    reasons
}
