//! Boards in QEMU against a hub: one binary, a file an image.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod c;
mod demo;
mod first_boot;
mod foreign;
mod kept;
mod linux;
mod wires;
