//! The device agent on boards that QEMU plays, against a hub as a user runs it: real firmware, a real network stack, real links
//! that break.

pub mod board;
pub mod link;
pub mod stage;

pub use hub_lab::modem;
