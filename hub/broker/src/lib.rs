//! The MQTT front door: MQTT 3.1.1 over TCP, QoS 0 and 1, with an acknowledgement only after the commit.
//!
//! [`session`] is the protocol without sockets, store or codec. Around it are our own acceptor on rumqttd's codec, the
//! rules of who may publish what, group commit, commands and presence. Only this crate knows rumqttd, and only its codec is
//! used: neither its listener nor its router sees a byte from a device.
//!
//! What is not taken, each with a reason in the log and in [`BrokerCounters::closed`]: QoS 2, firmware transfer from the
//! device, topics outside the device's own subtree, wildcards other than the two granted filters. Retained messages and
//! sessions that outlive a connection are not kept: commands wait in the store, presence comes from the connection.

mod broker;
mod codec;
mod command;
mod config;
mod connection;
mod counters;
mod decode;
mod ingest;
mod presence;
mod registry;
pub mod router;
pub mod session;
mod wire;
mod work;

pub use broker::{Broker, BrokerError};
pub use config::BrokerConfig;
pub use counters::BrokerCounters;
