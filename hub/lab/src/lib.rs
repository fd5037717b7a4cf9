//! The laboratory: puts the pure models of `tests-world` on real sockets, for the demo, `replay` and loopback tests.

pub mod home;
pub mod modem;
pub mod phone;
