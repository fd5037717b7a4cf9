//! The audio of one call, seen by the phone: silence goes out, what comes in is counted: packets, gaps between them, and what is
//! missing by their numbers (RFC 3550).

use crate::steady::histogram::Histogram;
use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

/// A packet of audio, either way.
pub(super) const PACKET_EVERY: Duration = Duration::from_millis(20);
/// Header of an RTP packet (§5.1).
const HEADER_BYTES: usize = 12;
/// Samples of 20 ms.
const SAMPLES: usize = 160;
/// A-law, and its silence (RFC 3551 §4.5.14, G.711).
const PAYLOAD_TYPE: u8 = 8;
const SILENCE: u8 = 0xD5;
/// A number that lies further ahead lies behind: the packet was late (RFC 3550 appendix A.1 counts alike).
const AHEAD_MAX: u16 = 0x8000;

/// A place for audio that nobody sends to yet.
pub(super) struct Place {
    socket: UdpSocket,
    /// Its port.
    pub port: u16,
}

impl Place {
    /// A free one.
    ///
    /// # Errors
    /// The machine gives no socket.
    pub async fn open() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self {
            port: socket.local_addr()?.port(),
            socket,
        })
    }

    /// Sends silence there, and counts what comes from there, until that is dropped.
    pub fn talk(self, there: SocketAddr) -> Talk {
        let heard = Arc::new(Mutex::new(Heard::default()));
        Talk {
            heard: Arc::clone(&heard),
            talking: tokio::spawn(talk(self, there, heard)),
        }
    }
}

/// Audio both ways.
pub(super) struct Talk {
    heard: Arc<Mutex<Heard>>,
    talking: JoinHandle<()>,
}

impl Talk {
    /// What was heard since this was asked last.
    pub fn take_heard(&self) -> Heard {
        std::mem::take(&mut *lock(&self.heard))
    }

    /// Packets since [`Talk::take_heard`].
    pub fn packets(&self) -> u64 {
        lock(&self.heard).packets
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.talking.abort();
    }
}

/// What was heard of one call, or of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// Packets that came, each once.
    pub packets: u64,
    /// Packets that did not come though later ones did.
    pub lost: u64,
    /// Between one packet and the next.
    pub gaps: Histogram,
    last: Option<(u16, Instant)>,
}

impl Heard {
    /// Takes a packet of this number.
    pub fn note(&mut self, number: u16, now: Instant) {
        let Some((last, at)) = self.last else {
            self.packets = 1;
            self.last = Some((number, now));
            return;
        };
        let step = number.wrapping_sub(last);
        if step == 0 {
            return;
        }
        self.packets += 1;
        if step >= AHEAD_MAX {
            // It was counted as lost.
            self.lost = self.lost.saturating_sub(1);
            return;
        }
        self.lost += u64::from(step) - 1;
        self.gaps.add(now.saturating_duration_since(at));
        self.last = Some((number, now));
    }

    /// Takes what was heard of another call.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.gaps.merge(&other.gaps);
    }

    /// Of all packets that were sent, as far as their numbers tell, so many did not come, in percent; NaN of none.
    pub fn lost_percent(&self) -> f64 {
        self.lost as f64 * 100.0 / (self.packets + self.lost) as f64
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that is late sends what is due at once: whom it talks to gets as many packets in any case.
async fn talk(place: Place, there: SocketAddr, heard: Arc<Mutex<Heard>>) {
    let Place { socket, port } = place;
    let mut packet = [SILENCE; HEADER_BYTES + SAMPLES];
    let mut buffer = [0; 2_048];
    let mut ticks = interval(PACKET_EVERY);
    let (mut number, mut samples) = (0u16, 0u32);
    packet[0] = 0x80;
    packet[1] = PAYLOAD_TYPE;
    packet[8..12].copy_from_slice(&(0x0100_0000 | u32::from(port)).to_be_bytes());
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                packet[2..4].copy_from_slice(&number.to_be_bytes());
                packet[4..8].copy_from_slice(&samples.to_be_bytes());
                (number, samples) = (number.wrapping_add(1), samples.wrapping_add(SAMPLES as u32));
                // The next one may arrive.
                let _ = socket.send_to(&packet, there).await;
            }
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received && from == there && length > HEADER_BYTES {
                    lock(&heard).note(u16::from_be_bytes([buffer[2], buffer[3]]), Instant::now());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_lost_and_what_is_late_is_not() {
        let begun = Instant::now();
        let mut heard = Heard::default();
        // Numbers start over after the last; 2 comes after 3, and twice; 4 never comes.
        for (tick, number) in [(0, 65_535), (1, 0), (2, 1), (4, 3), (5, 2), (6, 5), (7, 5)] {
            heard.note(number, begun + PACKET_EVERY * tick);
        }
        assert_eq!((heard.packets, heard.lost), (6, 1));
        assert!((heard.lost_percent() - 100.0 / 7.0).abs() < 1e-9);
        assert!((heard.gaps.ms(0.5) - 20.0).abs() < 0.2 && (heard.gaps.ms(1.0) - 40.0).abs() < 0.4);
        let mut all = Heard::default();
        all.merge(&heard);
        all.merge(&heard);
        assert_eq!((all.packets, all.lost), (12, 2));
        assert!(Heard::default().lost_percent().is_nan());
    }

    #[tokio::test]
    async fn an_echo_is_heard_and_a_stranger_is_not() {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let talk = Place::open().await.unwrap().talk(far.local_addr().unwrap());
        let mut buffer = [0; 2_048];
        for expected in 0..3 {
            let (length, from) = far.recv_from(&mut buffer).await.unwrap();
            assert_eq!((length, buffer[1], buffer[171]), (172, PAYLOAD_TYPE, SILENCE));
            assert_eq!(u16::from_be_bytes([buffer[2], buffer[3]]), expected);
            let mut forged = buffer;
            forged[2] = 0x40;
            stranger.send_to(&forged[..length], from).await.unwrap();
            far.send_to(&buffer[..length], from).await.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while talk.packets() < 3 {
            assert!(Instant::now() < deadline, "three packets come back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let heard = talk.take_heard();
        assert_eq!((heard.packets, heard.lost), (3, 0));
    }
}
