//! The detector, `score` and the model folders, from outside.
#![expect(clippy::unwrap_used, reason = "tests")]

mod boiler;
mod common;
mod cuts;
mod detector;
mod files;
mod floors;
mod generic;
mod generic_input;
mod judged;
mod maker;
mod models;
mod named;
mod normal;
mod road;
mod score;
mod second;
mod steps;
mod untrained;
mod unwatched;
