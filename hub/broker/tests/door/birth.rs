//! A device that runs our agent: who it says that it is, commands in CBOR, its replies, and its settings.

use crate::client::{Raw, connect};
use crate::{Door, eventually};
use agent_sdk_wire::{GONE, Outcome, Reply, ResetReason, Status, decode_command, encode_reply, encode_status};
use hub_core::id::ApplianceId;
use hub_store::birth::Birth;
use serde_json::{Value, json};
use tests_mqtt::{Connect, frame, publish, subscribe, text};

const WASHER: ApplianceId = ApplianceId(1);
const STATUS: Status<'_> = Status {
    boot_id: 7,
    model: "WM7",
    firmware: "1.4.2",
    sdk: "0.1.0",
    reset: ResetReason::Watchdog,
    takes_cbor_commands: true,
    settings: 3,
    dropped_events: 1,
    dropped_telemetry: 250,
};
const SPIN: &str = r#"{"method":"spin","params":{"rpm":1200}}"#;

/// A state to be retained.
fn state(packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let body = [&text("d/washer/s")[..], &packet_id.to_be_bytes(), payload].concat();
    frame(0x33, &body)
}

fn status(status: &Status<'_>) -> Vec<u8> {
    encode_status(&mut [0; 256], status).unwrap().to_vec()
}

impl Door {
    fn birth(&self) -> Option<Birth> {
        self.store.birth(WASHER)
    }

    /// Its device, with its commands subscribed to.
    async fn washer(&self) -> Raw {
        let mut device = Raw::connected(self.addr, "acme", "washer").await;
        device.send(&subscribe(1, &["d/washer/c/+"])).await;
        assert_eq!(device.packet().await, Some((0x90, vec![0, 1, 1])));
        device
    }
}

#[tokio::test]
async fn a_birth_message_is_read_and_its_will_leaves_it() {
    let door = Door::open().await;
    let mut device = Raw::open(door.addr).await;
    let who = Connect {
        will: Some(("d/washer/s", GONE)),
        ..Connect::new("acme/washer", "secret-of-washer")
    };
    device.send(&who.bytes()).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    device.send(&state(1, &status(&STATUS))).await;
    device.expect_ack(1).await;
    let birth = door.birth().unwrap();
    assert_eq!(
        (
            birth.boot,
            birth.model.as_str(),
            birth.firmware.as_str(),
            birth.sdk.as_str()
        ),
        (7, "WM7", "1.4.2", "0.1.0")
    );
    assert_eq!(birth.reset, hub_store::birth::ResetReason::Watchdog);
    assert_eq!(
        (
            birth.takes_cbor,
            birth.settings,
            birth.dropped_events,
            birth.dropped_telemetry
        ),
        (true, 3, 1, 250)
    );
    drop(device);
    let is_gone = || door.store.state(WASHER).is_some_and(|state| state == GONE);
    eventually("the will is stored", is_gone).await;
    assert_eq!(door.birth(), Some(birth), "it is still known what it was");
}

#[tokio::test]
async fn a_state_of_another_kind_is_kept_as_it_came_and_is_nobodys_birth() {
    let door = Door::open().await;
    let mut device = Raw::connected(door.addr, "acme", "washer").await;
    let whole = status(&STATUS);
    let longer = [&whole[..], &[0]].concat();
    let others: [&[u8]; 5] = [b"on", &whole[..whole.len() - 1], &longer, &[0x8A, 5, 0xFF], b""];
    for (n, other) in others.into_iter().enumerate() {
        let packet_id = 2 * n as u16 + 1;
        device.send(&state(packet_id, &whole)).await;
        device.expect_ack(packet_id).await;
        assert!(door.birth().is_some());
        device.send(&state(packet_id + 1, other)).await;
        device.expect_ack(packet_id + 1).await;
        assert_eq!(door.birth(), None, "{other:02X?}");
        let said = door.store.with(|s| s.said.last().cloned()).unwrap();
        assert_eq!(said, (WASHER, other.to_vec()));
    }
    assert!(
        door.store.with(|s| s.quarantined.is_empty()),
        "that is no fault of a device"
    );
}

#[tokio::test]
async fn who_takes_cbor_gets_commands_in_it_and_is_answered_for_in_json() {
    let door = Door::open().await;
    let mut device = door.washer().await;
    door.command_of("first", SPIN, 5).await;
    let (_, topic, payload) = device.receive().await;
    assert_eq!(
        (topic.as_str(), &payload[..]),
        ("d/washer/c/first", SPIN.as_bytes()),
        "nothing is known of it"
    );
    device
        .send(&publish("d/washer/r/first", 2, br#"{"status":"done"}"#))
        .await;
    device.expect_ack(2).await;

    device.send(&state(3, &status(&STATUS))).await;
    device.expect_ack(3).await;
    door.command_of("second", SPIN, 5).await;
    let (_, topic, payload) = device.receive().await;
    assert_eq!(topic, "d/washer/c/second");
    let command = decode_command(&payload).unwrap();
    let expires = u64::try_from(door.now_ms() + 300_000).unwrap();
    assert_eq!(
        (command.deadline_ms, command.method, command.args),
        (Some(expires), &b"spin"[..], &b"\xA1\x63rpm\x19\x04\xB0"[..])
    );
    let mut buffer = [0; 64];
    let detail = [0xA1, 0x63, b'r', b'p', b'm', 0x19, 0x04, 0xB0];
    let outcome = Outcome::Done;
    let reply = encode_reply(
        &mut buffer,
        &Reply {
            outcome,
            detail: &detail,
        },
    )
    .unwrap();
    device.send(&publish("d/washer/r/second", 4, reply)).await;
    device.expect_ack(4).await;

    // What is no command of the agent goes as it is, and what is no reply of it is kept as it came.
    door.command_of("third", r#"{"do":"it"}"#, 5).await;
    assert_eq!(device.receive().await.2, br#"{"do":"it"}"#);
    device
        .send(&publish("d/washer/r/third", 5, &reply[..reply.len() - 1]))
        .await;
    device.expect_ack(5).await;
    let replies = door.store.with(|s| s.replies.clone());
    let json = |at: usize| serde_json::from_slice::<Value>(&replies[at].2).unwrap();
    assert_eq!(json(1), json!({"status": "done", "result": {"rpm": 1200}}));
    assert_eq!(replies[2].2, reply[..reply.len() - 1].to_vec());
}

#[tokio::test]
async fn a_device_is_known_again_before_it_says_who_it_is() {
    let door = Door::open().await;
    let mut device = door.washer().await;
    device.send(&state(2, &status(&STATUS))).await;
    device.expect_ack(2).await;
    drop(device);
    door.command_of("waits", SPIN, 5).await;
    let mut device = door.washer().await;
    assert!(decode_command(&device.receive().await.2).is_ok());
    // Older firmware, which reads JSON only: what it has not answered comes so.
    let json_only = Status {
        takes_cbor_commands: false,
        ..STATUS
    };
    device.send(&state(3, &status(&json_only))).await;
    device.expect_ack(3).await;
    drop(device);
    let mut device = door.washer().await;
    assert_eq!(device.receive().await.2, SPIN.as_bytes());
}

/// As `agent-sdk/core` asks for them.
#[tokio::test]
async fn settings_come_as_any_attribute_does() {
    let door = Door::open().await;
    let mut device = Raw::open(door.addr).await;
    device.send(&connect("acme/washer", "secret-of-washer", "", 60)).await;
    assert_eq!(device.packet().await, Some((0x20, vec![0, 0])));
    let filters = ["v1/devices/me/attributes", "v1/devices/me/attributes/response/+"];
    device.send(&subscribe(1, &filters)).await;
    assert_eq!(device.packet().await, Some((0x90, vec![0, 1, 1, 1])));
    let settings = json!({"version": 7, "batch_age_s": 60, "metrics": {"3": {"deadband": 5}}});
    door.store.tell(WASHER, "reporting", settings.clone());
    let (_, topic, payload) = device.receive().await;
    assert_eq!(topic, "v1/devices/me/attributes");
    let told: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(told, json!({"reporting": settings}));
    let question = br#"{"sharedKeys":"reporting"}"#;
    device
        .send(&publish("v1/devices/me/attributes/request/1", 2, question))
        .await;
    let (_, topic, payload) = device.receive().await;
    assert_eq!(topic, "v1/devices/me/attributes/response/1");
    let told: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(told, json!({"shared": {"reporting": settings}}));
    device.expect_ack(2).await;
}
