//! The session as a caller sees it: bytes in, bytes out, events, deadlines.

mod broker;
mod connecting;
mod fragments;
mod fuzz;
mod messages;
mod rig;
mod timers;
mod world;
