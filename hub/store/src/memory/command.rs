//! Commands to devices: they wait until the device has replied or their time is over.

use super::ingest::stored;
use super::state::State;
use super::text;
use crate::bounds::{COMMANDS_KEPT_MAX, REPLY_MAX};
use crate::check;
use crate::device::{CommandState, CommandView};
use crate::error::Result;
use crate::telemetry::{Command, Ingested};
use hub_core::id::ApplianceId;
use jiff::Timestamp;

impl State {
    /// Whether the command is new. What has expired by `vouched` may give way to it.
    pub(super) fn queue(
        &mut self,
        appliance: ApplianceId,
        command: &Command,
        now: Timestamp,
        vouched: Option<Timestamp>,
    ) -> Result<bool> {
        self.appliance(appliance)?;
        let request = text(&command.request);
        if self.command_of(appliance, &request).is_some() {
            return Ok(false);
        }
        check::commands_waiting(appliance, self.waiting(appliance, now).len() as i64)?;
        let number = self.number();
        let row = CommandView {
            state: CommandState::Queued,
            appliance,
            request,
            body: text(&command.body),
            queued_at: now,
            expires_at: command.expires_at,
            sent_at: None,
            taken_at: None,
            replied_at: None,
            reply: None,
        };
        self.commands.insert(number, row);
        let old = self.commands.iter().rev().filter(|(_, row)| row.appliance == appliance);
        let old: Vec<i64> = old
            .skip(COMMANDS_KEPT_MAX)
            .filter(|(_, row)| row.reply.is_some() || vouched.is_some_and(|until| row.expires_at <= until))
            .map(|(number, _)| *number)
            .collect();
        for number in old {
            self.commands.remove(&number);
        }
        Ok(true)
    }

    pub(super) fn waiting(&self, appliance: ApplianceId, now: Timestamp) -> Vec<Command> {
        let takes_cbor = self.births.get(&appliance).is_some_and(|kept| kept.birth.takes_cbor);
        let waits = |row: &CommandView| row.appliance == appliance && row.reply.is_none() && row.expires_at > now;
        self.commands
            .iter()
            .filter(|(_, row)| waits(row))
            .map(|(number, row)| Command {
                number: *number,
                sent: row.sent_at.is_some(),
                takes_cbor,
                request: row.request.clone(),
                body: row.body.clone(),
                expires_at: row.expires_at,
            })
            .collect()
    }

    pub(super) fn command_of(&mut self, appliance: ApplianceId, request: &str) -> Option<&mut CommandView> {
        self.commands
            .values_mut()
            .find(|row| row.appliance == appliance && row.request == request)
    }

    /// The first answer to a command counts.
    pub(super) fn take_reply(
        &mut self,
        appliance: ApplianceId,
        request: &str,
        payload: &[u8],
        at: Timestamp,
    ) -> Ingested {
        match self.command_of(appliance, &text(request)) {
            Some(row) if row.reply.is_none() => {
                row.reply = Some(payload[..payload.len().min(REPLY_MAX)].to_vec());
                row.replied_at = Some(at);
                stored(1)
            }
            _ => Ingested { stored: 0, repeated: 1 },
        }
    }
}
