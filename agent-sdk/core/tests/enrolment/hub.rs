//! What a hub knows of one device and of one claim credential, and how it answers. Strict: what a real hub would close the
//! connection over fails the test.

pub const USER_NAME: &str = "acme/wm-1";
pub const DEVICE: &str = "wm-1";
pub const TOKEN: &str = "claim_line";
/// Of the device's group.
pub const BY_GROUP: &str = "f15f4effe87bb351bc7798d38f27adfa84a9a0dfa19ddc5aeb4991a262c6d183";

/// A CONNECT's user name and password.
pub type Shown = (String, Option<String>);

/// Who a connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Claimant,
    Device,
}

#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// Devices that the claim credential may still be used for.
    pub uses_left: u32,
    pub current: Option<String>,
    pub old: Option<String>,
    pub is_in_group: bool,
    /// So many of the next connections are refused: it is not ready yet.
    pub unavailable: u32,
    /// It answers no question of a device but with an error, as one of an earlier version.
    pub is_ancient: bool,
    pub shown: Vec<Shown>,
    /// Questions that came, without the secrets in them.
    pub asked: Vec<String>,
    pub who: Option<Who>,
    pub incoming: Vec<u8>,
}

impl Hub {
    /// The connection is gone.
    pub fn cut(&mut self) {
        self.who = None;
        self.incoming.clear();
    }

    /// Bytes of the device; what is answered to them.
    pub fn handle(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.incoming.extend(bytes);
        let mut answers = Vec::new();
        while let Some((first, body)) = self.take_packet() {
            answers.extend(self.answer(first, &body));
        }
        answers
    }

    /// Whether the device comes in by this.
    pub fn lets_in(&self, password: &str) -> bool {
        let own = [&self.current, &self.old]
            .into_iter()
            .flatten()
            .any(|secret| secret == password);
        own || self.is_in_group && password == BY_GROUP
    }

    fn answer(&mut self, first: u8, body: &[u8]) -> Vec<u8> {
        match (first, self.who) {
            (0x10, None) => self.accept(body),
            (0x82, Some(who)) => {
                let (filter, rest) = field(&body[2..]);
                let wanted = match who {
                    Who::Claimant => "p/1/r",
                    Who::Device => "v1/devices/me/rpc/response/+",
                };
                assert_eq!((filter, rest), (wanted, &[1][..]));
                vec![0x90, 3, body[0], body[1], 1]
            }
            (0x30, Some(who)) => {
                let (topic, payload) = field(body);
                let payload = std::str::from_utf8(payload).expect("questions are text");
                self.question(who, topic, payload)
            }
            (0x40, Some(_)) => Vec::new(),
            (0xC0, Some(_)) => vec![0xD0, 0],
            (0xE0, Some(_)) => {
                self.who = None;
                Vec::new()
            }
            other => panic!("{other:?} is not allowed now"),
        }
    }

    fn accept(&mut self, body: &[u8]) -> Vec<u8> {
        assert_eq!(body[..7], *b"\x00\x04MQTT\x04");
        let flags = body[7];
        assert_eq!(flags & 0x3F, 2, "a clean session without a will");
        let (client_id, rest) = field(&body[10..]);
        assert_eq!(client_id, "");
        let (user_name, rest) = field(rest);
        let password = (flags & 0x40 != 0).then(|| field(rest).0.to_owned());
        self.shown.push((user_name.to_owned(), password.clone()));
        if self.unavailable > 0 {
            self.unavailable -= 1;
            return vec![0x20, 2, 0, 3];
        }
        self.who = match &password {
            None if user_name == TOKEN && self.uses_left > 0 => Some(Who::Claimant),
            Some(password) if user_name == USER_NAME && self.lets_in(password) => Some(Who::Device),
            None | Some(_) => None,
        };
        vec![0x20, 2, 0, if self.who.is_some() { 0 } else { 5 }]
    }

    fn question(&mut self, who: Who, topic: &str, payload: &str) -> Vec<u8> {
        let secret = member(payload, "secret").expect("each question has a secret");
        self.asked.push(payload.replace(secret, "*"));
        let is_ok = match who {
            Who::Claimant => {
                assert_eq!(topic, "p/1/q");
                assert_eq!(member(payload, "device"), Some(DEVICE));
                self.provision(secret)
            }
            Who::Device => {
                assert_eq!(topic, "v1/devices/me/rpc/request/1");
                if self.is_ancient {
                    return publish("v1/devices/me/rpc/response/1", r#"{"error":"unknown method"}"#);
                }
                match member(payload, "method") {
                    Some("proposeSecret") => self.propose(secret),
                    Some("endOldSecret") => self.end_old(secret),
                    other => panic!("{other:?} is no method"),
                }
            }
        };
        let payload = if is_ok {
            r#"{"status":"ok"}"#
        } else {
            r#"{"status":"refused","reason":"no"}"#
        };
        match who {
            Who::Claimant => publish("p/1/r", payload),
            Who::Device => publish("v1/devices/me/rpc/response/1", payload),
        }
    }

    fn provision(&mut self, secret: &str) -> bool {
        if self.current.as_deref() == Some(secret) {
            return true;
        }
        if self.current.is_some() || self.old.is_some() || self.is_in_group {
            return false;
        }
        self.uses_left -= 1;
        self.current = Some(secret.to_owned());
        true
    }

    fn propose(&mut self, secret: &str) -> bool {
        if self.current.as_deref() == Some(secret) {
            return true;
        }
        if self.old.as_deref() == Some(secret) {
            return false;
        }
        self.old = self.current.replace(secret.to_owned());
        true
    }

    fn end_old(&mut self, secret: &str) -> bool {
        if self.current.as_deref() != Some(secret) {
            return false;
        }
        self.old = None;
        self.is_in_group = false;
        true
    }

    fn take_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut length = 0;
        let mut at = 1;
        loop {
            let byte = *self.incoming.get(at)?;
            length |= usize::from(byte & 0x7F) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = at + length;
        if self.incoming.len() < end {
            return None;
        }
        let first = self.incoming[0];
        let body = self.incoming[at..end].to_vec();
        self.incoming.drain(..end);
        Some((first, body))
    }
}

/// A PUBLISH of the hub at QoS 1.
fn publish(topic: &str, payload: &str) -> Vec<u8> {
    let length = 2 + topic.len() + 2 + payload.len();
    assert!(length < 128, "a short answer");
    let head = [0x32, length as u8, 0, topic.len() as u8];
    [&head[..], topic.as_bytes(), &[0, 9], payload.as_bytes()].concat()
}

/// A text with its length before it, and what follows.
fn field(bytes: &[u8]) -> (&str, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let (text, rest) = bytes[2..].split_at(length);
    (std::str::from_utf8(text).expect("fields are text"), rest)
}

/// A text in a question, which has no escapes.
fn member<'p>(payload: &'p str, name: &str) -> Option<&'p str> {
    let (_, rest) = payload.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next()
}
