//! The device agent in C, behind a modem.

use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tests_firmware::board::{Board, C_STACK_MAX, Image, Plan, Running, Wire, stack_bytes};
use tests_firmware::link::Link;
use tests_firmware::modem::Modem;
use tests_firmware::stage::{PATIENCE, Pump, Stage};
use tests_hub::eventually;
use tests_hub::soak::{Stored, audit};
use tokio::time::sleep;

/// The message kind `[3, …]`, an event.
const EVENT: [u8; 2] = [0x88, 3];

/// Readings of some time without a network come first; then the link is cut, and the hub killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_c_program_loses_and_doubles_nothing_when_the_hub_is_killed() {
    const PAST: u64 = 100;
    const COUNT: u64 = 400;
    const PERIOD_MS: u64 = 25;
    let mut stage = Stage::open(&["in-c"]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    let modem = Modem::to(SocketAddr::from((Ipv4Addr::LOCALHOST, link.port)))
        .await
        .unwrap();
    let pump = Pump {
        device: "in-c",
        unit: 12,
        worn_from: 300,
    };
    let plan = Plan {
        device: pump.device,
        port: link.port,
        boot: pump.unit,
        more: &[
            ("past", PAST),
            ("count", COUNT),
            ("period_ms", PERIOD_MS),
            ("worn_from", pump.worn_from),
            ("backoff_cap_ms", 1_000),
        ],
    };
    let board = Running::start(stage.lab.path(), Board::M4, Image::C, Wire::Serial(modem.port), &plan).unwrap();
    stage.until_stored(pump.device, PAST + 20).await;
    link.lose_answers();
    sleep(Duration::from_millis(300)).await;
    link.cut();
    sleep(Duration::from_millis(300)).await;
    link.mend();
    stage.until_stored(pump.device, PAST + 80).await;
    stage.kill().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    stage.restart().await.unwrap();
    stage.until_stored(pump.device, COUNT).await;
    let taken_ms = |number: u64| {
        let ms = number.min(PAST) * 1_000 + number.saturating_sub(PAST) * PERIOD_MS;
        i64::try_from(ms).unwrap()
    };
    stage.readings_are(&pump, COUNT, taken_ms).await.unwrap();

    let reply = stage.command(pump.device, "1", "stop").await.unwrap();
    assert_eq!(reply["status"], "done", "{reply}");
    let said = board.ended(PATIENCE).await.unwrap();
    assert!(said.contains("stopped"), "{said}");
    let stack = stack_bytes("c", &said).unwrap();
    assert!(stack > 0 && stack <= C_STACK_MAX, "{stack} bytes of stack");
    println!("stack of the C image: {stack} bytes, at most {C_STACK_MAX}");
    stage.until_online_is(pump.device, false).await;
    stage.stop().await.unwrap();
    let stored = audit(&stage.lab).await.unwrap();
    let expected = Stored {
        rows: COUNT,
        distinct: COUNT,
    };
    assert_eq!(stored, expected, "stored, and stored twice");
}

/// It raises an event, obeys what is on its list and nothing else, crashes, starts again, and says first where it crashed. When its
/// power fails it is shown as away.
#[tokio::test(flavor = "multi_thread")]
async fn a_c_program_raises_an_event_obeys_and_says_where_it_crashed() {
    const DEVICE: &str = "in-c-too";
    let mut stage = Stage::open(&[DEVICE]).await.unwrap();
    let link = Link::to(stage.lab.mqtt).await.unwrap();
    let modem = Modem::to(SocketAddr::from((Ipv4Addr::LOCALHOST, link.port)))
        .await
        .unwrap();
    let plan = Plan {
        device: DEVICE,
        port: link.port,
        boot: 60,
        more: &[("period_ms", 50), ("event_at", 30), ("backoff_cap_ms", 1_000)],
    };
    let board = Running::start(stage.lab.path(), Board::M3, Image::C, Wire::Serial(modem.port), &plan).unwrap();
    stage.until_stored(DEVICE, 40).await;
    let raised = |text: &str| {
        let all = link.published().into_iter();
        let mut events = all.filter(|message| message.topic.ends_with("/e") && message.payload.starts_with(&EVENT));
        events.any(|event| String::from_utf8_lossy(&event.payload).contains(text))
    };
    assert!(raised("E18"), "no event was raised");
    let reply = stage.command(DEVICE, "1", "status").await.unwrap();
    assert_eq!(reply["status"], "done", "{reply}");
    let reply = stage.command(DEVICE, "2", "open_door").await.unwrap();
    assert_eq!(reply, json!({ "status": "refused", "reason": "not allowed" }));

    let before = link.connections();
    let reply = stage.command(DEVICE, "3", "fault").await.unwrap();
    assert_eq!(reply["status"], "done", "{reply}");
    let told = eventually("the board is back", PATIENCE, async || {
        let mut all = link.published().into_iter();
        // Neither is what it asks the hub.
        all.find(|message| {
            message.connection >= before && (message.topic.ends_with("/e") || message.topic.ends_with("/t"))
        })
    })
    .await;
    assert!(
        told.topic.ends_with("/e") && told.payload.starts_with(&EVENT),
        "{told:?}"
    );
    let text = String::from_utf8_lossy(&told.payload).into_owned();
    assert!(text.contains("hard_fault") && text.contains("pc=0x"), "{text}");
    stage.until_online_is(DEVICE, true).await;
    board.cut_power().await.unwrap();
    stage.until_online_is(DEVICE, false).await;
    stage.stop().await.unwrap();
}
