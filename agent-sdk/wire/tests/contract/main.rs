//! The contract, from outside: golden vectors both ways, round trips, arbitrary bytes, bounds.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod batch;
mod control;
mod fuzzing;
mod golden;
mod json;
mod json_cbor;
mod robustness;
mod topics;
