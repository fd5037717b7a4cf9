//! The real program on loopback: real MQTT, PostgreSQL, tract and SIP. One binary, a file a stage.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod attack;
mod batch;
mod clients;
mod clocks;
mod contact;
mod demo;
mod families;
mod files;
mod first_boot;
mod first_boot_c;
mod formats;
mod front_door;
mod inbound;
mod judged;
mod keyring;
mod models;
mod monitoring;
mod moving;
mod newcomer;
mod prediction;
mod provisioning;
mod readme;
mod ready;
mod recorded;
mod same_tickets;
mod soak;
mod store_faults;
mod store_stop;
mod store_takeover;
mod telemetry;
mod train;
mod unit;
mod untrained;
mod upgrade;
