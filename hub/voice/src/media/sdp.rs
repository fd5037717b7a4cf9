//! The small part of SDP (RFC 4566) and of offer/answer (RFC 3264) that one audio stream needs. An answer has a line for each
//! line of its offer: those that we do not take are refused with port 0.

use super::g711::Codec;
use std::net::{IpAddr, SocketAddr};

/// The largest body that is read, in bytes.
pub const SDP_MAX: usize = 8_192;
/// The payload type we offer for telephone events.
pub const EVENT_TYPE: u8 = 101;
/// What we offer, the one we like best first.
const CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];
/// Formats of a media line that are looked at.
const FORMATS_MAX: usize = 32;

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
    describe(local, Origin::first(session), &[None], &Audio::OFFERED)
}

/// Our first answer to `offer`: its first usable audio stream at `local`, the directions of that mirrored, and every other line
/// of it refused (RFC 3264 §6).
///
/// # Errors
/// When nothing of `offer` can be used.
pub fn answer(local: SocketAddr, session: u64, offer: &[u8]) -> Result<Vec<u8>, SdpError> {
    answer_as(local, Origin::first(session), offer)
}

/// Our answer to a later offer in the same session. `previous` is what we sent last: audio stays where that says, and a
/// description that differs from it has its version raised by one (RFC 3264 §8).
///
/// # Errors
/// When nothing of `offer` can be used, or `previous` is none of our descriptions.
pub fn answer_again(previous: &[u8], offer: &[u8]) -> Result<Vec<u8>, SdpError> {
    again(previous, |local, origin| answer_as(local, origin, offer))
}

/// Our offer in a session that goes on, where the far side asks for one: all that we can, in the lines that `previous`, what we
/// sent last, has (RFC 3261 §14.2, RFC 3264 §8).
///
/// # Errors
/// When `previous` is none of our descriptions.
pub fn offer_again(previous: &[u8]) -> Result<Vec<u8>, SdpError> {
    let ours = Description::read(previous)?;
    let (taken, _) = ours.agree()?;
    let lines = ours.lines_beside(taken);
    again(previous, |local, origin| {
        Ok(describe(local, origin, &lines, &Audio::OFFERED))
    })
}

fn again(
    previous: &[u8],
    write: impl Fn(SocketAddr, Origin) -> Result<Vec<u8>, SdpError>,
) -> Result<Vec<u8>, SdpError> {
    let local = understand(previous)?.remote;
    let mut origin = Origin::of(previous).ok_or(SdpError::NoOrigin)?;
    let unchanged = write(local, origin)?;
    if unchanged == previous {
        return Ok(unchanged);
    }
    origin.version += 1;
    write(local, origin)
}

fn answer_as(local: SocketAddr, origin: Origin, offer: &[u8]) -> Result<Vec<u8>, SdpError> {
    let theirs = Description::read(offer)?;
    let (taken, agreed) = theirs.agree()?;
    let audio = Audio {
        codecs: &[agreed.codec],
        event_type: agreed.event_type,
        direction: Direction {
            sends: !agreed.hold,
            receives: !agreed.mute,
        },
    };
    Ok(describe(local, origin, &theirs.lines_beside(taken), &audio))
}

/// Our one audio stream as we describe it.
struct Audio<'a> {
    codecs: &'a [Codec],
    event_type: Option<u8>,
    direction: Direction,
}

impl Audio<'static> {
    const OFFERED: Self = Self {
        codecs: &CODECS,
        event_type: Some(EVENT_TYPE),
        direction: Direction::BOTH,
    };
}

/// `lines` are the media lines in their order, ready to be sent; `audio` stands where there is none.
fn describe(local: SocketAddr, origin: Origin, lines: &[Option<String>], audio: &Audio<'_>) -> Vec<u8> {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    let ip = local.ip();
    let Origin { session, version } = origin;
    let mut text = format!("v=0\r\no=- {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n");
    for line in lines {
        match line {
            Some(refused) => text += refused,
            None => text += &audio.lines(local.port()),
        }
    }
    text.into_bytes()
}

impl Audio<'_> {
    fn lines(&self, port: u16) -> String {
        let types: Vec<String> = self
            .codecs
            .iter()
            .map(|c| c.payload_type())
            .chain(self.event_type)
            .map(|t| t.to_string())
            .collect();
        let mut text = format!("m=audio {port} RTP/AVP {}\r\n", types.join(" "));
        for codec in self.codecs {
            text += &format!("a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name());
        }
        if let Some(event_type) = self.event_type {
            text += &format!("a=rtpmap:{event_type} telephone-event/8000\r\na=fmtp:{event_type} 0-15\r\n");
        }
        text + &format!("a=ptime:20\r\na={}\r\n", self.direction.name())
    }
}

/// Reads the far side's offer or answer: its first audio stream that has a codec of ours, the first of those codecs.
pub fn understand(body: &[u8]) -> Result<Negotiated, SdpError> {
    Ok(Description::read(body)?.agree()?.1)
}

/// Which ways its writer lets audio go (RFC 4566 §6).
#[derive(Clone, Copy)]
struct Direction {
    sends: bool,
    receives: bool,
}

impl Direction {
    /// Unless a description says otherwise.
    const BOTH: Self = Self {
        sends: true,
        receives: true,
    };

    fn named(attribute: &str) -> Option<Self> {
        let (sends, receives) = match attribute {
            "sendrecv" => (true, true),
            "sendonly" => (true, false),
            "recvonly" => (false, true),
            "inactive" => (false, false),
            _ => return None,
        };
        Some(Self { sends, receives })
    }

    fn name(self) -> &'static str {
        match (self.sends, self.receives) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }
}

/// A description that was read.
struct Description<'a> {
    /// Of all streams that name none of their own.
    address: Option<IpAddr>,
    /// The same.
    direction: Direction,
    streams: Vec<Stream<'a>>,
}

impl<'a> Description<'a> {
    fn read(body: &'a [u8]) -> Result<Self, SdpError> {
        if body.len() > SDP_MAX {
            return Err(SdpError::NotText);
        }
        let text = std::str::from_utf8(body).map_err(|_| SdpError::NotText)?;
        let (mut address, mut direction) = (None, Direction::BOTH);
        let mut streams: Vec<Stream<'a>> = Vec::new();
        for line in text.lines() {
            let Some((kind, value)) = line.trim_end().split_once('=') else {
                continue;
            };
            match (kind, streams.last_mut()) {
                ("m", _) => streams.push(Stream::from_media_line(value)),
                ("c", None) => address = connection(value).or(address),
                ("c", Some(stream)) => stream.address = connection(value).or(stream.address),
                ("a", None) => direction = Direction::named(value).unwrap_or(direction),
                ("a", Some(stream)) => stream.attribute(value),
                _ => {}
            }
        }
        Ok(Self {
            address,
            direction,
            streams,
        })
    }

    /// Which of the streams is taken, and as what.
    fn agree(&self) -> Result<(usize, Negotiated), SdpError> {
        let audio = || self.streams.iter().enumerate().filter(|(_, stream)| stream.is_audio());
        if audio().next().is_none() {
            return Err(SdpError::NoAudio);
        }
        let usable = audio().find_map(|(at, stream)| Some((at, stream, stream.port()?, stream.codec()?)));
        let (at, stream, port, codec) = usable.ok_or(SdpError::NoCodec)?;
        let ip = stream.address.or(self.address).ok_or(SdpError::NoAddress)?;
        let direction = stream.direction.unwrap_or(self.direction);
        let negotiated = Negotiated {
            remote: SocketAddr::new(ip, port),
            codec,
            event_type: stream.event_type,
            hold: !direction.receives || ip.is_unspecified(),
            mute: !direction.sends,
        };
        Ok((at, negotiated))
    }

    /// The media lines of an answer, all refused but the one at `taken`.
    fn lines_beside(&self, taken: usize) -> Vec<Option<String>> {
        let lines = self.streams.iter().enumerate();
        lines
            .map(|(at, stream)| (at != taken).then(|| stream.refusal()))
            .collect()
    }
}

/// `IN IP4 192.0.2.1`, with or without a multicast suffix.
fn connection(value: &str) -> Option<IpAddr> {
    value.split_whitespace().nth(2)?.split('/').next()?.parse().ok()
}

/// A media line and what belongs to it.
struct Stream<'a> {
    /// Medium, port, protocol and formats (RFC 4566 §5.14).
    words: Vec<&'a str>,
    address: Option<IpAddr>,
    direction: Option<Direction>,
    event_type: Option<u8>,
}

impl<'a> Stream<'a> {
    fn from_media_line(value: &'a str) -> Self {
        Self {
            words: value.split_whitespace().collect(),
            address: None,
            direction: None,
            event_type: None,
        }
    }

    fn word(&self, at: usize) -> Option<&'a str> {
        self.words.get(at).copied()
    }

    /// None where the stream is refused.
    fn port(&self) -> Option<u16> {
        let port = self.word(1)?.split('/').next()?.parse().ok()?;
        (port != 0).then_some(port)
    }

    fn is_audio(&self) -> bool {
        self.word(0) == Some("audio") && self.word(2) == Some("RTP/AVP") && self.port().is_some()
    }

    fn types(&self) -> impl Iterator<Item = u8> {
        let formats = self.words.iter().skip(3).take(FORMATS_MAX);
        formats.filter_map(|word| word.parse::<u8>().ok()).filter(|t| *t < 128)
    }

    fn codec(&self) -> Option<Codec> {
        self.types().find_map(Codec::from_payload_type)
    }

    /// The line that refuses it. Its formats do not count but have to be there (RFC 3264 §6).
    fn refusal(&self) -> String {
        let (medium, protocol) = (self.word(0).unwrap_or("audio"), self.word(2).unwrap_or("RTP/AVP"));
        let formats = self.words.get(3..).filter(|formats| !formats.is_empty());
        let formats = formats.map_or_else(|| "0".to_owned(), |formats| formats.join(" "));
        let line = format!("m={medium} 0 {protocol} {formats}");
        line.chars().filter(|c| !c.is_control()).chain("\r\n".chars()).collect()
    }

    fn attribute(&mut self, value: &str) {
        self.direction = Direction::named(value).or(self.direction);
        let Some((event_type, name)) = value.strip_prefix("rtpmap:").and_then(|v| v.split_once(' ')) else {
            return;
        };
        if !name.trim().to_ascii_lowercase().starts_with("telephone-event/8000") {
            return;
        }
        let event_type = event_type
            .parse::<u8>()
            .ok()
            .filter(|t| self.types().any(|own| own == *t));
        self.event_type = event_type.or(self.event_type);
    }
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
