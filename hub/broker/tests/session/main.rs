//! The session core alone: which packet in which state gives which answer, MQTT 3.1.1 and 5.0.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed test may panic"))]

mod connect;
mod fixture;
mod fuzzing;
mod invariants;
mod kept;
mod limits;
mod messages;
mod publish;
mod roles;
mod table;
