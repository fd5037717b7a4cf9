//! minimq on the same board: the hub serves a client of MQTT 5 at QoS 2 that nobody here wrote as it serves the device agent.

use serde_json::json;
use std::time::Duration;
use tests_firmware::board::{Board, Image, Plan, Running, Wire};
use tests_firmware::stage::Stage;
use tests_hub::soak::{Stored, audit};
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread")]
async fn minimq_loses_and_doubles_nothing_when_the_hub_is_killed() {
    const COUNT: u64 = 200;
    let mut stage = Stage::open(&["foreign"]).await.unwrap();
    let plan = Plan {
        device: "foreign",
        port: stage.lab.mqtt.port(),
        boot: 3,
        more: &[("count", COUNT), ("period_ms", 20)],
    };
    let mut board = Running::start(stage.lab.path(), Board::M3, Image::Foreign, Wire::Ethernet, &plan).unwrap();
    stage.until_stored("foreign", 20).await;
    stage.until_online_is("foreign", true).await;
    stage.kill().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    stage.restart().await.unwrap();
    stage.until_stored("foreign", COUNT).await;
    board.is_alive().unwrap();

    let reply = stage.command("foreign", "1", "anything").await.unwrap();
    assert_eq!(reply, json!({ "status": "done" }));
    board.cut_power().await.unwrap();
    stage.until_online_is("foreign", false).await;
    stage.stop().await.unwrap();
    let stored = audit(&stage.lab).await.unwrap();
    let expected = Stored {
        rows: COUNT,
        distinct: COUNT,
    };
    assert_eq!(stored, expected, "stored, and stored twice");
}
