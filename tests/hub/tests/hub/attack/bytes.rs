//! Packets that no client library would send.

/// A CONNECT of MQTT 3.1.1 with everything in the caller's hands.
pub struct Connect<'a> {
    pub user_name: &'a str,
    pub secret: &'a str,
    pub client_id: &'a str,
    pub clean: bool,
    /// Topic and payload.
    pub will: Option<(&'a str, &'a [u8])>,
}

impl Connect<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut flags = 0b1100_0000;
        if self.clean {
            flags |= 0b10;
        }
        if self.will.is_some() {
            // QoS 1, retained.
            flags |= 0b0010_1100;
        }
        let mut body = [&text("MQTT")[..], &[4, flags, 0, 60], &text(self.client_id)].concat();
        if let Some((topic, payload)) = self.will {
            body.extend(text(topic));
            body.extend(bytes(payload));
        }
        body.extend(text(self.user_name));
        body.extend(text(self.secret));
        frame(0x10, &body)
    }
}

/// A PUBLISH at QoS 2.
pub fn publish_twice_safe(topic: &str, packet_id: u16, payload: &[u8], repeated: bool) -> Vec<u8> {
    let first = if repeated { 0x3C } else { 0x34 };
    frame(first, &[&text(topic)[..], &packet_id.to_be_bytes(), payload].concat())
}

/// A PUBREL.
pub fn release(packet_id: u16) -> Vec<u8> {
    frame(0x62, &packet_id.to_be_bytes())
}

/// A SUBSCRIBE of these filters at QoS 1.
pub fn subscribe(packet_id: u16, filters: &[&str]) -> Vec<u8> {
    let filters = filters.iter().flat_map(|filter| [&text(filter)[..], &[1]].concat());
    frame(
        0x82,
        &packet_id.to_be_bytes().into_iter().chain(filters).collect::<Vec<u8>>(),
    )
}

fn text(text: &str) -> Vec<u8> {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A packet of this first byte.
pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        packet.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}
