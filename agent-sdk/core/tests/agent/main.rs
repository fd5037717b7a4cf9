//! The agent as a maker uses it, over a real session, against a hub that is played.

mod boot;
mod commands;
#[path = "../session/fuzz.rs"]
mod fuzz;
mod fuzzing;
mod machine;
mod reporting;
mod rig;
mod settings;
