//! Bounds of the broker.

use crate::session::SessionLimits;
use std::net::SocketAddr;
use std::time::Duration;

/// What the broker is told at its start. [`BrokerConfig::new`] gives the defaults named here.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where it listens for MQTT 3.1.1 over TCP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Connections at one time, greeted or not; one more is told CONNACK 0x03. Default 10,000.
    pub connections_max: usize,
    /// The longest packet after its fixed header, in bytes. Default 16 KiB: a telemetry message has at most 8 KiB.
    pub packet_bytes_max: usize,
    /// Publishes of one connection that wait for their commit; one more at QoS 1 closes it. Default 128: common clients
    /// send up to 100 unasked.
    pub in_flight_max: usize,
    /// From a connection's start to a complete CONNECT. Default 10 s.
    pub connect_patience: Duration,
    /// Longest silence of a device that promises no keepalive. Default 15 minutes.
    pub keep_alive_cap: Duration,
    /// Each question to the store, and each commit. Default 5 s.
    pub store_patience: Duration,
    /// From receipt to commit, with as many tries as fit; after that the connection is closed, unacknowledged.
    /// Default 30 s.
    pub commit_patience: Duration,
    /// How long a device may leave what it is sent unread. Default 10 s.
    pub write_patience: Duration,
    /// At the end: how long publishes under way may take to be committed. Default 10 s.
    pub drain_patience: Duration,
}

impl BrokerConfig {
    /// The defaults, listening on `listen`.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            connections_max: 10_000,
            packet_bytes_max: 16 * 1024,
            in_flight_max: 128,
            connect_patience: Duration::from_secs(10),
            keep_alive_cap: Duration::from_mins(15),
            store_patience: Duration::from_secs(5),
            commit_patience: Duration::from_secs(30),
            write_patience: Duration::from_secs(10),
            drain_patience: Duration::from_secs(10),
        }
    }

    pub(crate) fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            connect_patience: self.connect_patience,
            // The store has its own deadline; this one is behind it, for a shell that fails to answer.
            login_patience: self.store_patience * 2,
            keep_alive_cap: self.keep_alive_cap,
            in_flight_max: self.in_flight_max,
        }
    }
}
