//! The flash of a device whose power fails: at every byte of a scenario, at random, and in between what it costs.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "../../../core/tests/session/fuzz.rs"]
mod fuzz;
mod fuzzing;
mod keys;
mod model;
mod outbox;
mod power_cut;
mod spill;
mod wear;
mod world;
