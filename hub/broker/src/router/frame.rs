//! What one message looks like inside the router.
//!
//! The router knows a message only by the filter it matched (see [`super::filters`]); whose it is, its topic and its
//! properties travel with the payload. The whole is one buffer of its own: nothing in the router's log holds a connection's
//! read buffer.

use super::Published;
use bytes::Bytes;

/// Number (8), slot (2), flags (1), length of the tenant (1), of the topic (2), of the properties (4), expiry (8).
const HEADER: usize = 26;
/// Flag: the publisher asked for the message to be retained.
const RETAIN: u8 = 0b0000_0100;
/// Expiry of a message that has none.
const NEVER: u64 = u64::MAX;

/// Longest tenant key a frame carries, in bytes.
pub(super) const TENANT_BYTES_MAX: usize = u8::MAX as usize;
/// Longest topic a frame carries, in bytes.
pub(super) const TOPIC_BYTES_MAX: usize = u16::MAX as usize;

/// One message with room for the number and slot that the feeder gives it.
#[derive(Debug, Clone)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// Copies the parts together; `None` if the tenant, the topic or the properties are too long.
    pub fn new(tenant: &str, message: &Published<'_>) -> Option<Self> {
        let Published {
            topic,
            payload,
            qos,
            retain,
            properties,
            expires_ms,
        } = *message;
        let tenant_len = u8::try_from(tenant.len()).ok()?;
        let topic_len = u16::try_from(topic.len()).ok()?;
        let properties_len = u32::try_from(properties.len()).ok()?;
        let parts = tenant.len() + topic.len() + properties.len() + payload.len();
        let mut bytes = Vec::with_capacity(HEADER + parts);
        bytes.extend_from_slice(&[0; 10]);
        bytes.push(qos.min(2) | if retain { RETAIN } else { 0 });
        bytes.push(tenant_len);
        bytes.extend_from_slice(&topic_len.to_be_bytes());
        bytes.extend_from_slice(&properties_len.to_be_bytes());
        bytes.extend_from_slice(&expires_ms.unwrap_or(NEVER).to_be_bytes());
        bytes.extend_from_slice(tenant.as_bytes());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        Some(Self(bytes))
    }

    /// Bytes of the whole.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tenant and topic.
    pub fn address(&self) -> (&str, &str) {
        let tenant_end = HEADER + usize::from(self.0[11]);
        let topic_end = tenant_end + usize::from(u16::from_be_bytes([self.0[12], self.0[13]]));
        let text = |range| std::str::from_utf8(&self.0[range]).expect("a frame is built from text");
        (text(HEADER..tenant_end), text(tenant_end..topic_end))
    }

    /// The frame as it goes into the log of `slot`, with its number there.
    pub fn seal(mut self, slot: u16, number: u64) -> Bytes {
        self.0[..8].copy_from_slice(&number.to_be_bytes());
        self.0[8..10].copy_from_slice(&slot.to_be_bytes());
        self.0.into()
    }
}

/// A frame that came out of the router.
#[derive(Debug)]
pub(super) struct Received {
    pub number: u64,
    pub slot: u16,
    pub tenant: Bytes,
    pub topic: Bytes,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    pub properties: Bytes,
    pub expires_ms: Option<u64>,
}

impl Received {
    /// `None` for what is no frame.
    pub fn parse(frame: &Bytes) -> Option<Self> {
        let header = frame.get(..HEADER)?;
        let tenant_end = HEADER + usize::from(header[11]);
        let topic_end = tenant_end + usize::from(u16::from_be_bytes([header[12], header[13]]));
        let properties_len = u32::from_be_bytes(header[14..18].try_into().ok()?);
        let properties_end = topic_end + properties_len as usize;
        if properties_end > frame.len() {
            return None;
        }
        let expires_ms = u64::from_be_bytes(header[18..HEADER].try_into().ok()?);
        Some(Self {
            number: u64::from_be_bytes(header[..8].try_into().ok()?),
            slot: u16::from_be_bytes([header[8], header[9]]),
            tenant: frame.slice(HEADER..tenant_end),
            topic: frame.slice(tenant_end..topic_end),
            payload: frame.slice(properties_end..),
            qos: header[10] & 0b11,
            retain: header[10] & RETAIN != 0,
            properties: frame.slice(topic_end..properties_end),
            expires_ms: Some(expires_ms).filter(|at| *at != NEVER),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        let published = Published {
            properties: b"\x01\x01",
            expires_ms: Some(7_000),
            ..Published::new("d/7/t", b"payload", 1, true)
        };
        let frame = Frame::new("acme", &published).unwrap();
        assert_eq!(frame.address(), ("acme", "d/7/t"));
        let received = Received::parse(&frame.seal(300, u64::MAX - 1)).unwrap();
        assert_eq!((received.slot, received.number), (300, u64::MAX - 1));
        assert_eq!(
            (&received.tenant[..], &received.topic[..]),
            (&b"acme"[..], &b"d/7/t"[..])
        );
        assert_eq!(
            (&received.payload[..], received.qos, received.retain),
            (&b"payload"[..], 1, true)
        );
        assert_eq!(
            (&received.properties[..], received.expires_ms),
            (&b"\x01\x01"[..], Some(7_000))
        );
        let plain = Frame::new("acme", &Published::new("d/7/t", b"payload", 1, true)).unwrap();
        let received = Received::parse(&plain.seal(1, 1)).unwrap();
        assert_eq!((received.properties.len(), received.expires_ms), (0, None));
        assert_eq!(&received.payload[..], b"payload");
    }

    #[test]
    fn what_is_too_long_or_no_frame_is_told() {
        let frame = |tenant: &str, topic: &str| Frame::new(tenant, &Published::new(topic, b"", 0, false));
        assert!(frame(&"t".repeat(TENANT_BYTES_MAX + 1), "d").is_none());
        assert!(frame("t", &"d".repeat(TOPIC_BYTES_MAX + 1)).is_none());
        assert!(Received::parse(&Bytes::from_static(b"short")).is_none());
        let sealed = frame("acme", "d/7/t").unwrap().seal(0, 0);
        assert!(Received::parse(&sealed.slice(..sealed.len() - 1)).is_none());
    }
}
