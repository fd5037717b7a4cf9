//! The small part of SDP (RFC 4566) and of offer/answer (RFC 3264) that one audio stream needs.

use super::g711::Codec;
use std::net::{IpAddr, SocketAddr};

/// The largest body that is read, in bytes.
pub const SDP_MAX: usize = 8_192;
/// The payload type we offer for telephone events.
pub const EVENT_TYPE: u8 = 101;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// Where the far side wants our packets.
    pub remote: SocketAddr,
    /// The codec of both directions.
    pub codec: Codec,
    /// The payload type of telephone events, if the far side takes them.
    pub event_type: Option<u8>,
    /// The far side does not want to hear us now (`sendonly`, `inactive`, or address 0.0.0.0).
    pub hold: bool,
    /// The far side sends nothing now (`recvonly`, `inactive`).
    pub mute: bool,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than `SDP_MAX` or not UTF-8.
    #[error("the session description is longer than {SDP_MAX} bytes or not text")]
    NotText,
    /// No audio stream, or it was refused with port 0.
    #[error("the session description has no RTP/AVP audio stream")]
    NoAudio,
    /// No `c=` line with an IP address.
    #[error("the session description names no IP address for the audio")]
    NoAddress,
    /// No `o=` line with the numbers of session and version.
    #[error("the session description has no usable origin line")]
    NoOrigin,
    /// Neither PCMU nor PCMA.
    #[error("the far side takes neither PCMU nor PCMA")]
    NoCodec,
}

/// What the origin line says of a description (RFC 4566 §5.2).
#[derive(Debug, Clone, Copy)]
struct Origin {
    /// The same as long as the session lasts.
    session: u64,
    /// Raised by one whenever the description changes.
    version: u64,
}

impl Origin {
    fn first(session: u64) -> Self {
        Self { session, version: 1 }
    }

    /// The origin of a description that we sent.
    fn of(description: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(description).ok()?;
        let mut words = text.lines().find_map(|l| l.strip_prefix("o="))?.split(' ').skip(1);
        let mut number = || words.next()?.parse().ok();
        Some(Self {
            session: number()?,
            version: number()?,
        })
    }
}

/// Our first offer: both codecs and telephone events, at `local`. `session` makes the origin line unique.
pub fn offer(local: SocketAddr, session: u64) -> Vec<u8> {
    describe(
        local,
        Origin::first(session),
        &[Codec::Pcma, Codec::Pcmu],
        Some(EVENT_TYPE),
    )
}

/// Our first answer, to an offer that was understood as `negotiated`.
pub fn answer(local: SocketAddr, session: u64, negotiated: &Negotiated) -> Vec<u8> {
    describe(
        local,
        Origin::first(session),
        &[negotiated.codec],
        negotiated.event_type,
    )
}

/// Our answer to a later offer in the same session, understood as `negotiated`. `previous` is what we sent last: audio stays
/// where that says, and a description that differs from it has its version raised by one (RFC 3264 §8).
///
/// # Errors
/// When `previous` is none of our descriptions.
pub fn answer_again(previous: &[u8], negotiated: &Negotiated) -> Result<Vec<u8>, SdpError> {
    let local = understand(previous)?.remote;
    let mut origin = Origin::of(previous).ok_or(SdpError::NoOrigin)?;
    let describe = |origin| describe(local, origin, &[negotiated.codec], negotiated.event_type);
    let unchanged = describe(origin);
    if unchanged == previous {
        return Ok(unchanged);
    }
    origin.version += 1;
    Ok(describe(origin))
}

fn describe(local: SocketAddr, origin: Origin, codecs: &[Codec], event_type: Option<u8>) -> Vec<u8> {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (local.ip(), local.port());
    let types: Vec<String> = codecs
        .iter()
        .map(|c| c.payload_type())
        .chain(event_type)
        .map(|t| t.to_string())
        .collect();
    let Origin { session, version } = origin;
    let mut text = format!(
        "v=0\r\no=- {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {}\r\n",
        types.join(" ")
    );
    for codec in codecs {
        text += &format!("a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name());
    }
    if let Some(event_type) = event_type {
        text += &format!("a=rtpmap:{event_type} telephone-event/8000\r\na=fmtp:{event_type} 0-15\r\n");
    }
    text += "a=ptime:20\r\na=sendrecv\r\n";
    text.into_bytes()
}

/// Reads the far side's offer or answer: its first audio stream, the first of its codecs that is ours.
pub fn understand(body: &[u8]) -> Result<Negotiated, SdpError> {
    if body.len() > SDP_MAX {
        return Err(SdpError::NotText);
    }
    let text = std::str::from_utf8(body).map_err(|_| SdpError::NotText)?;
    let mut address = None;
    let mut stream: Option<Stream> = None;
    // What stands before the first media line counts for every stream that says nothing else (RFC 4566 §6).
    let (mut direction, mut is_head) = (Direction::BOTH, true);
    for line in text.lines() {
        let Some((kind, value)) = line.trim_end().split_once('=') else {
            continue;
        };
        match (kind, &mut stream) {
            ("c", None) => address = connection(value).or(address),
            ("c", Some(s)) => s.address = connection(value).or(s.address),
            ("m", None) => {
                is_head = false;
                stream = Stream::from_media_line(value, direction);
            }
            // Only the first usable audio stream counts; what follows belongs to another one.
            ("m", Some(_)) => break,
            ("a", None) if is_head => direction = Direction::of(value).unwrap_or(direction),
            ("a", Some(s)) => s.attribute(value),
            _ => {}
        }
    }
    let stream = stream.ok_or(SdpError::NoAudio)?;
    let ip = stream.address.or(address).ok_or(SdpError::NoAddress)?;
    let codec = stream
        .types
        .iter()
        .find_map(|t| Codec::from_payload_type(*t))
        .ok_or(SdpError::NoCodec)?;
    Ok(Negotiated {
        remote: SocketAddr::new(ip, stream.port),
        codec,
        event_type: stream.event_type,
        hold: !stream.direction.hears || ip.is_unspecified(),
        mute: !stream.direction.sends,
    })
}

/// `IN IP4 192.0.2.1`, with or without a multicast suffix.
fn connection(value: &str) -> Option<IpAddr> {
    value.split_whitespace().nth(2)?.split('/').next()?.parse().ok()
}

/// What the far side does with audio.
#[derive(Debug, Clone, Copy)]
struct Direction {
    sends: bool,
    hears: bool,
}

impl Direction {
    const BOTH: Self = Self {
        sends: true,
        hears: true,
    };

    fn of(attribute: &str) -> Option<Self> {
        let (sends, hears) = match attribute {
            "sendrecv" => (true, true),
            "sendonly" => (true, false),
            "recvonly" => (false, true),
            "inactive" => (false, false),
            _ => return None,
        };
        Some(Self { sends, hears })
    }
}

struct Stream {
    port: u16,
    types: Vec<u8>,
    address: Option<IpAddr>,
    event_type: Option<u8>,
    direction: Direction,
}

impl Stream {
    fn from_media_line(value: &str, direction: Direction) -> Option<Self> {
        let mut words = value.split_whitespace();
        if words.next()? != "audio" {
            return None;
        }
        let port = words
            .next()?
            .split('/')
            .next()?
            .parse()
            .ok()
            .filter(|port| *port != 0)?;
        if words.next()? != "RTP/AVP" {
            return None;
        }
        let types = words
            .filter_map(|word| word.parse().ok())
            .filter(|t| *t < 128)
            .take(32)
            .collect();
        Some(Self {
            port,
            types,
            address: None,
            event_type: None,
            direction,
        })
    }

    fn attribute(&mut self, value: &str) {
        self.direction = Direction::of(value).unwrap_or(self.direction);
        let Some((event_type, name)) = value.strip_prefix("rtpmap:").and_then(|v| v.split_once(' ')) else {
            return;
        };
        if !name.trim().to_ascii_lowercase().starts_with("telephone-event/8000") {
            return;
        }
        self.event_type = event_type
            .parse()
            .ok()
            .filter(|t| self.types.contains(t))
            .or(self.event_type);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn our_offer_is_understood_by_ourselves() {
        let local: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        let got = understand(&offer(local, 7)).unwrap();
        assert_eq!(
            got,
            Negotiated {
                remote: local,
                codec: Codec::Pcma,
                event_type: Some(101),
                hold: false,
                mute: false
            }
        );
    }

    #[test]
    fn an_answer_names_one_codec() {
        let local: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
        let theirs = Negotiated {
            remote: local,
            codec: Codec::Pcmu,
            event_type: None,
            hold: false,
            mute: false,
        };
        assert_eq!(understand(&answer(local, 1, &theirs)), Ok(theirs));
    }

    #[test]
    fn a_later_answer_keeps_the_session_and_counts_its_changes() {
        let local: SocketAddr = "192.0.2.7:4000".parse().unwrap();
        let theirs = |codec| Negotiated {
            remote: "192.0.2.9:5000".parse().unwrap(),
            codec,
            event_type: Some(96),
            hold: false,
            mute: false,
        };
        let origin = |body: &[u8]| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            text.lines().nth(1).unwrap().to_owned()
        };
        let first = offer(local, 4_711);
        assert_eq!(origin(&first), "o=- 4711 1 IN IP4 192.0.2.7");
        let second = answer_again(&first, &theirs(Codec::Pcma)).unwrap();
        assert_eq!(origin(&second), "o=- 4711 2 IN IP4 192.0.2.7");
        assert_eq!(understand(&second).unwrap().remote, local);
        let refreshed = answer_again(&second, &theirs(Codec::Pcma)).unwrap();
        assert_eq!(refreshed, second, "only refreshed");
        let third = answer_again(&refreshed, &theirs(Codec::Pcmu)).unwrap();
        assert_eq!(origin(&third), "o=- 4711 3 IN IP4 192.0.2.7");
        let foreign = "c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 8\r\n";
        assert_eq!(
            answer_again(foreign.as_bytes(), &theirs(Codec::Pcmu)),
            Err(SdpError::NoOrigin)
        );
    }

    #[test]
    fn a_real_world_offer_with_two_streams_and_other_codecs() {
        let text = "v=0\r\no=x 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 9 RTP/AVP 96\r\n\
            m=audio 40000 RTP/AVP 18 0 8 96\r\nc=IN IP4 10.0.0.2\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n\
            m=audio 40002 RTP/AVP 8\r\na=sendrecv\r\n";
        let got = understand(text.as_bytes()).unwrap();
        let remote = "10.0.0.2:40000".parse().unwrap();
        assert_eq!(
            got,
            Negotiated {
                remote,
                codec: Codec::Pcmu,
                event_type: Some(96),
                hold: true,
                mute: false
            }
        );
    }

    #[test]
    fn who_sends_and_who_hears_is_said_for_all_streams_or_for_one() {
        let of = |head: &str, other: &str, own: &str| {
            let text =
                format!("c=IN IP4 10.0.0.1\r\n{head}m=video 9 RTP/AVP 96\r\n{other}m=audio 40000 RTP/AVP 8\r\n{own}");
            let got = understand(text.as_bytes()).unwrap();
            (got.hold, got.mute)
        };
        let table = [
            ("", (false, false)),
            ("a=sendrecv\r\n", (false, false)),
            ("a=sendonly\r\n", (true, false)),
            ("a=recvonly\r\n", (false, true)),
            ("a=inactive\r\n", (true, true)),
        ];
        for (line, expected) in table {
            assert_eq!(of("", "", line), expected, "{line}");
            assert_eq!(of(line, "", ""), expected, "for all: {line}");
            assert_eq!(of("", line, ""), (false, false), "of another stream: {line}");
            assert_eq!(of(line, "", "a=sendrecv\r\n"), (false, false), "its own counts: {line}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let of = |text: &str| understand(text.as_bytes()).unwrap_err();
        assert_eq!(of("v=0\r\n"), SdpError::NoAudio);
        assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 0 RTP/AVP 0\r\n"), SdpError::NoAudio);
        assert_eq!(of("m=audio 4000 RTP/AVP 0\r\n"), SdpError::NoAddress);
        assert_eq!(of("c=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 18\r\n"), SdpError::NoCodec);
        assert_eq!(understand(&vec![b'a'; SDP_MAX + 1]), Err(SdpError::NotText));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "([a-z]=[ -~]{0,40}\r\n){0,8}") {
            let _ = understand(text.as_bytes());
        }
    }
}
