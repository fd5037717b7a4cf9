//! The agent as a maker uses it, over a real session, against a hub that is played.

mod boot;
mod commands;
mod hub;
mod reporting;
mod rig;
mod settings;
