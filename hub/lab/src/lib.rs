//! The laboratory: puts the pure models of `tests-world` on real sockets, for the demo, `replay` and loopback tests. Beside them
//! what a person tries a hub with: a telephone to answer, and a recording to send; and an administrator who approves calls.

pub mod administrator;
pub mod handset;
pub mod home;
pub mod modem;
pub mod phone;
pub mod recording;
