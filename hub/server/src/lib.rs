//! The program `forecall`: wiring, workers and commands. Every rule lives in a crate below.

pub mod clock;
pub mod clock_watch;
pub mod commands;
pub mod config;
pub mod demo;
pub mod keyring;
pub mod pipeline;
pub mod process;
pub mod random;
pub mod site_file;
pub mod standby;
pub mod telephone;
pub mod workers;
