//! Commands and attributes on their way to the device, and what the store is told about them.

use super::{Connection, Done};
use crate::control::command_in_cbor;
use crate::counters::add;
use crate::session::{Delivery, Outbound};
use agent_sdk_wire::topic::is_level;
use bytes::Bytes;
use hub_store::telemetry::Command;
use std::sync::Arc;
use tokio::time::timeout;

/// What the store has not been told yet, best effort: a device that gets a command twice recognises it.
#[derive(Default)]
pub(super) struct Commands {
    sent: Vec<String>,
    taken: Vec<String>,
    /// It is being told.
    tells: bool,
    /// More wait in the store than the session had room for.
    more: bool,
}

impl Connection {
    pub(super) fn look_for_commands(&self) {
        if let Some(appliance) = self.appliance() {
            self.shared.dispatcher.look(appliance);
        }
    }

    pub(super) fn commands(&mut self, commands: Vec<Command>) {
        for command in commands {
            self.command(command);
        }
        self.tell_store();
    }

    fn command(&mut self, command: Command) {
        let left = self.shared.clock.now().duration_until(command.expires_at);
        if !left.is_positive() {
            return;
        }
        if !is_level(&command.request) {
            tracing::warn!(request = ?command.request, "command has a request id that is no topic level");
            return;
        }
        let in_cbor = if command.takes_cbor {
            command_in_cbor(&command)
        } else {
            None
        };
        let payload = in_cbor.map_or_else(|| Bytes::from(command.body), Bytes::from);
        let delivery = self.session.handle_message(Outbound::Command {
            request: command.request.clone(),
            payload,
            // 1 to 65,535, the same after a restart.
            packet_id: (command.number.rem_euclid(65_535) + 1) as u16,
            sent_before: command.sent,
            expires_in_s: u32::try_from(left.as_secs()).ok(),
        });
        let Some(device) = self.device() else { return };
        match delivery {
            Delivery::Taken => {
                device.commands.sent.push(command.request);
                add(&self.shared.counters.commands_sent, 1);
            }
            // It stays in the store, and is looked for again when the device has taken or answered an earlier one.
            Delivery::Full => device.commands.more = true,
            Delivery::TooLarge => {
                tracing::warn!(request = command.request, "command is longer than the device takes");
            }
            Delivery::Repeated | Delivery::NotSubscribed => {}
        }
    }

    pub(super) fn command_taken(&mut self, request: String) {
        let Some(device) = self.device() else { return };
        device.commands.taken.push(request);
        if std::mem::take(&mut device.commands.more) {
            self.look_for_commands();
        }
        self.tell_store();
    }

    pub(super) fn passed(&mut self) {
        if let Some(device) = self.device() {
            device.commands.tells = false;
        }
        self.tell_store();
    }

    fn tell_store(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Some(device) = self.device() else { return };
        let commands = &mut device.commands;
        if commands.tells || (commands.sent.is_empty() && commands.taken.is_empty()) {
            return;
        }
        commands.tells = true;
        let (sent, taken) = (std::mem::take(&mut commands.sent), std::mem::take(&mut commands.taken));
        let appliance = device.device.appliance;
        self.running.push(Box::pin(async move {
            for (requests, acknowledged) in [(sent, false), (taken, true)] {
                if requests.is_empty() {
                    continue;
                }
                let now = shared.clock.now();
                let told = shared.store.commands_passed(appliance, &requests, acknowledged, now);
                match timeout(shared.config.store_patience, told).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%appliance, %error, "progress of commands not stored"),
                    Err(_) => tracing::warn!(%appliance, "progress of commands not stored in time"),
                }
            }
            Done::Passed
        }));
    }

    fn appliance(&self) -> Option<hub_core::id::ApplianceId> {
        match self.client.as_ref().map(|client| &client.identity) {
            Some(crate::registry::Identity::Device(appliance)) => Some(*appliance),
            _ => None,
        }
    }
}
