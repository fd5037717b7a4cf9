//! The way to a secret of the device's own, against a hub that is played, with a fault at every step.

mod faults;
mod hub;
mod words;
mod world;
