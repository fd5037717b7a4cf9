//! A home whose machine runs real firmware: the C program of `agent-sdk/firmware/c-demo` on a board that QEMU plays. Modem and
//! sensors are simulated; what the device tells the hub, and when, is the firmware's own affair.

use super::delivery::{Delivered, DeviceError};
use super::device::{FAREWELL, POLL, Source};
use super::message::Sample;
use super::{Home, HomeCounters, Living, home_parts};
use crate::modem::Modem;
use hub_core::clock::CivilClock;
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Samples that the board has and the hub has not. All of them, however long, fit the 16,384 bytes that the board's serial port
/// receives between two turns, so that none is ever lost on the wire.
const WAITING_MAX: u64 = 64;
/// Readings of a sample: as many as a frame holds.
const READINGS_MAX: usize = 49;
/// To the board: a sample. See `agent-sdk/firmware/c-demo/sensors.h`.
const SAMPLE: u8 = b'S';
/// From the board: the hub has so many samples more.
const KEPT: u8 = b'K';
/// Kind, count, and a number of 32 bits.
const KEPT_BYTES: usize = 6;

/// Firmware, and what plays its board.
#[derive(Debug, Clone)]
pub struct Board {
    /// The image.
    pub image: PathBuf,
    /// `qemu-system-arm`, or a program that starts it.
    pub qemu: PathBuf,
}

/// Runs a home as [`super::run`] does, on a board.
///
/// # Errors
/// The board does not start, or ends by itself.
pub async fn run_on_board(
    home: Home,
    board: Board,
    broker: SocketAddr,
    clock: Arc<dyn CivilClock>,
    stop: CancellationToken,
    counters: Arc<HomeCounters>,
) -> Result<Delivered, DeviceError> {
    let (connection, source) = home_parts(&home, broker, clock);
    let ran = run(&home, &board, broker, source, &stop, &counters).await;
    ran.map_err(|source| DeviceError::Board {
        device: format!("{connection:?}"),
        source,
    })
}

async fn run(
    home: &Home,
    board: &Board,
    broker: SocketAddr,
    source: Living,
    stop: &CancellationToken,
    counters: &HomeCounters,
) -> io::Result<Delivered> {
    let modem = Modem::to(broker).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let sensors_port = listener.local_addr()?.port();
    let mut qemu = start(home, board, modem.port, sensors_port)?;
    let sensors = tokio::select! {
        accepted = listener.accept() => accepted?.0,
        status = qemu.wait() => return Err(ended(status?)),
        () = stop.cancelled() => return Ok(Delivered::default()),
    };
    sensors.set_nodelay(true)?;
    let mut feed = Feed {
        source,
        counters,
        held: VecDeque::new(),
        waiting: 0,
        delivered: Delivered::default(),
    };
    feed.run(sensors, &mut qemu, stop).await?;
    qemu.kill().await?;
    Ok(feed.delivered)
}

fn start(home: &Home, board: &Board, modem_port: u16, sensors_port: u16) -> io::Result<Child> {
    let Home {
        tenant,
        device,
        secret,
        boot_id,
        ..
    } = home;
    // The lower half of a random number is a seed as good as any.
    let seed = *boot_id as u32;
    let arguments = format!(
        "enable=on,target=native,arg=image,arg=user={tenant}/{device},arg=secret={secret},arg=boot={boot_id},\
         arg=seed={seed},arg=sensors=1,arg=backoff_cap_ms=2000"
    );
    Command::new(&board.qemu)
        .args(["-M", "mps2-an386", "-nographic", "-monitor", "none", "-nic", "none"])
        .args(["-serial", &format!("tcp:127.0.0.1:{modem_port}")])
        .args(["-serial", &format!("tcp:127.0.0.1:{sensors_port}")])
        .args(["-semihosting-config", &arguments])
        .arg("-kernel")
        .arg(&board.image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

fn ended(status: std::process::ExitStatus) -> io::Error {
    io::Error::other(format!("QEMU ended with {status}"))
}

/// What the sensors measure, on its way to the board.
struct Feed<'c> {
    source: Living,
    counters: &'c HomeCounters,
    /// Taken from the machine, and not measured yet.
    held: VecDeque<Sample>,
    /// Samples that the board has and the hub has not.
    waiting: u64,
    delivered: Delivered,
}

impl Feed<'_> {
    /// Until `stop`, and until the hub has what the board has, for which there are a few seconds.
    async fn run(&mut self, sensors: TcpStream, qemu: &mut Child, stop: &CancellationToken) -> io::Result<()> {
        let (mut from_board, mut to_board) = sensors.into_split();
        let mut told = Told::default();
        let mut bytes = [0; 256];
        let mut look = interval(POLL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut farewell: Option<Instant> = None;
        loop {
            tokio::select! {
                read = from_board.read(&mut bytes) => match read? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => self.kept(told.take(&bytes[..count])),
                },
                _ = look.tick() => {}
                status = qemu.wait() => return Err(ended(status?)),
                () = stop.cancelled(), if farewell.is_none() => farewell = Some(Instant::now()),
            }
            if farewell.is_none() && self.held.is_empty() {
                self.held.extend(self.source.due(0));
                self.delivered.taken += self.held.len() as u64;
            }
            while self.waiting < WAITING_MAX
                && let Some(sample) = self.held.pop_front()
            {
                to_board.write_all(&frame(&sample)).await?;
                self.waiting += 1;
                self.counters.published.fetch_add(1, Relaxed);
            }
            let is_done = self.waiting == 0 && self.held.is_empty();
            if farewell.is_some_and(|since| is_done || since.elapsed() >= FAREWELL) {
                return Ok(());
            }
        }
    }

    fn kept(&mut self, samples: u64) {
        self.waiting = self.waiting.saturating_sub(samples);
        self.delivered.acknowledged += samples;
        self.counters.acknowledged.fetch_add(samples, Relaxed);
    }
}

/// A sample as the board's sensors say it: with as many digits as a profile stores. A sensor without a reading is left out.
fn frame(sample: &Sample) -> Vec<u8> {
    let mut bytes = vec![SAMPLE, 0];
    bytes.extend(sample.at.as_millisecond().to_le_bytes());
    let readings = sample.values.iter().filter(|(_, value)| value.is_finite());
    for (channel, value) in readings.take(READINGS_MAX) {
        bytes.push(*channel);
        bytes.extend((*value as f32).to_le_bytes());
    }
    // At most 8 bytes and 49 times 5.
    bytes[1] = u8::try_from(bytes.len() - 2).unwrap_or(u8::MAX);
    bytes
}

/// What the board tells, whose frames may come in pieces.
#[derive(Default)]
struct Told {
    rest: Vec<u8>,
}

impl Told {
    /// Takes bytes in; how many samples more the hub has by them.
    fn take(&mut self, bytes: &[u8]) -> u64 {
        self.rest.extend(bytes);
        let mut samples = 0;
        while let Some((frame, rest)) = self.rest.split_first_chunk::<KEPT_BYTES>() {
            if let [KEPT, 4, b0, b1, b2, b3] = *frame {
                samples += u64::from(u32::from_le_bytes([b0, b1, b2, b3]));
            }
            self.rest = rest.to_vec();
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::{READINGS_MAX, Told, frame};
    use crate::home::Sample;

    #[test]
    fn a_sample_is_a_frame_of_its_time_and_its_readings() {
        let sample = Sample {
            at: "1970-01-01T00:00:01.002Z".parse().unwrap(),
            values: vec![(1, 1.0), (2, f64::NAN), (9, -2.0)],
        };
        let mut expected = vec![b'S', 18, 0xEA, 3, 0, 0, 0, 0, 0, 0, 1];
        expected.extend(1.0_f32.to_le_bytes());
        expected.push(9);
        expected.extend((-2.0_f32).to_le_bytes());
        assert_eq!(frame(&sample), expected);
        let many = Sample {
            values: (1..=60).map(|channel| (channel, 0.0)).collect(),
            ..sample
        };
        assert_eq!(frame(&many).len(), 2 + 8 + 5 * READINGS_MAX);
        assert_eq!(usize::from(frame(&many)[1]) + 2, frame(&many).len());
    }

    #[test]
    fn what_the_hub_has_is_added_up_in_whatever_pieces_it_is_told() {
        let told = [b'K', 4, 8, 0, 0, 0, b'K', 4, 1, 1, 0, 0];
        for cut in 0..=told.len() {
            let mut parser = Told::default();
            let (one, other) = told.split_at(cut);
            assert_eq!(parser.take(one) + parser.take(other), 8 + 257, "cut at {cut}");
        }
    }
}
