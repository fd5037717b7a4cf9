//! One device on real MQTT: the device agent's session over tokio's sockets, as many connections as it takes.
//!
//! Session, outbox and back-off are the agent's. Here are the socket, the clock, and what this device reports.

use super::HomeCounters;
use super::command::{Reply, Status, answer};
use super::delivery::{Delivered, DeviceConnection, DeviceError, End};
use super::message::{BATCH, Packer, Sample};
use agent_sdk_async::{Buffers, Clock};
use agent_sdk_core::{
    Credentials, Event, Identity, Lane, Overflow, Publish, Qos, RECORD_HEAD_BYTES, Reason, Refused, Session, Settings,
    Token,
};
use agent_sdk_wire::MAX_MESSAGE_BYTES;
use embedded_io_adapters::tokio_1::FromTokio;
use hub_core::profile::ApplianceProfile;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How often the source is asked for samples.
pub(super) const POLL: Duration = Duration::from_millis(100);
const POLL_MS: u64 = 100;
/// For the socket to be open.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A device whose patience is limited gives up after so many tries that opened no connection, unless there has been one before.
const TRIES_MAX: u32 = 6;
/// A connection on which nothing is acknowledged for longer, while messages wait, is given up.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// For the acknowledgements under way after `stop`, and for the DISCONNECT after them.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// Messages of telemetry kept at most; beyond it the source is not asked for more.
const MESSAGES_MAX: usize = 256;
/// Messages that may be under way at one time.
pub(super) const WINDOW: u8 = 16;
/// More than [`MESSAGES_MAX`] ordinary messages; of the longest ones it holds fewer.
const OUTBOX_BYTES: usize = 512 * 1024;
/// What the longest message takes in the outbox.
const MESSAGE_BYTES_MAX: usize = MAX_MESSAGE_BYTES + RECORD_HEAD_BYTES + TELEMETRY.len();
/// The longest message of the hub that is heard.
const RECEIVE_BYTES: usize = 10 * 1024;
/// Bytes on their way in either direction.
const BUFFER_BYTES: usize = 4 * 1024;

/// Topic of telemetry, without the device's prefix.
const TELEMETRY: &str = "t";

const SETTINGS: Settings = Settings {
    keep_alive_s: 15,
    connack_limit_ms: 10_000,
    answer_limit_ms: 15_000,
    window: WINDOW,
    backoff_base_ms: 100,
    backoff_cap_ms: 2_000,
};

/// Where samples come from: a machine that lives in civil time, or a recording.
pub(super) trait Source: Send {
    /// The samples that are due and were not taken yet; `room` at most from a source that can hold them back.
    fn due(&mut self, room: usize) -> Vec<Sample>;
    /// Nothing will ever come again.
    fn is_over(&mut self) -> bool;
}

/// A message of telemetry that the session holds.
struct Waiting {
    token: Token,
    samples: u64,
    /// It was within the window of a connection.
    is_sent: bool,
}

/// A device with everything it holds between connections, beside its session.
pub(super) struct Device<S> {
    connection: DeviceConnection,
    profile: Arc<ApplianceProfile>,
    boot_id: u64,
    source: S,
    counters: Arc<HomeCounters>,
    stop: CancellationToken,
    /// Limits a time without progress.
    patience: Option<Duration>,
    /// Further tries to reach a hub that was not reached before; none once it was, and where they are not limited.
    tries_left: Option<u32>,
    packer: Packer,
    /// Taken from the source, and in no message yet.
    held: VecDeque<Sample>,
    /// In the session's order.
    waiting: VecDeque<Waiting>,
    /// Answers to commands, until it is the device's turn.
    replies: Vec<Reply>,
    delivered: Delivered,
    /// When an acknowledgement came last, or there was nothing to wait for.
    progress: Instant,
    /// When the hub accepted the present connection.
    connected: Option<Instant>,
    /// When the source is to be asked again.
    look_at: Instant,
    /// When `stop` was noticed.
    farewell: Option<Instant>,
    /// Why it gives up.
    failure: Option<DeviceError>,
    /// All is delivered, or time for it is up.
    is_done: bool,
}

impl<S: Source> Device<S> {
    /// A device that is to run until the source is over and all is acknowledged, or until `stop`; `patience` limits a time
    /// without progress.
    pub(super) fn new(
        connection: DeviceConnection,
        profile: Arc<ApplianceProfile>,
        boot_id: u64,
        source: S,
        counters: Arc<HomeCounters>,
        stop: CancellationToken,
        patience: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection,
            profile,
            boot_id,
            source,
            counters,
            stop,
            patience,
            tries_left: patience.map(|_| TRIES_MAX),
            packer: Packer::new(boot_id),
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            replies: Vec::new(),
            delivered: Delivered::default(),
            progress: now,
            connected: None,
            look_at: now,
            farewell: None,
            failure: None,
            is_done: false,
        }
    }

    /// Drives the connection until it ends.
    pub(super) async fn run(mut self) -> Result<Delivered, DeviceError> {
        let (mut outbox, mut receive) = (vec![0; OUTBOX_BYTES], vec![0; RECEIVE_BYTES]);
        // The lower half of a random number is a seed as good as any.
        let seed = self.boot_id as u32;
        let mut session = Session::new(&mut outbox, &mut receive, SETTINGS, seed)
            .expect("the receive buffer is longer than the shortest one");
        let clock = Uptime { start: Instant::now() };
        self.progress = clock.start;
        loop {
            let end = self.one_connection(&mut session, &clock).await?;
            let End::Lost(reason) = end else {
                return Ok(self.delivered);
            };
            if self.stop.is_cancelled() {
                return Ok(self.delivered);
            }
            self.check_patience()?;
            if self.connected.is_some() {
                info!(device = ?self.connection, %reason, waiting = self.waiting.len(), "connection lost");
            } else {
                debug!(device = ?self.connection, %reason, "no connection yet");
            }
            tokio::select! {
                () = clock.sleep_until(session.next_connect_at().unwrap_or(0)) => {}
                () = self.stop.cancelled() => return Ok(self.delivered),
            }
        }
    }

    async fn one_connection(&mut self, session: &mut Session<'_>, clock: &Uptime) -> Result<End, DeviceError> {
        self.connected = None;
        let (who, stop) = (self.connection.clone(), self.stop.clone());
        let opened = tokio::select! {
            opened = open(who.broker) => opened,
            () = stop.cancelled() => return Ok(End::Done),
        };
        let stream = match opened {
            Ok(stream) => stream,
            Err(source) => {
                session.handle_disconnected(clock.now_ms());
                return self.unreached(source);
            }
        };
        let client_id = format!("{}-{}", who.tenant, who.device);
        let user_name = format!("{}/{}", who.tenant, who.device);
        let topic_prefix = format!("d/{}/", who.device);
        let identity = Identity {
            client_id: &client_id,
            credentials: Some(Credentials {
                user_name: &user_name,
                password: Some(who.secret.as_bytes()),
            }),
            will: None,
            topic_prefix: &topic_prefix,
            subscriptions: &["c/+"],
        };
        let mut transport = FromTokio::new(stream);
        let (mut incoming, mut outgoing) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        let buffers = Buffers {
            receive: &mut incoming,
            transmit: &mut outgoing,
        };
        let outcome = tokio::select! {
            outcome = agent_sdk_async::run(session, &identity, &mut transport, buffers, clock, self, 0) => outcome,
            () = overtime(&stop) => {
                debug!(device = ?who, "the hub did not read the DISCONNECT in time");
                session.handle_disconnected(clock.now_ms());
                return Ok(End::Done);
            }
        };
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.is_done {
            return Ok(End::Done);
        }
        match outcome {
            Ok(Reason::Refused(code)) if DeviceError::is_final(code) => Err(DeviceError::Refused {
                device: format!("{who:?}"),
                code,
            }),
            Ok(reason) => Ok(End::Lost(format!("{reason:?}"))),
            Err(error) => Ok(End::Lost(error.to_string())),
        }
    }

    /// No connection could be opened.
    fn unreached(&mut self, source: io::Error) -> Result<End, DeviceError> {
        self.tries_left = self.tries_left.map(|left| left.saturating_sub(1));
        if self.tries_left == Some(0) {
            let device = format!("{:?}", self.connection);
            return Err(DeviceError::Unreached { device, source });
        }
        Ok(End::Lost(source.to_string()))
    }

    /// What the device does with a session, online or not.
    fn work(&mut self, session: &mut Session<'_>) -> Result<(), DeviceError> {
        self.check_patience()?;
        for reply in std::mem::take(&mut self.replies) {
            let need = RECORD_HEAD_BYTES + reply.topic.len() + reply.payload.len();
            // Otherwise telemetry would give way to it.
            let has_room = session.outbox_free_bytes() >= need;
            if !has_room || publish(session, Lane::Event, &reply.topic, &reply.payload).is_err() {
                warn!(device = ?self.connection, topic = reply.topic, "command not answered");
            }
        }
        // Online, and told so: what is sent before would be counted as sent again.
        if !session.is_online() || self.connected.is_none() {
            return Ok(());
        }
        if self.farewell.is_none() && Instant::now() >= self.look_at {
            self.look_at = Instant::now() + POLL;
            self.take_samples();
        }
        self.pack(session)?;
        self.count_sent();
        Ok(())
    }

    fn take_samples(&mut self) {
        if !self.held.is_empty() {
            return;
        }
        let room = MESSAGES_MAX.saturating_sub(self.waiting.len()) * BATCH;
        if room == 0 {
            return;
        }
        self.held.extend(self.source.due(room));
        self.delivered.taken += self.held.len() as u64;
        if self.waiting.is_empty() {
            self.progress = Instant::now();
        }
    }

    /// Puts what is held into messages, as far as there is room.
    fn pack(&mut self, session: &mut Session<'_>) -> Result<(), DeviceError> {
        while self.waiting.len() < MESSAGES_MAX && session.outbox_free_bytes() >= MESSAGE_BYTES_MAX {
            let Some((payload, count)) = self.packer.pack(self.held.make_contiguous(), &self.profile)? else {
                return Ok(());
            };
            let token = publish(session, Lane::Telemetry, TELEMETRY, payload)
                .expect("there is room for the longest message, and the topic is one");
            self.held.drain(..count);
            self.waiting.push_back(Waiting {
                token,
                samples: count as u64,
                is_sent: false,
            });
        }
        Ok(())
    }

    /// Counts what the window lets out: the oldest messages.
    fn count_sent(&mut self) {
        for message in self.waiting.iter_mut().take(usize::from(WINDOW)) {
            if !std::mem::replace(&mut message.is_sent, true) {
                self.counters.published.fetch_add(message.samples, Relaxed);
            }
        }
    }

    fn handle_delivered(&mut self, token: Token) {
        // Answers to commands are not among them.
        let Some(at) = self.waiting.iter().position(|message| message.token == token) else {
            return;
        };
        if let Some(message) = self.waiting.remove(at) {
            self.progress = Instant::now();
            self.delivered.acknowledged += message.samples;
            self.counters.acknowledged.fetch_add(message.samples, Relaxed);
        }
    }

    fn handle_command(&mut self, topic: &[u8], payload: &[u8]) {
        let status = Status {
            family: &self.profile.name,
            boot_id: self.boot_id,
            waiting: self.waiting.len(),
        };
        let topic = String::from_utf8_lossy(topic);
        match answer(&topic, payload, &status) {
            Some(reply) => self.replies.push(reply),
            None => warn!(device = ?self.connection, %topic, "not a command"),
        }
    }

    /// Whether there is nothing left to do, or no time for it.
    fn is_finished(&mut self, session: &Session<'_>) -> bool {
        let all_delivered = session.is_outbox_empty() && self.held.is_empty();
        match self.farewell {
            Some(since) => !session.is_online() || all_delivered || since.elapsed() >= FAREWELL,
            None => session.is_online() && all_delivered && self.source.is_over(),
        }
    }

    /// The hub has had this connection for long enough to acknowledge something, and has not.
    fn ack_is_late(&self) -> bool {
        let late = |since: Instant| since.max(self.progress).elapsed() > ACK_DEADLINE;
        !self.waiting.is_empty() && self.connected.is_some_and(late)
    }

    fn check_patience(&self) -> Result<(), DeviceError> {
        match self.patience {
            Some(limit) if self.progress.elapsed() > limit => Err(DeviceError::Stalled {
                device: format!("{:?}", self.connection),
                limit,
                waiting: self.waiting.len(),
            }),
            _ => Ok(()),
        }
    }
}

impl<S: Source> agent_sdk_async::Device<Session<'_>> for Device<S> {
    fn turn(&mut self, session: &mut Session<'_>, now_ms: u64) -> u64 {
        if self.farewell.is_none() && self.stop.is_cancelled() {
            self.farewell = Some(Instant::now());
        }
        if let Err(error) = self.work(session)
            && self.failure.is_none()
        {
            self.failure = Some(error);
        }
        self.is_done = self.is_done || self.is_finished(session);
        if self.failure.is_some() || self.is_done || self.ack_is_late() {
            session.close();
        }
        now_ms.saturating_add(POLL_MS)
    }

    fn event(&mut self, event: Event<'_>, _now_ms: u64) {
        match event {
            Event::Connected { .. } => {
                self.connected = Some(Instant::now());
                self.tries_left = None;
                for message in self.waiting.iter().filter(|message| message.is_sent) {
                    self.counters.resent.fetch_add(message.samples, Relaxed);
                }
            }
            Event::Delivered(token) => self.handle_delivered(token),
            Event::Message { topic, payload } => self.handle_command(topic, payload),
            Event::Subscribed { refused: 0 } | Event::Disconnected(_) => {}
            Event::Subscribed { refused } => warn!(device = ?self.connection, refused, "commands not subscribed"),
            Event::Dropped { lane, count } => warn!(device = ?self.connection, ?lane, count, "messages dropped"),
        }
    }

    async fn wake(&mut self) {
        if self.farewell.is_some() {
            std::future::pending().await
        } else {
            self.stop.cancelled().await;
        }
    }
}

/// Time since the device was switched on.
struct Uptime {
    start: Instant,
}

impl Clock for Uptime {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_until(&self, at_ms: u64) {
        sleep(Duration::from_millis(at_ms.saturating_sub(self.now_ms()))).await;
    }
}

async fn open(hub: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_LIMIT, TcpStream::connect(hub)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Over when even the last goodbye has had its time.
async fn overtime(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(FAREWELL * 2).await;
}

/// A message that stays until the hub has it; nothing gives way to telemetry.
fn publish(session: &mut Session<'_>, lane: Lane, topic: &str, payload: &[u8]) -> Result<Token, Refused> {
    session.publish(&Publish {
        lane,
        topic,
        payload,
        qos: Qos::AtLeastOnce,
        retain: false,
        overflow: Overflow::DropNewest,
    })
}
