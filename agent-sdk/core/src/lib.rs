//! The device agent: an MQTT 3.1.1 client whose in-flight state is its outbox ([`Session`]), and above it metrics,
//! events, commands and settings ([`Agent`]). Before it, the way to a secret of the device's own ([`Enrolment`]), and a
//! count of starts that came to nothing ([`Boots`]).
//!
//! It opens no socket and reads no clock: bytes, uptime and entropy are arguments, and all memory is the caller's. So
//! one engine serves firmware without a heap, a C program, and ten thousand simulated devices in one process.
//!
//! Nothing here may panic: slices are reached with `get`, and sums wrap or saturate by choice.
//!
//! Sections (§) are those of the OASIS standard MQTT 3.1.1.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod agent;
mod backoff;
mod boots;
mod bytes;
mod decode;
mod encode;
mod engine;
mod enrolment;
mod hub;
mod identity;
mod json;
mod outbox;
mod publish;
mod session;
mod spill;
mod topic;
mod writer;

pub use agent::{
    Agent, AgentEvent, AgentMem, Args, COMMANDS_REMEMBERED, CommandId, CommandName, Config, Crash, Device, Memory,
    Metric, MetricId, MetricSlot, Notice, Reading, Unsent,
};
pub use agent_sdk_wire::{EncodeError, EventState, Lane, Outcome, ResetReason, scaled};
pub use boots::{Boots, HEALTHY_MS};
pub use decode::RECEIVE_BYTES_MIN;
pub use engine::Engine;
pub use enrolment::{Enrolment, EnrolmentError, EnrolmentMem, Factory, KEPT_BYTES_MAX, Origin, SECRET_RANDOM_BYTES};
pub use identity::{Credentials, Identity, SUBSCRIPTIONS_MAX, Settings, Will};
pub use outbox::{RECORD_HEAD_BYTES, WAITING_HEAD_BYTES};
pub use publish::{Overflow, Publish, Qos, Refused, TOPIC_BYTES_MAX, Token};
pub use session::{Event, Reason, Session};
pub use spill::Spillable;
