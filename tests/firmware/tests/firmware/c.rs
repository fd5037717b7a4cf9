//! The device agent in C, behind a modem.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tests_firmware::board::{Board, Image, Plan, Running, Wire};
use tests_firmware::link::Link;
use tests_firmware::modem::Modem;
use tests_firmware::stage::{PATIENCE, Pump, Stage};
use tests_hub::soak::{Stored, audit};
use tokio::time::sleep;

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
    stage.until_online_is(pump.device, false).await;
    stage.stop().await.unwrap();
    let stored = audit(&stage.lab).await.unwrap();
    let expected = Stored {
        rows: COUNT,
        distinct: COUNT,
    };
    assert_eq!(stored, expected, "stored, and stored twice");
}
