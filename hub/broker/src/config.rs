//! Bounds of the broker.

use crate::session::SessionLimits;
use hub_core::quota::Pace;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the broker is told at its start. [`BrokerConfig::new`] gives the defaults named here.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where it listens for MQTT and WebSockets without TLS; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Where it listens for the same over TLS 1.2 and 1.3. Default: nowhere.
    pub listen_tls: Option<TlsListen>,
    /// Connections at one time, greeted or not; one more is told that there is no room. Default 20,000.
    pub connections_max: usize,
    /// Connections that have not been let in yet; one more is closed. Default 10,000.
    pub greetings_max: usize,
    /// The same from one address: more than half of the places would shut everybody else out. Default 5,000.
    pub greetings_per_address_max: usize,
    /// Connections of one tenant. Default: as many as there may be in all.
    pub connections_per_tenant_max: usize,
    /// The longest packet after its fixed header, in bytes. Default 16 KiB: a telemetry message has at most 8 KiB.
    pub packet_bytes_max: usize,
    /// Publishes of one connection that wait for their commit: granted to v5 as receive maximum; one more at QoS 1 is
    /// refused with 0x97 there, and closes a v4 connection once those before it are acknowledged. Default 128: common clients send up to 100 unasked.
    pub in_flight_max: usize,
    /// Publishes a second of one device. Default 1,000 with bursts of 10,000.
    pub device_messages: Pace,
    /// Bytes a second of one device. Default 4 MiB with bursts of 16 MiB.
    pub device_bytes: Pace,
    /// Publishes a second of all devices of one tenant. Default 100,000 with bursts of 500,000.
    pub tenant_messages: Pace,
    /// Bytes a second of all devices of one tenant. Default 64 MiB with bursts of 256 MiB.
    pub tenant_bytes: Pace,
    /// Connects a second under one name. Default 1 with bursts of 30: a device that comes again more often is broken, or
    /// two of them share a credential.
    pub identity_connects: Pace,
    /// From a connection's start to the end of TLS and WebSocket handshakes. Default 5 s.
    pub handshake_patience: Duration,
    /// From a connection's start, or the end of its handshakes, to a complete CONNECT. Default 10 s.
    pub connect_patience: Duration,
    /// Longest silence of a device that promises no keepalive. Default 15 minutes.
    pub keep_alive_cap: Duration,
    /// How long a session may be kept at most, and is where a 3.1.1 client asks for one. Default 7 days.
    pub session_expiry_max: Duration,
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

/// Where and with what TLS is served.
#[derive(Debug, Clone)]
pub struct TlsListen {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Looked at every few seconds; new content is used without a restart.
    pub files: TlsFiles,
}

/// The hub's own certificate.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM: the certificate, then those that lead to its root.
    pub chain: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

impl BrokerConfig {
    /// The defaults, listening on `listen` without TLS.
    pub fn new(listen: SocketAddr) -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            listen: Some(listen),
            listen_tls: None,
            connections_max: 20_000,
            greetings_max: 10_000,
            greetings_per_address_max: 5_000,
            connections_per_tenant_max: 20_000,
            packet_bytes_max: 16 * 1024,
            in_flight_max: 128,
            device_messages: Pace::new(1_000, 10_000),
            device_bytes: Pace::new(4 * MIB, 16 * MIB),
            tenant_messages: Pace::new(100_000, 500_000),
            tenant_bytes: Pace::new(64 * MIB, 256 * MIB),
            identity_connects: Pace::new(1, 30),
            handshake_patience: Duration::from_secs(5),
            connect_patience: Duration::from_secs(10),
            keep_alive_cap: Duration::from_mins(15),
            session_expiry_max: Duration::from_hours(7 * 24),
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
            connect_bytes_max: self.packet_bytes_max,
            packet_bytes_max: self.packet_bytes_max,
            session_expiry_max_s: u32::try_from(self.session_expiry_max.as_secs()).unwrap_or(u32::MAX),
        }
    }
}
