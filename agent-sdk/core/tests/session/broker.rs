//! A hub in a few lines: it keeps what arrives, answers when it is told to, forgets on demand, and fails the test when
//! a client breaks the rules.

use crate::rig::{CONNACK_NEW, CONNACK_RESUMED, PINGRESP, SUBACK, puback, publish};
use std::collections::{BTreeMap, BTreeSet};
use tests_agent::hub::take_packet;

/// A message that came, as its payload says: it begins with its number.
pub struct Arrival {
    pub connection: u32,
    pub is_event: bool,
    pub number: u32,
}

struct Command {
    id: u16,
    number: u32,
    payload: Vec<u8>,
}

#[derive(Default)]
pub struct Broker {
    pub log: Vec<Arrival>,
    /// Numbers of the commands that were acknowledged.
    pub taken: BTreeSet<u32>,
    window: usize,
    incoming: Vec<u8>,
    connection: u32,
    is_accepted: bool,
    has_session: bool,
    /// The session has outlived a connection.
    is_resumed: bool,
    /// Identifiers that came in this session.
    came: BTreeSet<u16>,
    /// What each identifier ever stood for.
    numbers: BTreeMap<u16, u32>,
    to_acknowledge: Vec<u16>,
    commands: Vec<Command>,
    last_id: u16,
}

impl Broker {
    pub fn new(window: u8) -> Self {
        Self {
            window: window.into(),
            ..Self::default()
        }
    }

    /// Bytes of the client; what is answered at once.
    pub fn handle(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.incoming.extend(bytes);
        let mut answer = Vec::new();
        while let Some((first, body)) = take_packet(&mut self.incoming) {
            answer.extend(self.answer(first, &body));
        }
        answer
    }

    /// Acknowledges one of the messages that wait for it, not always the oldest.
    pub fn acknowledge(&mut self, which: usize) -> Vec<u8> {
        if self.to_acknowledge.is_empty() {
            return Vec::new();
        }
        let at = which % self.to_acknowledge.len();
        puback(self.to_acknowledge.remove(at))
    }

    /// Says something to the client, which is lost without a connection unless it is kept in the session.
    pub fn command(&mut self, number: u32, is_kept: bool, filler: usize) -> Vec<u8> {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(4 + filler, 0x55);
        if !is_kept {
            let bytes = publish(0x30, "c/1", 0, &payload);
            return if self.is_accepted { bytes } else { Vec::new() };
        }
        if !self.has_session {
            return Vec::new();
        }
        self.last_id += 1;
        let command = Command {
            id: self.last_id,
            number,
            payload,
        };
        let bytes = publish(0x32, "c/1", command.id, &command.payload);
        self.commands.push(command);
        if self.is_accepted { bytes } else { Vec::new() }
    }

    /// The connection is gone.
    pub fn cut(&mut self) {
        self.incoming.clear();
        self.to_acknowledge.clear();
        self.is_accepted = false;
    }

    /// So is the session.
    pub fn forget(&mut self) {
        self.cut();
        self.has_session = false;
    }

    /// Whether no command waits for its acknowledgement.
    pub fn is_done(&self) -> bool {
        self.commands.is_empty()
    }

    fn answer(&mut self, first: u8, body: &[u8]) -> Vec<u8> {
        assert_eq!(
            first == 0x10,
            !self.is_accepted,
            "CONNECT comes first and once: {first:02X}"
        );
        match first {
            0x10 => self.accept(body),
            0x82 => SUBACK.to_vec(),
            0xC0 => {
                assert!(body.is_empty(), "a ping says nothing");
                PINGRESP.to_vec()
            }
            0x40 => {
                let id = u16::from_be_bytes([body[0], body[1]]);
                let at = self.commands.iter().position(|command| command.id == id);
                let command = self.commands.remove(at.expect("an acknowledgement of something"));
                self.taken.insert(command.number);
                Vec::new()
            }
            _ => {
                self.take(first, body);
                Vec::new()
            }
        }
    }

    fn accept(&mut self, body: &[u8]) -> Vec<u8> {
        assert_eq!(body[7] & 2, 0, "the session is to be kept");
        self.connection += 1;
        self.is_accepted = true;
        self.is_resumed = self.has_session;
        if !self.has_session {
            self.has_session = true;
            self.came.clear();
            self.commands.clear();
            return CONNACK_NEW.to_vec();
        }
        let again = self
            .commands
            .iter()
            .flat_map(|command| publish(0x3A, "c/1", command.id, &command.payload));
        CONNACK_RESUMED.iter().copied().chain(again).collect()
    }

    /// A PUBLISH on `d/wm/t` or `d/wm/e`.
    fn take(&mut self, first: u8, body: &[u8]) {
        let (head, rest) = body.split_at(8);
        assert!(
            head == b"\0\x06d/wm/t" || head == b"\0\x06d/wm/e",
            "{first:02X} {head:?}"
        );
        let is_event = head[7] == b'e';
        let is_repeat = first & 8 != 0;
        let payload = match first & 0xF7 {
            0x30 => {
                assert!(!is_repeat, "again at QoS 0");
                rest
            }
            0x32 => {
                let id = u16::from_be_bytes([rest[0], rest[1]]);
                let number = number(&rest[2..]);
                assert!(id != 0 && id != 0xFFFF);
                assert_eq!(
                    *self.numbers.entry(id).or_insert(number),
                    number,
                    "{id} stands for two messages"
                );
                assert!(!is_repeat || self.is_resumed, "a new session knows no repeats");
                assert!(self.came.insert(id) || is_repeat, "{id} again, but does not say so");
                assert!(!self.to_acknowledge.contains(&id), "{id} twice on a connection");
                self.to_acknowledge.push(id);
                assert!(
                    self.to_acknowledge.len() <= self.window,
                    "more than the window in flight"
                );
                &rest[2..]
            }
            _ => panic!("no packet of a client: {first:02X}"),
        };
        self.log.push(Arrival {
            connection: self.connection,
            is_event,
            number: number(payload),
        });
    }
}

/// The number that a payload begins with.
pub fn number(payload: &[u8]) -> u32 {
    let (number, _) = payload.split_first_chunk::<4>().expect("payloads begin with a number");
    u32::from_be_bytes(*number)
}
