//! The laboratory: puts the pure models of `tests-world` on real sockets, for the demo, `replay` and loopback tests.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed test may panic"))]

pub mod home;
pub mod phone;
