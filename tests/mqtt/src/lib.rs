//! MQTT for tests and benchmarks: packets byte by byte, in both versions, and a client that sends exactly what a test
//! wants sent, also what no client library would. It knows nothing of the hub: neither its topics nor its secrets.

mod client;
mod packet;

pub use client::Client;
pub use packet::{
    AN_HOUR, Connect, Version, acknowledge, again, first, frame, publish, read_publish, release, subscribe, text,
};
