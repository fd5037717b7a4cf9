//! Commands and what became of them.

use crate::api::schema;
use hub_store::device::{CommandState, CommandView};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A command to a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Command {
    /// Appliance.
    appliance: i64,
    /// Request id: the last level of its topic.
    request: String,
    /// What the device was or will be sent.
    #[schema(value_type = Value)]
    body: Value,
    /// How far it has come.
    #[schema(schema_with = schema::words::<CommandState>)]
    state: CommandState,
    /// When it was asked for.
    queued_at: Timestamp,
    /// When it was last written to the device's connection.
    sent_at: Option<Timestamp>,
    /// When the device acknowledged it.
    taken_at: Option<Timestamp>,
    /// When the device answered.
    replied_at: Option<Timestamp>,
    /// Not delivered after this.
    expires_at: Timestamp,
    /// The answer, if it is JSON.
    #[schema(value_type = Option<Value>)]
    reply: Option<Value>,
    /// The answer as text, if it is not JSON; what is not text in it is shown as U+FFFD.
    reply_text: Option<String>,
}

impl From<CommandView> for Command {
    fn from(view: CommandView) -> Self {
        let reply = view.reply.unwrap_or_default();
        let json = serde_json::from_slice(&reply).ok();
        let text = || String::from_utf8_lossy(&reply).into_owned();
        Self {
            appliance: view.appliance.0,
            request: view.request,
            // What was queued by another way than this API need not be JSON.
            body: serde_json::from_str(&view.body).unwrap_or(Value::String(view.body)),
            state: view.state,
            queued_at: view.queued_at,
            sent_at: view.sent_at,
            taken_at: view.taken_at,
            replied_at: view.replied_at,
            expires_at: view.expires_at,
            reply_text: (json.is_none() && view.replied_at.is_some()).then(text),
            reply: json,
        }
    }
}
