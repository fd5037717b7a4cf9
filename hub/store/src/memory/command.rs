//! Commands to devices: they wait until the device has replied or their time is over.

use super::ingest::stored;
use super::state::{CommandRow, State};
use super::text;
use crate::bounds::{COMMANDS_KEPT_MAX, REPLY_MAX};
use crate::device::{CommandState, CommandView};
use crate::error::{Result, StoreError};
use crate::telemetry::{COMMANDS_WAITING_MAX, Command, Ingested};
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
        if self.waiting(appliance, now).len() as i64 >= COMMANDS_WAITING_MAX {
            return Err(StoreError::Refused(format!(
                "{COMMANDS_WAITING_MAX} commands wait for appliance {appliance} already; wait until it has connected"
            )));
        }
        let number = self.number();
        let row = CommandRow {
            appliance,
            request,
            body: text(&command.body),
            queued_at: now,
            expires_at: command.expires_at,
            sent_at: None,
            taken_at: None,
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
        let waits = |row: &CommandRow| row.appliance == appliance && row.reply.is_none() && row.expires_at > now;
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

    pub(super) fn command_of(&mut self, appliance: ApplianceId, request: &str) -> Option<&mut CommandRow> {
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
                row.reply = Some((payload[..payload.len().min(REPLY_MAX)].to_vec(), at));
                stored(1)
            }
            _ => Ingested { stored: 0, repeated: 1 },
        }
    }
}

impl CommandRow {
    pub(super) fn view(&self, now: Timestamp) -> CommandView {
        let state = match (&self.reply, self.taken_at, self.sent_at) {
            (Some(_), ..) => CommandState::Replied,
            _ if self.expires_at <= now => CommandState::Expired,
            (None, Some(_), _) => CommandState::Taken,
            (None, None, Some(_)) => CommandState::Sent,
            (None, None, None) => CommandState::Queued,
        };
        CommandView {
            appliance: self.appliance,
            request: self.request.clone(),
            body: self.body.clone(),
            state,
            queued_at: self.queued_at,
            sent_at: self.sent_at,
            taken_at: self.taken_at,
            replied_at: self.reply.as_ref().map(|(_, at)| *at),
            expires_at: self.expires_at,
            reply: self.reply.as_ref().map(|(reply, _)| reply.clone()),
        }
    }
}
