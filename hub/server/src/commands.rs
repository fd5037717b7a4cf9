//! The command line.

pub mod account;
pub mod apply;
pub mod args;
pub mod authority;
pub mod backup;
pub mod beside;
pub mod claim;
pub mod demo;
pub mod device;
pub mod doctor;
pub mod export;
pub mod import;
pub mod integrator;
pub mod key;
pub mod model;
pub mod phone;
pub mod replay;
pub mod restore;
pub mod retention;
pub mod score;
pub mod serve;
pub mod simulate;
pub mod target;
pub mod train;
pub mod trial;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The open hub that rings an appliance's owner before the appliance breaks.
#[derive(Debug, Parser)]
#[command(name = "forecall", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the hub until SIGTERM or Ctrl-C.
    Serve(serve::Serve),
    /// Plays the whole story on this machine with simulated homes and a simulated phone.
    Demo(demo::Demo),
    /// Brings tenants, owners, service points, trunks and devices to what a site file declares.
    Apply(apply::Apply),
    /// Devices and their secrets.
    Device(device::Device),
    /// Keys from which the secrets of many devices derive.
    Key(key::Key),
    /// Certificate authorities whose devices come in by certificate.
    Authority(authority::Authority),
    /// Credentials by which devices ask for their own, and codes by which households take theirs.
    Claim(claim::Claim),
    /// Programs that read along within one tenant.
    Integrator(integrator::Integrator),
    /// People who log in, and what they may do.
    Account(account::Account),
    /// Sends a recorded stream over MQTT as one device, rebased by whole minutes so that it ends now.
    Replay(replay::Replay),
    /// Tries an export of your own devices: what would be watched, and what would have been opened.
    Try(trial::Try),
    /// Learns a family of your own from recordings of healthy appliances.
    Train(train::Train),
    /// Scores a CSV the way the hub would, row by row.
    Score(score::Score),
    /// Models: what is served, whether a folder can be, promotion, rollback, and what the next one learns from.
    Model(model::Models),
    /// Writes a recording that no appliance made, for trying `score` and `replay`.
    Simulate(simulate::Simulate),
    /// A telephone for trying: rings when the hub calls, is answered and pressed at the terminal.
    Phone(phone::Phone),
    /// Writes the whole database into files that move to any other.
    Export(export::Export),
    /// Puts an export into an empty database.
    Import(import::Import),
    /// Writes a backup with PostgreSQL's own programs.
    Backup(backup::Backup),
    /// Puts a backup into an empty database.
    Restore(restore::Restore),
    /// A person's word where deletion of what is too old waits for one.
    Retention(retention::Retention),
    /// Checks set-up and surroundings, and says what to do about what is wrong.
    Doctor(doctor::Doctor),
}

impl Cli {
    /// Does what was asked.
    pub async fn run(self) -> Result<()> {
        match self.command {
            Command::Serve(command) => command.run().await,
            Command::Demo(command) => command.run().await,
            Command::Apply(command) => command.run().await,
            Command::Device(command) => command.run().await,
            Command::Key(command) => command.run().await,
            Command::Authority(command) => command.run().await,
            Command::Claim(command) => command.run().await,
            Command::Integrator(command) => command.run().await,
            Command::Account(command) => command.run().await,
            Command::Replay(command) => command.run().await,
            Command::Try(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Score(command) => command.run(),
            Command::Model(command) => command.run().await,
            Command::Simulate(command) => command.run(),
            Command::Phone(command) => command.run().await,
            Command::Export(command) => command.run().await,
            Command::Import(command) => command.run().await,
            Command::Backup(command) => command.run().await,
            Command::Restore(command) => command.run().await,
            Command::Retention(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
        }
    }
}
