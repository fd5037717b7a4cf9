//! The one ticker: a thread that wakes every 20 ms and gives every call its tick. A thread of its own, because a busy
//! async runtime would make every call stutter.

use super::rtp::FRAME;
use super::sdp::Negotiated;
use super::sound::Sound;
use super::stream::{AudioCounts, MediaEvent, RANDOM, Stream};
use rand::TryRngCore;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Media events that may wait for their call.
const EVENTS_MAX: usize = 64;
/// Odd ports that are passed over in the search for an even one.
const ODD_MAX: usize = 32;
/// Later than this, ticks are given up instead of being caught up with: a burst would only be lost at the far side.
const LATE_MAX: Duration = Duration::from_millis(100);

/// Why a call has no audio.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No port is free.
    #[error("no UDP port is free for audio on {ip}; allow more ports or fewer channels")]
    NoPort {
        /// The address that was tried.
        ip: IpAddr,
        /// What the system said of the last port.
        source: std::io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no random numbers")]
    Random(#[source] rand::rand_core::OsError),
    /// The ticker could not be started.
    #[error("the media thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// How a call's audio is set up.
#[derive(Debug, Clone)]
pub struct MediaOptions {
    /// The address audio is received on.
    pub ip: IpAddr,
    /// The UDP ports of which the even ones are used; the system chooses when there is none.
    pub ports: Option<RangeInclusive<u16>>,
    /// Send back what is heard while nothing else is sent.
    pub echo: bool,
    /// Samples of the far side to keep, at 8,000 a second; 0 keeps none.
    pub capture_max: usize,
    /// After so long without a packet the far side counts as dead; one that pauses while nobody speaks, or whose audio comes
    /// from elsewhere only, after three times as long. None watches for nothing.
    pub silence_max: Option<Duration>,
}

type Streams = Mutex<Vec<Weak<Mutex<Stream>>>>;

/// The ticker and the calls on it. Dropping it stops the thread.
pub struct MediaEngine {
    streams: Arc<Streams>,
    stop: Arc<AtomicBool>,
    late: Arc<AtomicU64>,
    next_port: AtomicU16,
}

impl MediaEngine {
    /// Starts the ticker.
    pub fn start() -> Result<Self, MediaError> {
        let streams = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicU64::new(0));
        let (on, stopped, missed) = (Arc::clone(&streams), Arc::clone(&stop), Arc::clone(&late));
        std::thread::Builder::new()
            .name("media".into())
            .spawn(move || run(&on, &stopped, &missed))
            .map_err(MediaError::Thread)?;
        Ok(Self {
            streams,
            stop,
            late,
            next_port: AtomicU16::new(0),
        })
    }

    /// A new call's audio, silent until it is connected.
    pub fn open(&self, options: &MediaOptions) -> Result<MediaSession, MediaError> {
        let socket = self.bind(options)?;
        let fail = |source| MediaError::NoPort { ip: options.ip, source };
        socket.set_nonblocking(true).map_err(fail)?;
        let local = socket.local_addr().map_err(fail)?;
        let control = bind_control(options, local.port());
        let mut random = [0u8; RANDOM];
        rand::rngs::OsRng
            .try_fill_bytes(&mut random)
            .map_err(MediaError::Random)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let stream = Stream::new(
            socket,
            control,
            sender,
            random,
            options.echo,
            options.capture_max,
            options.silence_max,
        );
        let stream = Arc::new(Mutex::new(stream));
        lock(&self.streams).push(Arc::downgrade(&stream));
        Ok(MediaSession { local, stream, events })
    }

    /// Ticks that came more than 100 ms late since the start and were skipped.
    pub fn late_ticks(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Even ports in turn, so that a port just given up rests before it is used again.
    fn bind(&self, options: &MediaOptions) -> Result<UdpSocket, MediaError> {
        let fail = |source| MediaError::NoPort { ip: options.ip, source };
        let Some(range) = &options.ports else {
            return bind_any(options.ip).map_err(fail);
        };
        let first = range.start().saturating_add(range.start() % 2);
        let count = (range.end().saturating_sub(first) / 2).saturating_add(1);
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        for _ in 0..count {
            let turn = self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            match UdpSocket::bind((options.ip, first + 2 * turn)) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(fail(last))
    }
}

/// A port of the system's choice, an even one (RFC 3550 §11) unless it hands out odd ones only.
fn bind_any(ip: IpAddr) -> std::io::Result<UdpSocket> {
    // Held until there is an even one: what is given back may be handed out again at once.
    let mut odd = Vec::new();
    loop {
        let socket = UdpSocket::bind((ip, 0))?;
        if socket.local_addr()?.port() % 2 == 0 || odd.len() >= ODD_MAX {
            return Ok(socket);
        }
        odd.push(socket);
    }
}

/// The port above the audio's is that of reports (RFC 3550 §11). Where it is in use or not ours, the call goes without.
fn bind_control(options: &MediaOptions, audio: u16) -> Option<UdpSocket> {
    let port = audio.checked_add(1)?;
    if options.ports.as_ref().is_some_and(|ports| !ports.contains(&port)) {
        return None;
    }
    let socket = UdpSocket::bind((options.ip, port)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

impl Drop for MediaEngine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn run(streams: &Streams, stop: &AtomicBool, late: &AtomicU64) {
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        next += FRAME;
        let now = Instant::now();
        if next > now {
            std::thread::sleep(next - now);
        } else if now - next > LATE_MAX {
            late.fetch_add(1, Ordering::Relaxed);
            next = now;
        }
        let mut live = Vec::new();
        lock(streams).retain(|stream| match stream.upgrade() {
            Some(stream) => {
                live.push(stream);
                true
            }
            None => false,
        });
        for stream in live {
            lock(&stream).tick(Instant::now());
        }
    }
}

/// A panic of another holder leaves at worst one odd packet, so its poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handle on one call's audio; dropping it closes the socket.
pub struct MediaSession {
    local: SocketAddr,
    stream: Arc<Mutex<Stream>>,
    events: mpsc::Receiver<MediaEvent>,
}

impl MediaSession {
    /// Where audio is received.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Lets audio flow as agreed. What came before the first agreement is thrown away.
    pub fn connect(&self, negotiated: Negotiated) {
        lock(&self.stream).connect(negotiated, Instant::now());
    }

    /// Sends a clip; its end is told as `PlayFinished(number)`.
    pub fn play(&self, number: u64, sound: &Sound) {
        lock(&self.stream).play(number, sound);
    }

    /// Cuts off the clip being sent.
    pub fn stop_playing(&self) {
        lock(&self.stream).stop_playing();
    }

    /// Sends a key as a telephone event; false when that cannot be.
    pub fn press(&self, key: char) -> bool {
        lock(&self.stream).press(key)
    }

    /// The far side has sent something by signalling: it lives, though no audio comes.
    pub fn note_life(&self) {
        lock(&self.stream).handle_life(Instant::now());
    }

    /// The next thing the audio tells. Never `None` while this session lives.
    pub async fn event(&mut self) -> Option<MediaEvent> {
        self.events.recv().await
    }

    /// The counts up to now.
    pub fn counts(&self) -> AudioCounts {
        lock(&self.stream).counts()
    }

    /// Audio came in the call, a second of it or more, and all of it from addresses that were not announced.
    pub fn is_all_elsewhere(&self) -> bool {
        lock(&self.stream).is_all_elsewhere()
    }

    /// A copy of what was heard, as far as `MediaOptions::capture_max` kept it.
    pub fn captured(&self) -> Vec<i16> {
        lock(&self.stream).captured().to_vec()
    }

    /// The same without its first `known` samples.
    pub fn captured_after(&self, known: usize) -> Vec<i16> {
        let stream = lock(&self.stream);
        stream.captured().get(known..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
