//! One device of the fleet: the agent's session over a socket of tokio, with readings that come whether or not there is a
//! broker.

use super::tally::Tally;
use crate::reading::{Load, PAYLOAD_BYTES, identity};
use agent_sdk_async::{Buffers, Clock, Device, run};
use agent_sdk_core::{
    Credentials, Event, Identity, Lane, Overflow, Publish, Qos, RECORD_HEAD_BYTES, Reason, Session, Settings,
};
use anyhow::{Context, Result};
use embedded_io_adapters::tokio_1::FromTokio;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest message of the broker: it has none for these devices.
const RECEIVE_BYTES: usize = 64;
const TRANSMIT_BYTES: usize = 256;
const TOPIC: &str = "t";
/// What a reading takes of the outbox.
const READING_BYTES: usize = RECORD_HEAD_BYTES + TOPIC.len() + PAYLOAD_BYTES;

/// The clock of all devices of a fleet, which begins with the fleet.
#[derive(Debug, Clone, Copy)]
pub struct Uptime {
    started: Instant,
}

impl Uptime {
    /// It is 0 now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for Uptime {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_until(&self, at_ms: u64) {
        let left_ms = at_ms.saturating_sub(self.now_ms());
        tokio::time::sleep(Duration::from_millis(left_ms)).await;
    }
}

/// What all devices of a fleet have in common.
#[derive(Clone)]
pub struct Fleet {
    /// Where they connect.
    pub broker: SocketAddr,
    /// Limits and back-off.
    pub settings: Settings,
    /// The readings.
    pub load: Load,
    /// Between two readings of one device, in milliseconds.
    pub every_ms: u64,
    /// Their clock.
    pub uptime: Uptime,
    /// What they tell.
    pub tally: Arc<Tally>,
    /// Whether they say goodbye.
    pub over: watch::Receiver<bool>,
}

/// Lives until the fleet is over: connects from `starts_at` on, and has its first reading at `first_at`, both in milliseconds
/// of uptime.
///
/// # Errors
/// A reading cannot be made.
pub async fn live(index: usize, starts_at: u64, first_at: u64, fleet: Fleet) -> Result<()> {
    let who = identity(index);
    let prefix = format!("d/{}/", who.device);
    let itself = Identity {
        client_id: &who.device,
        credentials: Some(Credentials {
            user_name: &who.user_name,
            password: Some(who.secret.as_bytes()),
        }),
        will: None,
        topic_prefix: &prefix,
        subscriptions: &["c/+"],
    };
    let mut outbox = vec![0; fleet.load.each * READING_BYTES];
    let mut receive = [0; RECEIVE_BYTES];
    // Each its own seed, and the same one with each broker.
    let seed = u32::try_from(index)?;
    let session = Session::new(&mut outbox, &mut receive, fleet.settings, seed);
    let mut session = session.context("the receive buffer is too short")?;
    let uptime = fleet.uptime;
    let mut reporter = Reporter {
        fleet,
        index,
        first_at,
        next: 0,
        failure: None,
    };
    let mut connect_at = starts_at;
    while reporter.wait_until(connect_at, &mut session).await {
        reporter.fleet.tally.tries(uptime.now_ms());
        if let Ok(stream) = open(reporter.fleet.broker).await {
            let mut transport = FromTokio::new(stream);
            let buffers = Buffers {
                receive: &mut [0; RECEIVE_BYTES],
                transmit: &mut [0; TRANSMIT_BYTES],
            };
            let ended = run(
                &mut session,
                &itself,
                &mut transport,
                buffers,
                &uptime,
                &mut reporter,
                0,
            )
            .await;
            if matches!(ended, Ok(Reason::Closed)) {
                break;
            }
        } else {
            session.handle_disconnected(uptime.now_ms());
        }
        connect_at = session.next_connect_at().unwrap_or(0);
    }
    reporter.failure.map_or(Ok(()), Err)
}

async fn open(broker: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(broker).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Hands in the readings that are due.
struct Reporter {
    fleet: Fleet,
    index: usize,
    first_at: u64,
    /// Number of the next reading.
    next: usize,
    failure: Option<anyhow::Error>,
}

impl Reporter {
    /// Waits without a connection, and readings go on coming; whether to connect then.
    async fn wait_until(&mut self, at_ms: u64, session: &mut Session<'_>) -> bool {
        loop {
            let now_ms = self.fleet.uptime.now_ms();
            let due_at = self.turn(session, now_ms);
            if self.is_over() {
                return false;
            }
            if now_ms >= at_ms {
                return true;
            }
            let uptime = self.fleet.uptime;
            tokio::select! {
                () = uptime.sleep_until(at_ms.min(due_at)) => {}
                _ = self.fleet.over.changed() => {}
            }
        }
    }

    /// Also where nobody is left who could say so.
    fn is_over(&self) -> bool {
        self.failure.is_some() || self.fleet.over.has_changed().is_err() || *self.fleet.over.borrow()
    }

    /// When the next reading is due; `u64::MAX` after the last one.
    fn due_at(&self) -> u64 {
        if self.next < self.fleet.load.each {
            self.first_at + self.next as u64 * self.fleet.every_ms
        } else {
            u64::MAX
        }
    }

    fn report(&self, session: &mut Session<'_>) -> Result<()> {
        let payload = self.fleet.load.payload(self.index, self.next)?;
        let reading = Publish {
            lane: Lane::Telemetry,
            topic: TOPIC,
            payload: &payload,
            qos: Qos::AtLeastOnce,
            retain: false,
            overflow: Overflow::DropOldest,
        };
        // What is refused for want of room is told as dropped, and any other refusal leaves a reading that never arrives.
        let _ = session.publish(&reading);
        Ok(())
    }
}

impl Device<Session<'_>> for Reporter {
    fn turn(&mut self, session: &mut Session<'_>, now_ms: u64) -> u64 {
        while self.failure.is_none() && now_ms >= self.due_at() {
            if let Err(error) = self.report(session) {
                self.failure = Some(error);
            }
            self.next += 1;
        }
        if self.is_over() {
            session.close();
        }
        self.due_at()
    }

    fn event(&mut self, event: Event<'_>, now_ms: u64) {
        match event {
            Event::Connected { .. } => self.fleet.tally.came(self.index, now_ms),
            Event::Delivered(_) => self.fleet.tally.delivered(),
            Event::Dropped { count, .. } => self.fleet.tally.dropped(count),
            Event::Subscribed { .. } | Event::Message { .. } | Event::Disconnected(_) => {}
        }
    }

    async fn wake(&mut self) {
        let _ = self.fleet.over.changed().await;
    }
}
