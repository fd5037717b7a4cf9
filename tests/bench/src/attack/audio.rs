//! What the owner of one call sends and hears: RTP (RFC 3550), as much of it as counting takes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A packet of audio, either way.
pub(super) const PACKET_EVERY: Duration = Duration::from_millis(20);
/// Header of an RTP packet (§5.1).
const RTP_HEADER_BYTES: usize = 12;
/// Samples of 20 ms.
const SAMPLES: usize = 160;

/// What was heard since it was last asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audio {
    pub since: Instant,
    pub last: Instant,
    pub packets: u64,
    pub longest_gap: Duration,
}

impl Audio {
    pub fn begin(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            packets: 0,
            longest_gap: Duration::ZERO,
        }
    }

    pub fn note(&mut self, now: Instant) {
        self.longest_gap = self.longest_gap.max(now.saturating_duration_since(self.last));
        self.last = now;
        self.packets += 1;
    }
}

pub(super) fn audio(audio: &Mutex<Audio>) -> MutexGuard<'_, Audio> {
    audio.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends silence and counts what is heard, until it is ended from outside.
pub(super) async fn talk(socket: UdpSocket, hub: SocketAddr, payload_type: u8, silence: u8, heard: Arc<Mutex<Audio>>) {
    let mut packet = [silence; RTP_HEADER_BYTES + SAMPLES];
    let mut buffer = [0; 2_048];
    let mut ticks = interval(PACKET_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sequence, mut samples) = (0u16, 0u32);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                packet[0] = 0x80;
                packet[1] = payload_type;
                packet[2..4].copy_from_slice(&sequence.to_be_bytes());
                packet[4..8].copy_from_slice(&samples.to_be_bytes());
                packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
                (sequence, samples) = (sequence.wrapping_add(1), samples.wrapping_add(SAMPLES as u32));
                // The next one may arrive.
                let _ = socket.send_to(&packet, hub).await;
            }
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received && from == hub && length > RTP_HEADER_BYTES {
                    audio(&heard).note(Instant::now());
                }
            }
        }
    }
}
