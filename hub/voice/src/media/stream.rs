//! One call's audio: what is sent and received at every tick of the engine. Everything it holds is bounded.

use super::g711::Codec;
use super::receiver::Receiver;
use super::rtcp::{self, Reports, Sent};
use super::rtp::{self, Event, Header, PACKET_MAX, SAMPLES};
use super::sdp::Negotiated;
use super::sound::{Samples, Sound};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Packets read at one tick; more wait in the socket's buffer, which the kernel bounds.
const PACKETS_PER_TICK: usize = 16;
/// How often the port of reports is looked at, and how many packets are read there then.
const CONTROL_LOOK: Duration = Duration::from_secs(1);
const CONTROL_PACKETS: usize = 8;
/// Random bytes that a stream starts from.
pub const RANDOM: usize = 10 + rtcp::NAME;
/// Packets thrown away at the answer, at most: more than the socket's buffer holds.
const DRAIN_MAX: usize = 4_096;
/// Samples kept for an echo: 200 ms.
const ECHO_MAX: usize = 1_600;
/// Keys that may wait to be sent.
const KEYS_MAX: usize = 32;
/// Packets of one sent key: 160 ms, of which the last three repeat its end (RFC 4733 §2.5.1.4).
const KEY_PACKETS: u16 = 8;
/// Silence after a sent key, in packets: 100 ms, so that two equal keys stay two.
const KEY_PAUSE: u16 = 5;

/// What a call's audio tells the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEvent {
    /// The far side pressed a key.
    Digit(char),
    /// The clip with this number was sent to its end.
    PlayFinished(u64),
    /// Nothing has come from the far side for too long: it has died.
    Silent,
    /// Nothing has come from where the far side said that it is for too long, only audio from elsewhere.
    Elsewhere,
}

/// How the audio of a call went. Packets of 20 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioCounts {
    /// Audio packets and telephone events sent.
    pub packets_sent: u64,
    /// Packets received from the far side.
    pub packets_received: u64,
    /// Packets that the far side's numbering shows to be missing.
    pub lost: u64,
    /// Packets dropped: not RTP, from an address that is not the far side's, of another source beside the far side's, or
    /// from before the answer.
    pub dropped: u64,
    /// Packets of keys that were not believed: from an address that is not the far side's, or numbered on their own beside its
    /// audio, as some gateways do. A press is about eight packets.
    #[serde(default)]
    pub events_unbelieved: u64,
}

struct Clip {
    number: u64,
    samples: Samples,
}

struct SendingKey {
    code: u8,
    packet: u16,
    timestamp: u32,
}

/// The state of one call's audio.
pub struct Stream {
    socket: UdpSocket,
    /// The port of reports; none where it could not be bound.
    control: Option<UdpSocket>,
    reports: Reports,
    control_looked: Option<Instant>,
    events: mpsc::Sender<MediaEvent>,
    negotiated: Option<Negotiated>,
    receiver: Receiver,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    clip: Option<Clip>,
    keys: VecDeque<u8>,
    key: Option<SendingKey>,
    echo: Option<VecDeque<i16>>,
    captured: Vec<i16>,
    capture_max: usize,
    /// The next audio is the first after nothing was sent.
    begins: bool,
    packets_sent: u64,
    octets_sent: u64,
    packet: Vec<u8>,
}

impl Stream {
    /// A silent stream over `socket`, and reports over `control`; neither blocks. `random` is unpredictable: sequence, time
    /// stamp and SSRC start from it (RFC 3550 §5.1), and the name in reports is made of it.
    pub fn new(
        socket: UdpSocket,
        control: Option<UdpSocket>,
        events: mpsc::Sender<MediaEvent>,
        random: [u8; RANDOM],
        echo: bool,
        capture_max: usize,
        silence_max: Option<Duration>,
    ) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, name @ ..] = random;
        let ssrc = u32::from_be_bytes([g, h, i, j]);
        Self {
            socket,
            control,
            reports: Reports::new(ssrc, name),
            control_looked: None,
            events,
            negotiated: None,
            receiver: Receiver::new(ssrc, silence_max),
            sequence: u16::from_be_bytes([a, b]),
            timestamp: u32::from_be_bytes([c, d, e, f]),
            ssrc,
            clip: None,
            keys: VecDeque::new(),
            key: None,
            echo: echo.then(VecDeque::new),
            captured: Vec::new(),
            capture_max,
            begins: true,
            packets_sent: 0,
            octets_sent: 0,
            packet: Vec::with_capacity(PACKET_MAX),
        }
    }

    /// Audio flows from now on as agreed. What came before the answer is thrown away: it may be early media from a place that
    /// does not count any more.
    pub fn connect(&mut self, negotiated: Negotiated, now: Instant) {
        if self.negotiated.is_none() {
            self.drain();
        }
        self.receiver.connect(&negotiated, now);
        self.reports.connect(now);
        self.negotiated = Some(negotiated);
    }

    fn drain(&mut self) {
        let mut buffer = [0u8; PACKET_MAX];
        for _ in 0..DRAIN_MAX {
            if self.socket.recv_from(&mut buffer).is_err() {
                return;
            }
            self.receiver.handle_unread();
        }
    }

    /// Sends `sound` from now on; what was being sent is cut off.
    pub fn play(&mut self, number: u64, sound: &Sound) {
        let samples = sound.samples();
        self.clip = Some(Clip { number, samples });
    }

    /// Falls silent.
    pub fn stop_playing(&mut self) {
        self.clip = None;
    }

    /// Queues a key to be sent as a telephone event; false when it cannot be sent or too many wait.
    pub fn press(&mut self, key: char) -> bool {
        let Some(code) = rtp::code_of(key) else { return false };
        if self.keys.len() >= KEYS_MAX {
            return false;
        }
        self.keys.push_back(code);
        true
    }

    /// The far side lives: signalling says so.
    pub fn handle_life(&mut self, now: Instant) {
        self.receiver.handle_life(now);
    }

    /// The counts up to now.
    pub fn counts(&self) -> AudioCounts {
        AudioCounts {
            packets_sent: self.packets_sent,
            packets_received: self.receiver.received(),
            lost: self.receiver.lost(),
            dropped: self.receiver.dropped(),
            events_unbelieved: self.receiver.events_unbelieved(),
        }
    }

    /// Audio came in the call, a second of it or more, and all of it from addresses that were not announced.
    pub fn is_all_elsewhere(&self) -> bool {
        self.receiver.is_all_elsewhere()
    }

    /// What was heard, as far as it was to be kept.
    pub fn captured(&self) -> &[i16] {
        &self.captured
    }

    /// One tick: reads what came, tells what was pressed, sends one packet.
    pub fn tick(&mut self, now: Instant) {
        self.receive(now);
        self.exchange_reports(now);
        if self.receiver.handle_timeout(now) {
            let event = if self.receiver.is_elsewhere() {
                MediaEvent::Elsewhere
            } else {
                MediaEvent::Silent
            };
            self.tell(event);
        }
        while let Some(key) = self.receiver.poll_key() {
            self.tell(MediaEvent::Digit(key));
        }
        let Some(negotiated) = self.negotiated else { return };
        if negotiated.hold {
            // Time goes on while nothing is sent (RFC 3550 §5.1), and what is sent afterwards begins a talk spurt (RFC 3551 §4.1).
            self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
            self.begins = true;
            return;
        }
        self.send(negotiated);
    }

    fn exchange_reports(&mut self, now: Instant) {
        let Some(control) = &self.control else { return };
        let due = |looked| now.saturating_duration_since(looked) >= CONTROL_LOOK;
        if self.control_looked.is_none_or(due) {
            self.control_looked = Some(now);
            let mut buffer = [0u8; PACKET_MAX];
            for _ in 0..CONTROL_PACKETS {
                let Ok((len, from)) = control.recv_from(&mut buffer) else {
                    break;
                };
                self.receiver.handle_control(&buffer[..len], from, now);
            }
        }
        let sent = Sent {
            packets: self.packets_sent as u32,
            octets: self.octets_sent as u32,
            timestamp: self.timestamp,
        };
        if self.reports.poll(sent, &mut self.packet, now)
            && let Some(target) = self.receiver.control_target()
        {
            // A report that cannot be sent is followed by the next one.
            let _ = control.send_to(&self.packet, target);
        }
    }

    fn receive(&mut self, now: Instant) {
        let mut buffer = [0u8; PACKET_MAX];
        for _ in 0..PACKETS_PER_TICK {
            let Ok((len, from)) = self.socket.recv_from(&mut buffer) else {
                return;
            };
            if let Some((codec, payload)) = self.receiver.handle(&buffer[..len], from, now) {
                self.take_audio(codec, payload);
            }
        }
    }

    fn take_audio(&mut self, codec: Codec, payload: &[u8]) {
        let room = self.capture_max - self.captured.len();
        self.captured
            .extend(payload.iter().take(room).map(|octet| codec.decode(*octet)));
        if let Some(echo) = &mut self.echo {
            echo.extend(payload.iter().map(|octet| codec.decode(*octet)));
            let excess = echo.len().saturating_sub(ECHO_MAX);
            echo.drain(..excess);
        }
    }

    fn send(&mut self, negotiated: Negotiated) {
        if self.key.is_none() && negotiated.event_type.is_some() {
            self.key = self.keys.pop_front().map(|code| SendingKey {
                code,
                packet: 0,
                timestamp: self.timestamp,
            });
        }
        let mut payload = [0u8; SAMPLES];
        let (payload_type, marker, timestamp, len) = match (self.next_event(), negotiated.event_type) {
            (Some((event, timestamp)), Some(event_type)) => {
                payload[..4].copy_from_slice(&event.to_bytes());
                (event_type, event.duration == 160, timestamp, 4)
            }
            _ => {
                self.fill_audio(negotiated.codec, &mut payload);
                (
                    negotiated.codec.payload_type(),
                    std::mem::take(&mut self.begins),
                    self.timestamp,
                    SAMPLES,
                )
            }
        };
        let header = Header {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        rtp::write(&mut self.packet, header, &payload[..len]);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        let to = self.receiver.target().unwrap_or(negotiated.remote);
        // A packet that cannot be sent is a lost packet; the call ends by signalling, not by this.
        if self.socket.send_to(&self.packet, to).is_ok() {
            self.packets_sent += 1;
            self.octets_sent += len as u64;
        }
    }

    /// The next packet of the key being sent; after it, a pause of audio.
    fn next_event(&mut self) -> Option<(Event, u32)> {
        let key = self.key.as_mut()?;
        key.packet += 1;
        let at = key.packet;
        let event = Event {
            code: key.code,
            end: at > KEY_PACKETS - 3,
            duration: at.min(KEY_PACKETS - 2) * 160,
        };
        let timestamp = key.timestamp;
        if at >= KEY_PACKETS + KEY_PAUSE {
            self.key = None;
        }
        (at <= KEY_PACKETS).then_some((event, timestamp))
    }

    fn fill_audio(&mut self, codec: Codec, payload: &mut [u8; SAMPLES]) {
        let mut finished = None;
        for octet in payload.iter_mut() {
            let sample = match (&mut self.clip, &mut self.echo) {
                (Some(clip), _) => {
                    let sample = clip.samples.next();
                    if sample.is_none() {
                        finished = Some(clip.number);
                    }
                    sample
                }
                (None, Some(echo)) => echo.pop_front(),
                (None, None) => None,
            };
            *octet = codec.encode(sample.unwrap_or(0));
        }
        if let Some(number) = finished {
            self.clip = None;
            self.receiver.handle_said();
            self.tell(MediaEvent::PlayFinished(number));
        }
    }

    fn tell(&mut self, event: MediaEvent) {
        // The receiver is the call's own task; when it lags by a whole queue the call is beyond help, and its time limits end it.
        if self.events.try_send(event).is_err() {
            tracing::warn!(?event, "media event of a call lost: its queue is full");
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
