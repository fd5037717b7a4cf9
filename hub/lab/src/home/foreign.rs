//! The same home on a stock MQTT client, as most devices have one: the hub must serve what knows nothing of our agent.
//!
//! One message at a time, kept until it is acknowledged. The client is made again for each connection: its packet ids and
//! buffered events outlive one.

use super::command::{Reply, Status, answer};
use super::delivery::{Delivered, DeviceConnection, DeviceError, End};
use super::device::{FAREWELL, POLL, Source};
use super::message::{BATCH, Packer, Sample};
use super::{Home, HomeCounters, Living, home_parts};
use futures::{Stream, StreamExt, stream};
use hub_core::backoff::Backoff;
use hub_core::clock::CivilClock;
use hub_core::profile::ApplianceProfile;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    QoS,
};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A connection on which a message waits longer for its acknowledgement is given up.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// Pauses between connections.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// Requests to the client: a message, the subscription, the DISCONNECT.
const REQUESTS: usize = 4;
/// Answers to commands that may wait.
const REPLIES_MAX: usize = 16;

/// Runs a home as [`super::run`] does, on a foreign MQTT client.
///
/// # Errors
/// Only if the hub refuses the credential; everything else is tried again.
pub async fn run_foreign(
    home: Home,
    broker: SocketAddr,
    clock: Arc<dyn CivilClock>,
    stop: CancellationToken,
    counters: Arc<HomeCounters>,
) -> Result<Delivered, DeviceError> {
    let (connection, source) = home_parts(&home, broker, clock);
    let foreign = Foreign {
        connection,
        packer: Packer::new(home.boot_id),
        boot_id: home.boot_id,
        profile: home.profile,
        source,
        counters,
        held: VecDeque::new(),
        replies: VecDeque::new(),
        message: None,
        connected: false,
        delivered: Delivered::default(),
    };
    foreign.run(stop).await
}

/// The message that is under way.
struct Message {
    topic: String,
    payload: Vec<u8>,
    samples: u64,
    /// It was given to a client before.
    is_sent: bool,
    /// When it was given to the present one, and under which packet id that wrote it.
    handed: Option<Instant>,
    packet_id: Option<u16>,
}

impl Message {
    fn new(topic: String, payload: Vec<u8>, samples: u64) -> Self {
        Self {
            topic,
            payload,
            samples,
            is_sent: false,
            handed: None,
            packet_id: None,
        }
    }
}

struct Foreign {
    connection: DeviceConnection,
    profile: Arc<ApplianceProfile>,
    boot_id: u64,
    source: Living,
    counters: Arc<HomeCounters>,
    packer: Packer,
    /// Taken from the machine, and in no message yet.
    held: VecDeque<Sample>,
    replies: VecDeque<Reply>,
    message: Option<Message>,
    connected: bool,
    delivered: Delivered,
}

impl Foreign {
    async fn run(mut self, stop: CancellationToken) -> Result<Delivered, DeviceError> {
        let mut backoff = BACKOFF;
        loop {
            let end = self.one_connection(&stop).await?;
            let End::Lost(reason) = end else {
                return Ok(self.delivered);
            };
            if self.connected {
                backoff.reset();
                info!(device = ?self.connection, %reason, "connection lost");
            } else {
                debug!(device = ?self.connection, %reason, "no connection yet");
            }
            tokio::select! {
                () = sleep(backoff.pause()) => {}
                () = stop.cancelled() => return Ok(self.delivered),
            }
        }
    }

    async fn one_connection(&mut self, stop: &CancellationToken) -> Result<End, DeviceError> {
        let (client, events) = connect(&self.connection);
        let mut events = pin!(events);
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut farewell: Option<Instant> = None;
        self.connected = false;
        if let Some(message) = &mut self.message {
            (message.handed, message.packet_id) = (None, None);
        }
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => self.handle_event(&client, event),
                    Some(Err(ConnectionError::ConnectionRefused(code))) => return self.refused(code),
                    Some(Err(error)) => return Ok(End::Lost(error.to_string())),
                    None => return Ok(End::Lost("the client ended".into())),
                },
                _ = poll.tick() => {}
                () = stop.cancelled(), if farewell.is_none() => farewell = Some(Instant::now()),
            }
            if !self.connected {
                if farewell.is_some() {
                    return Ok(End::Done);
                }
                continue;
            }
            if farewell.is_none() && self.held.is_empty() {
                self.held.extend(self.source.due(BATCH));
                self.delivered.taken += self.held.len() as u64;
            }
            if !self.send(&client)? {
                return Ok(End::Lost(
                    "the client takes no more, or the hub acknowledges nothing".into(),
                ));
            }
            if farewell.is_some_and(|since| self.message.is_none() || since.elapsed() >= FAREWELL) {
                say_goodbye(&client, events).await;
                return Ok(End::Done);
            }
        }
    }

    fn handle_event(&mut self, client: &AsyncClient, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.connected = true;
                let commands = format!("d/{}/c/+", self.connection.device);
                if let Err(error) = client.try_subscribe(commands, QoS::AtLeastOnce) {
                    warn!(device = ?self.connection, %error, "commands not subscribed");
                }
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                if let Some(message) = &mut self.message {
                    message.packet_id = Some(packet_id);
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(message) = self.message.take_if(|message| message.packet_id == Some(ack.pkid)) {
                    self.delivered.acknowledged += message.samples;
                    self.counters.acknowledged.fetch_add(message.samples, Relaxed);
                }
            }
            Event::Incoming(Packet::Publish(publish)) => self.handle_command(&publish.topic, &publish.payload),
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }

    fn handle_command(&mut self, topic: &str, payload: &[u8]) {
        let status = Status {
            family: &self.profile.name,
            boot_id: self.boot_id,
            waiting: usize::from(self.message.is_some()),
        };
        match answer(topic, payload, &status) {
            Some(reply) if self.replies.len() < REPLIES_MAX => self.replies.push_back(reply),
            Some(_) | None => warn!(device = ?self.connection, topic, "command not answered"),
        }
    }

    /// Gives the client the message that is due; `false` if the client is gone or the acknowledgement is late.
    fn send(&mut self, client: &AsyncClient) -> Result<bool, DeviceError> {
        if self.message.is_none() {
            self.message = self.next_message()?;
        }
        let Some(message) = &mut self.message else {
            return Ok(true);
        };
        if let Some(handed) = message.handed {
            return Ok(handed.elapsed() <= ACK_DEADLINE);
        }
        message.handed = Some(Instant::now());
        let counter = if message.is_sent {
            &self.counters.resent
        } else {
            &self.counters.published
        };
        message.is_sent = true;
        counter.fetch_add(message.samples, Relaxed);
        let given = client.try_publish(message.topic.clone(), QoS::AtLeastOnce, false, message.payload.clone());
        Ok(given.is_ok())
    }

    /// An answer to a command, or else telemetry.
    fn next_message(&mut self) -> Result<Option<Message>, DeviceError> {
        let prefix = format!("d/{}/", self.connection.device);
        if let Some(reply) = self.replies.pop_front() {
            return Ok(Some(Message::new(prefix + &reply.topic, reply.payload.to_vec(), 0)));
        }
        let Some((payload, count)) = self.packer.pack(self.held.make_contiguous(), &self.profile)? else {
            return Ok(None);
        };
        self.held.drain(..count);
        Ok(Some(Message::new(prefix + "t", payload.to_vec(), count as u64)))
    }

    fn refused(&self, code: ConnectReturnCode) -> Result<End, DeviceError> {
        let code = code as u8;
        if DeviceError::is_final(code) {
            return Err(DeviceError::Refused {
                device: format!("{:?}", self.connection),
                code,
            });
        }
        Ok(End::Lost(format!("the hub answered with return code {code}")))
    }
}

type Events = Result<Event, ConnectionError>;

/// A new client, connecting as soon as its events are awaited. Dropping the wait for an event loses nothing: the
/// stream keeps the library's half-done work, which the library's own `poll` would not.
fn connect(connection: &DeviceConnection) -> (AsyncClient, impl Stream<Item = Events> + use<>) {
    let client_id = format!("{}-{}", connection.tenant, connection.device);
    // The library joins host and port with a colon.
    let host = match connection.broker.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let mut options = MqttOptions::new(client_id, host, connection.broker.port());
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_credentials(
            format!("{}/{}", connection.tenant, connection.device),
            connection.secret.clone(),
        );
    let (client, mut event_loop) = AsyncClient::new(options, REQUESTS);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    event_loop.set_network_options(network);
    let next = |mut event_loop: EventLoop| async move { Some((event_loop.poll().await, event_loop)) };
    (client, stream::unfold(event_loop, next))
}

/// Ends the session in order, so that the hub does not take it for a failure.
async fn say_goodbye(client: &AsyncClient, mut events: impl Stream<Item = Events> + Unpin) {
    let farewell = async {
        if client.try_disconnect().is_ok() {
            while let Some(Ok(event)) = events.next().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    break;
                }
            }
        }
    };
    if timeout(FAREWELL, farewell).await.is_err() {
        debug!("the hub did not read the DISCONNECT in time");
    }
}
