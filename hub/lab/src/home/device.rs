//! One device on real MQTT: carries an outbox over as many connections as it takes.
//!
//! The client library is made anew for each connection and holds nothing that matters: its own memory of unacknowledged
//! messages is lost when the hub starts a new session, and its packet ids and buffered events outlive a connection.

use super::HomeCounters;
use super::command::{Status, answer};
use super::delivery::{Delivered, DeviceConnection, DeviceError};
use super::outbox::{BATCH, Outbox, WINDOW};
use agent_sdk_wire::topic::{DeviceTopic, Topic};
use futures::{Stream, StreamExt, stream};
use hub_core::backoff::Backoff;
use hub_core::profile::ApplianceProfile;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    QoS,
};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tests_world::Sample;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How often the source is asked for samples.
const POLL: Duration = Duration::from_millis(100);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A connection on which the oldest message waits longer is given up.
const ACK_DEADLINE: Duration = Duration::from_secs(30);
/// For the acknowledgements under way after `stop`, and for the DISCONNECT after them.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);
/// Pauses between connections.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Where samples come from: a machine that lives in civil time, or a recording.
pub(super) trait Source: Send {
    /// The samples that are due and were not taken yet, `room` at most for whoever can hold them back.
    fn due(&mut self, room: usize) -> Vec<Sample>;
    /// Nothing will ever come again.
    fn is_over(&mut self) -> bool;
}

/// How a connection ended.
enum End {
    /// All is delivered, or time for it is up.
    Done,
    /// Try again: why this one ended.
    Lost(String),
}

/// A device with everything it holds between connections.
pub(super) struct Device<S> {
    connection: DeviceConnection,
    profile: Arc<ApplianceProfile>,
    boot_id: u64,
    source: S,
    counters: Arc<HomeCounters>,
    outbox: Outbox,
    telemetry: String,
    delivered: Delivered,
    /// When an acknowledgement came last, or there was nothing to wait for.
    progress: Instant,
    /// When the hub accepted the present connection.
    connected: Option<Instant>,
}

impl<S: Source> Device<S> {
    pub(super) fn new(
        connection: DeviceConnection,
        profile: Arc<ApplianceProfile>,
        boot_id: u64,
        source: S,
        counters: Arc<HomeCounters>,
    ) -> Self {
        let telemetry = Topic::Device {
            device: &connection.device,
            topic: DeviceTopic::Telemetry,
        }
        .to_string();
        Self {
            connection,
            profile,
            boot_id,
            source,
            counters,
            outbox: Outbox::new(boot_id),
            telemetry,
            delivered: Delivered::default(),
            progress: Instant::now(),
            connected: None,
        }
    }

    /// Runs until the source is over and all is acknowledged, or until `stop`; `patience` limits a time without
    /// progress.
    pub(super) async fn run(
        mut self,
        stop: CancellationToken,
        patience: Option<Duration>,
    ) -> Result<Delivered, DeviceError> {
        let mut backoff = BACKOFF;
        self.progress = Instant::now();
        loop {
            self.connected = None;
            let end = self.one_connection(&stop, patience).await?;
            self.outbox.disconnected();
            let End::Lost(reason) = end else {
                return Ok(self.delivered);
            };
            if stop.is_cancelled() {
                return Ok(self.delivered);
            }
            self.check_patience(patience)?;
            if self.connected.is_some() {
                backoff.reset();
                info!(device = ?self.connection, %reason, waiting = self.outbox.len(), "connection lost");
            } else {
                debug!(device = ?self.connection, %reason, "no connection yet");
            }
            tokio::select! {
                () = sleep(backoff.pause()) => {}
                () = stop.cancelled() => return Ok(self.delivered),
            }
        }
    }

    async fn one_connection(
        &mut self,
        stop: &CancellationToken,
        patience: Option<Duration>,
    ) -> Result<End, DeviceError> {
        let (client, events) = connect(&self.connection);
        let mut events = pin!(events);
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut farewell: Option<Instant> = None;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => self.handle_event(&client, event),
                    Some(Err(ConnectionError::ConnectionRefused(code))) => return self.refused(code),
                    Some(Err(error)) => return Ok(End::Lost(error.to_string())),
                    None => return Ok(End::Lost("the client ended".into())),
                },
                _ = poll.tick() => {
                    self.check_patience(patience)?;
                    if self.connected.is_some() && farewell.is_none() {
                        self.take_samples()?;
                    }
                    if self.ack_is_late() {
                        return Ok(End::Lost("no acknowledgement in time".into()));
                    }
                }
                () = stop.cancelled(), if farewell.is_none() => farewell = Some(Instant::now()),
            }
            if self.connected.is_some() && !self.send(&client) {
                return Ok(End::Lost("the client takes no more".into()));
            }
            let over = farewell.is_some() || self.source.is_over();
            let in_time = farewell.is_none_or(|since| since.elapsed() < FAREWELL);
            if farewell.is_some() && self.connected.is_none() {
                return Ok(End::Done);
            }
            if over && self.connected.is_some() && (self.outbox.len() == 0 || !in_time) {
                say_goodbye(&client, events).await;
                return Ok(End::Done);
            }
        }
    }

    fn handle_event(&mut self, client: &AsyncClient, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                self.connected = Some(Instant::now());
                let commands = format!("d/{}/c/+", self.connection.device);
                // A full channel is impossible here, and `send` would find the client gone.
                if let Err(error) = client.try_subscribe(commands, QoS::AtLeastOnce) {
                    warn!(device = ?self.connection, %error, "commands not subscribed");
                }
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => self.outbox.sent(packet_id),
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(samples) = self.outbox.acknowledged(ack.pkid) {
                    self.progress = Instant::now();
                    self.delivered.acknowledged += samples;
                    self.counters.acknowledged.fetch_add(samples, Relaxed);
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
            waiting: self.outbox.len(),
        };
        let queued = answer(topic, payload, &status).map(|reply| self.outbox.reply(reply.topic, reply.payload));
        if queued != Some(true) {
            warn!(device = ?self.connection, topic, "command not answered");
        }
    }

    fn take_samples(&mut self) -> Result<(), DeviceError> {
        let room = self.outbox.room();
        if room < BATCH {
            return Ok(());
        }
        let samples = self.source.due(room);
        if self.outbox.len() == 0 {
            self.progress = Instant::now();
        }
        self.delivered.taken += samples.len() as u64;
        Ok(self.outbox.pack(&self.telemetry, &samples, &self.profile)?)
    }

    /// Hands over what the window allows; `false` if the client is gone.
    fn send(&mut self, client: &AsyncClient) -> bool {
        while let Some(message) = self.outbox.next_outgoing() {
            let counter = if message.again {
                &self.counters.resent
            } else {
                &self.counters.published
            };
            counter.fetch_add(message.samples, Relaxed);
            if client
                .try_publish(message.topic, QoS::AtLeastOnce, false, message.payload)
                .is_err()
            {
                return false;
            }
        }
        true
    }

    fn refused(&self, code: ConnectReturnCode) -> Result<End, DeviceError> {
        match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => Err(DeviceError::Refused {
                device: format!("{:?}", self.connection),
                code,
            }),
            other => Ok(End::Lost(format!("the hub answered {other:?}"))),
        }
    }

    /// The hub has had this connection for long enough to acknowledge something, and has not.
    fn ack_is_late(&self) -> bool {
        let late = |since: Instant| since.max(self.progress).elapsed() > ACK_DEADLINE;
        self.outbox.len() > 0 && self.connected.is_some_and(late)
    }

    fn check_patience(&self, patience: Option<Duration>) -> Result<(), DeviceError> {
        match patience {
            Some(limit) if self.progress.elapsed() > limit => Err(DeviceError::Stalled {
                device: format!("{:?}", self.connection),
                limit,
                waiting: self.outbox.len(),
            }),
            _ => Ok(()),
        }
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
    // Room for the window, the subscription and the DISCONNECT.
    let (client, mut event_loop) = AsyncClient::new(options, WINDOW + 4);
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
