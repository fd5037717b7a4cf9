//! A conversation of a session: it is given a command, answers it, and says goodbye. Both sides of it, byte by byte.

use agent_sdk_core::{Event, Identity, Lane, Overflow, Publish, Qos, Session, Settings};

/// Who connects.
pub const IDENTITY: Identity<'static> = Identity {
    client_id: "wm",
    credentials: None,
    will: None,
    topic_prefix: "d/wm/",
    subscriptions: &["c/+"],
};

/// The defaults, but with round numbers that the tests count with.
const SETTINGS: Settings = Settings {
    keep_alive_s: 60,
    connack_limit_ms: 5_000,
    answer_limit_ms: 10_000,
    ..Settings::DEFAULT
};

/// What [`IDENTITY`] connects with.
pub const CONNECT: &[u8] = b"\x10\x0E\x00\x04MQTT\x04\x00\x00\x3C\x00\x02wm";
/// The hub takes it, and had no session.
pub const CONNACK: &[u8] = &[0x20, 2, 0, 0];
/// What it subscribes to.
pub const SUBSCRIBE: &[u8] = b"\x82\x0D\xFF\xFF\x00\x08d/wm/c/+\x01";
/// The hub grants it.
pub const SUBACK: &[u8] = &[0x90, 3, 0xFF, 0xFF, 1];
/// The hub's command.
pub const COMMAND: &[u8] = b"\x32\x0E\x00\x08d/wm/c/1\x00\x07go";
/// Its acknowledgement.
pub const COMMAND_TAKEN: &[u8] = &[0x40, 2, 0, 7];
/// The first reply of a [`Replier`].
pub const REPLY: &[u8] = b"\x32\x10\x00\x08d/wm/r/1\x00\x01done";
/// Its acknowledgement.
pub const REPLY_TAKEN: &[u8] = &[0x40, 2, 0, 1];
/// A ping.
pub const PINGREQ: &[u8] = &[0xC0, 0];
/// A goodbye.
pub const DISCONNECT: &[u8] = &[0xE0, 0];

/// A session with room for the conversation.
pub fn session() -> Session<'static> {
    let memory = || vec![0; 256].leak();
    Session::new(memory(), memory(), SETTINGS, 1).expect("the receive buffer is large enough")
}

/// Answers a command once, and closes the session once the answer has arrived.
#[derive(Debug, Default)]
pub struct Replier {
    /// Whether a command waits for its answer.
    pub has_command: bool,
    is_delivered: bool,
    /// What happened, in order.
    pub told: Vec<String>,
}

impl Replier {
    /// A turn of the device; whether it has answered.
    pub fn turn(&mut self, session: &mut Session<'_>) -> bool {
        let has_command = std::mem::take(&mut self.has_command);
        if has_command {
            let reply = Publish {
                lane: Lane::Event,
                topic: "r/1",
                payload: b"done",
                qos: Qos::AtLeastOnce,
                retain: false,
                overflow: Overflow::DropNewest,
            };
            session.publish(&reply).expect("there is room");
        }
        if std::mem::take(&mut self.is_delivered) {
            session.close();
        }
        has_command
    }

    /// Something happened.
    pub fn event(&mut self, event: Event<'_>) {
        self.told.push(match event {
            Event::Message { topic, payload } => {
                assert_eq!(topic, b"d/wm/c/1");
                assert_eq!(payload, b"go");
                self.has_command = true;
                "command".to_owned()
            }
            Event::Delivered(_) => {
                self.is_delivered = true;
                "delivered".to_owned()
            }
            other => format!("{other:?}"),
        });
    }
}
