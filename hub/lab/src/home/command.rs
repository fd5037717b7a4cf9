//! Commands: what a simulated device can be asked.
//!
//! Down on `d/{id}/c/{req}`: `{"method": "status"}`. Up on `d/{id}/r/{req}`: `{"status": "done", "result": {…}}` or
//! `{"status": "refused", "reason": "…"}`.

use agent_sdk_wire::topic::{DeviceTopic, Topic};
use bytes::Bytes;
use serde_json::{Value, json};

/// A reply and the topic it belongs on, without the device's prefix.
pub(super) struct Reply {
    pub(super) topic: String,
    pub(super) payload: Bytes,
}

/// What a device says about itself.
pub(super) struct Status<'a> {
    pub(super) family: &'a str,
    pub(super) boot_id: u64,
    /// Messages that wait for their acknowledgement.
    pub(super) waiting: usize,
}

/// Answers a publish of the hub, if it is a command.
pub(super) fn answer(topic: &str, payload: &[u8], status: &Status<'_>) -> Option<Reply> {
    let Ok(Topic::Device {
        topic: DeviceTopic::Command(request),
        ..
    }) = Topic::parse(topic)
    else {
        return None;
    };
    let reply = match method(payload) {
        Some(method) if method == "status" => {
            let Status {
                family,
                boot_id,
                waiting,
            } = status;
            json!({ "status": "done", "result": { "family": family, "boot_id": boot_id, "waiting": waiting } })
        }
        Some(method) => json!({ "status": "refused", "reason": format!("unknown method {method:.64}") }),
        None => json!({ "status": "refused", "reason": "not an object with a method" }),
    };
    Some(Reply {
        topic: DeviceTopic::Reply(request).to_string(),
        payload: reply.to_string().into(),
    })
}

fn method(payload: &[u8]) -> Option<String> {
    let command: Value = serde_json::from_slice(payload).ok()?;
    Some(command.get("method")?.as_str()?.to_owned())
}
