//! Load for brokers, and peers to stand beside the hub: the same client, the same bytes, the same machine, in turn.
#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]

pub mod agents;
pub mod apply;
pub mod attack;
pub mod bar;
pub mod broker;
pub mod calls;
pub mod client;
pub mod compare;
pub mod crowd;
pub mod desk;
pub mod hub;
pub mod idle;
pub mod limit;
pub mod peer;
pub mod predict;
pub mod reading;
pub mod steady;
pub mod store;
pub mod storm;
pub mod subscriber;
pub mod tls;
pub mod train;
pub mod visit;
pub mod wire;
