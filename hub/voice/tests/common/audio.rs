//! One side's audio on a socket of its own, packet by packet: what a far side, or somebody in its name, sends and hears.

use hub_voice::media::g711::Codec;
use hub_voice::media::rtp::{self, Event, FRAME, Header, SAMPLES};
use hub_voice::media::sdp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::time::interval;

/// Packets of one press; the last three say that it is over.
const PRESS: u16 = 8;

/// A source of RTP, and what is sent to its address.
pub struct Audio {
    socket: Arc<UdpSocket>,
    pub address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Audio {
    pub async fn at(address: &str, ssrc: u32) -> Self {
        Self::over(Arc::new(UdpSocket::bind(address).await.unwrap()), ssrc)
    }

    /// Another source with the same address and port: on the wire that is what a forged sender looks like.
    pub fn in_its_name(&self, ssrc: u32) -> Self {
        Self::over(Arc::clone(&self.socket), ssrc)
    }

    fn over(socket: Arc<UdpSocket>, ssrc: u32) -> Self {
        Self {
            address: socket.local_addr().unwrap(),
            socket,
            ssrc,
            sequence: 1_000,
            timestamp: 8_000,
        }
    }

    /// A description of audio here, both codecs and telephone events.
    pub fn described(&self) -> String {
        String::from_utf8(sdp::offer(self.address, 1)).unwrap()
    }

    /// Sends so many packets of sound, 20 ms apart.
    pub async fn sounds(&mut self, packets: u16, to: SocketAddr) {
        let mut ticks = interval(FRAME);
        let payload = [Codec::Pcma.encode(1_000); SAMPLES];
        for _ in 0..packets {
            ticks.tick().await;
            let timestamp = self.timestamp;
            self.send(Codec::Pcma.payload_type(), timestamp, &payload, to).await;
        }
    }

    /// Presses a key, as telephone events.
    pub async fn presses(&mut self, key: char, to: SocketAddr) {
        let mut ticks = interval(FRAME);
        let (code, begun) = (rtp::code_of(key).unwrap(), self.timestamp);
        for n in 1..=PRESS {
            ticks.tick().await;
            let event = Event {
                code,
                end: n > PRESS - 3,
                duration: n.min(PRESS - 2) * 160,
            };
            self.send(sdp::EVENT_TYPE, begun, &event.to_bytes(), to).await;
        }
    }

    async fn send(&mut self, payload_type: u8, timestamp: u32, payload: &[u8], to: SocketAddr) {
        let header = Header {
            marker: false,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        let mut packet = Vec::new();
        rtp::write(&mut packet, header, payload);
        self.socket.send_to(&packet, to).await.unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
    }

    /// How many packets have come since this was last asked.
    pub fn heard(&self) -> usize {
        let mut buffer = [0; 2_048];
        std::iter::from_fn(|| self.socket.try_recv(&mut buffer).ok()).count()
    }
}
