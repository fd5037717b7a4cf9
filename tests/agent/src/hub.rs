//! A hub in a few lines: takes up connections, acknowledges, and answers the questions that ours answers.

/// A message of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// With the prefix.
    pub topic: String,
    /// Anything.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it is to be kept.
    pub is_retained: bool,
}

/// The hub, as one device sees it.
pub struct Hub {
    /// Messages of the device, as they came.
    pub arrivals: Vec<Arrival>,
    /// The body of the last CONNECT.
    pub connect: Vec<u8>,
    /// Filters of the last SUBSCRIBE.
    pub filters: Vec<String>,
    /// Its time, if it tells it.
    pub time_ms: Option<u64>,
    /// The shared attributes, if there are any.
    pub shared: Option<String>,
    /// Whether it acknowledges.
    pub has_acks: bool,
    incoming: Vec<u8>,
    last_id: u16,
}

impl Default for Hub {
    /// It knows the time, has no settings, and acknowledges.
    fn default() -> Self {
        Self {
            arrivals: Vec::new(),
            connect: Vec::new(),
            filters: Vec::new(),
            time_ms: Some(1_800_000_000_000),
            shared: None,
            has_acks: true,
            incoming: Vec::new(),
            last_id: 0,
        }
    }
}

impl Hub {
    /// Bytes of the device; what is answered at once.
    pub fn handle(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.incoming.extend(bytes);
        let mut answer = Vec::new();
        while let Some((first, body)) = take_packet(&mut self.incoming) {
            answer.extend(self.answer(first, body));
        }
        answer
    }

    /// The connection is gone.
    pub fn cut(&mut self) {
        self.incoming.clear();
    }

    /// A message to the device, at QoS 1.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> Vec<u8> {
        self.last_id += 1;
        let body = [&string(topic)[..], &self.last_id.to_be_bytes(), payload].concat();
        packet(0x32, &body)
    }

    fn answer(&mut self, first: u8, body: Vec<u8>) -> Vec<u8> {
        match first & 0xF0 {
            0x10 => {
                self.connect = body;
                packet(0x20, &[0, 0])
            }
            0x80 => {
                self.filters = filters(&body[2..]);
                let codes = vec![1; self.filters.len()];
                packet(0x90, &[&body[..2], &codes[..]].concat())
            }
            0x30 => self.take(first, &body),
            0xC0 => packet(0xD0, &[]),
            // Of PUBACK and DISCONNECT there is nothing to say.
            _ => Vec::new(),
        }
    }

    fn take(&mut self, first: u8, body: &[u8]) -> Vec<u8> {
        let (topic, rest) = take_string(body);
        let qos = first >> 1 & 3;
        let (id, payload) = rest.split_at(if qos == 0 { 0 } else { 2 });
        let mut answer = if qos > 0 && self.has_acks {
            packet(0x40, id)
        } else {
            Vec::new()
        };
        answer.extend(self.reply(&topic, payload));
        self.arrivals.push(Arrival {
            topic,
            payload: payload.to_vec(),
            qos,
            is_retained: first & 1 != 0,
        });
        answer
    }

    fn reply(&mut self, topic: &str, payload: &[u8]) -> Vec<u8> {
        if let Some(number) = topic.strip_prefix("v1/devices/me/rpc/request/") {
            assert_eq!(payload, br#"{"method":"getCurrentTime"}"#);
            let Some(ms) = self.time_ms else { return Vec::new() };
            let topic = format!("v1/devices/me/rpc/response/{number}");
            return self.publish(&topic, format!("{{\"time\":{ms}}}").as_bytes());
        }
        if let Some(number) = topic.strip_prefix("v1/devices/me/attributes/request/") {
            assert_eq!(payload, br#"{"sharedKeys":"reporting"}"#);
            let Some(shared) = self.shared.clone() else {
                return self.publish(&format!("v1/devices/me/attributes/response/{number}"), b"{}");
            };
            let topic = format!("v1/devices/me/attributes/response/{number}");
            return self.publish(&topic, format!("{{\"shared\":{shared}}}").as_bytes());
        }
        Vec::new()
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short topic");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

fn take_string(bytes: &[u8]) -> (String, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let (text, rest) = bytes[2..].split_at(length);
    (String::from_utf8(text.to_vec()).expect("topics are text"), rest)
}

fn filters(mut rest: &[u8]) -> Vec<String> {
    let mut filters = Vec::new();
    while !rest.is_empty() {
        let (filter, behind) = take_string(rest);
        filters.push(filter);
        rest = &behind[1..];
    }
    filters
}

/// Takes the first packet out of what has come, if all of it is there: its first byte, and what follows its length.
pub fn take_packet(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let mut length = 0;
    let mut at = 1;
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at + length;
    if bytes.len() < end {
        return None;
    }
    let first = bytes[0];
    let body = bytes[at..end].to_vec();
    bytes.drain(..end);
    Some((first, body))
}
