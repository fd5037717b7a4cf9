//! What a board keeps while it has no power: the hub's settings, and how often it has started for nothing.

use serde_json::json;
use std::path::PathBuf;
use tests_firmware::board::{Board, Image, Plan, Running, Wire};
use tests_firmware::link::{Link, Published};
use tests_firmware::stage::{PATIENCE, Stage};
use tests_hub::eventually;

/// Beyond so many starts without a minute at the hub the image is in safe mode.
const STARTS_MAX: u64 = 5;
/// Version of the settings, which CBOR writes as this byte.
const VERSION: u8 = 7;

/// A device whose flash outlives its power.
struct Keeper<'a> {
    stage: &'a Stage,
    link: Link,
    name: &'a str,
}

impl Keeper<'_> {
    fn start(&self, boot: u64) -> Running {
        let plan = Plan {
            device: self.name,
            port: self.link.port,
            boot,
            more: &[("period_ms", 50), ("batch", 4), ("backoff_cap_ms", 1_000)],
        };
        let folder = self.stage.lab.path();
        let flash: PathBuf = folder.join(format!("{}.flash", self.name));
        Running::start_kept(folder, Board::M4, Image::Agent, Wire::Ethernet, &plan, &flash).unwrap()
    }

    /// What the device has published since there were so many connections.
    fn published_since(&self, connections: usize) -> Vec<Published> {
        let all = self.link.published().into_iter();
        all.filter(|message| message.connection >= connections).collect()
    }
}

/// The message kind `[4, …]`; the pair of clocks goes on the topic of telemetry, too.
fn is_batch(message: &Published) -> bool {
    message.topic.ends_with("/t") && message.payload.starts_with(&[0x88, 4])
}

/// Settings come while the device reports, and are acknowledged. After a power cut it begins with them: its first birth message
/// says so, before the hub could have told them again.
#[tokio::test(flavor = "multi_thread")]
async fn settings_are_acknowledged_and_outlive_the_power() {
    let mut stage = Stage::open(&["settings"]).await.unwrap();
    let keeper = Keeper {
        stage: &stage,
        link: Link::to(stage.lab.mqtt).await.unwrap(),
        name: "settings",
    };
    let board = keeper.start(60);
    stage.until_stored(keeper.name, 8).await;
    let settings = json!({ "reporting": { "version": VERSION, "batch_age_s": 30 } });
    stage.tell(keeper.name, &settings).await.unwrap();
    eventually("settings in force", PATIENCE, async || {
        let told = stage.device_agent(keeper.name).await.ok()?;
        (told["settings"] == VERSION).then_some(())
    })
    .await;
    let said = board.said();
    assert!(said.contains("settings 7, kept: true"), "{said}");
    let before = keeper.link.connections();
    board.cut_power().await.unwrap();

    let board = keeper.start(61);
    let birth = eventually("a birth message", PATIENCE, async || {
        let published = keeper.published_since(before);
        published.into_iter().find(|message| message.topic == "d/settings/s")
    })
    .await;
    // Then two counts of what was dropped.
    assert!(birth.payload.ends_with(&[VERSION, 0, 0]), "{birth:?}");
    let said = board.said();
    assert!(!said.contains("settings 7"), "applied twice: {said}");
    board.cut_power().await.unwrap();
    drop(keeper);
    stage.stop().await.unwrap();
}

/// A board whose power fails soon after each start is taken for one in a loop: it says so, reports nothing, and can still be helped.
#[tokio::test(flavor = "multi_thread")]
async fn a_board_in_a_loop_says_so_and_reports_nothing() {
    let mut stage = Stage::open(&["loop"]).await.unwrap();
    let keeper = Keeper {
        stage: &stage,
        link: Link::to(stage.lab.mqtt).await.unwrap(),
        name: "loop",
    };
    for start in 0..STARTS_MAX {
        let before = keeper.link.connections();
        let board = keeper.start(70 + start);
        let published = eventually("telemetry", PATIENCE, async || {
            let published = keeper.published_since(before);
            published.iter().any(is_batch).then_some(published)
        })
        .await;
        assert!(
            published.iter().all(|message| message.topic != "d/loop/e"),
            "start {start}"
        );
        board.cut_power().await.unwrap();
    }
    let before = keeper.link.connections();
    let board = keeper.start(70 + STARTS_MAX);
    let event = eventually("an event", PATIENCE, async || {
        let published = keeper.published_since(before);
        published.into_iter().find(|message| message.topic == "d/loop/e")
    })
    .await;
    let text = String::from_utf8_lossy(&event.payload).into_owned();
    assert!(text.contains("safe-mode"), "{text}");
    // It obeys, until two batches would have been due.
    let mut taken = 0;
    for request in 1.. {
        let reply = stage
            .command(keeper.name, &request.to_string(), "status")
            .await
            .unwrap();
        assert_eq!(reply["status"], "done", "{reply}");
        taken = reply["result"].as_u64().unwrap();
        if taken > 8 || request > 20 {
            break;
        }
    }
    assert!(taken > 8, "the board measures too seldom: {taken} readings");
    let published = keeper.published_since(before);
    assert!(!published.iter().any(is_batch), "{published:?}");
    board.cut_power().await.unwrap();
    drop(keeper);
    stage.stop().await.unwrap();
}
