//! The MQTT front door: MQTT 3.1.1 and 5.0 over TCP, TLS and WebSockets, with an acknowledgement only after the commit.
//!
//! [`session`] is the protocol without sockets, store or codec. Around it are rumqttd's codecs, our own sockets and
//! acceptor, the rules of who may publish what and how much, group commit, commands, attributes and presence. Telemetry
//! never enters a router: [`router`], rumqttd's behind our own type, only carries what integrators subscribed to, after it
//! is stored. Only this crate knows rumqttd, and its listener is never used.
//!
//! Every refusal has a reason code for the client, a count ([`BrokerCounters::closed`], `mqtt_closed_total`,
//! `mqtt_refused_total`) and a line in the log, of which an attack makes a few a second.

mod accept;
mod access;
mod batch;
mod broker;
mod certificate;
mod clocks;
mod codec;
mod command;
mod config;
mod connection;
mod control;
mod counters;
mod decode;
mod device_times;
mod health;
mod ingest;
mod listen;
mod login;
mod mailbox;
mod presence;
mod quotas;
mod redecode;
mod refusals;
mod registry;
pub mod router;
pub mod session;
mod sessions;
mod socket;
mod underway;
mod wills;
mod wire;
mod work;

#[doc(hidden)]
pub use access::WATCH as ACCESS_WATCH;
pub use broker::{Broker, BrokerError};
pub use certificate::{OwnCertificate, own_certificate};
pub use config::{BrokerConfig, TlsFiles, TlsListen};
pub use counters::{BrokerCounters, Histogram};
pub use device_times::DeviceTimes;
pub use health::Health;
pub use listen::{LISTEN_BACKLOG, listen, listen_http};
pub use redecode::{Redecoding, redecode};
pub use socket::TlsError;
