//! The program `forecall`: wiring, workers and commands. Every rule lives in a crate below.

pub mod clock;
pub mod clock_watch;
pub mod commands;
pub mod config;
pub mod database;
pub mod demo;
pub mod hub;
pub mod keyring;
pub mod models;
pub mod monitor;
pub mod pipeline;
pub mod process;
pub mod quarantine;
pub mod random;
pub mod site_file;
pub mod standby;
pub mod telephone;
pub mod terminal;
pub mod upgrade;
pub mod workers;
