//! The end of a session: DISCONNECT from either side, the will, and what is kept (MQTT 5 §3.14, §3.1.2.5, §4.1).

use super::close::CloseReason;
use super::open::{Open, Then};
use super::packet::{Outgoing, Version};
use super::reason::Reason;
use super::role::Role;
use super::{Event, Phase, Received, Session};

/// DISCONNECT of the client that asks for its will to be published.
const WITH_WILL: u8 = 0x04;

impl Session {
    /// Ends the session for a reason found outside: the network, the codec, a take-over, the hub's own end.
    pub fn handle_close(&mut self, reason: CloseReason) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        match phase {
            Phase::Closed => return,
            Phase::Greeting { .. } if matches!(reason, CloseReason::ProtocolLevel(_)) => {
                self.transmit.push_back(Outgoing::refusal(Reason::UnsupportedVersion));
            }
            Phase::Greeting { .. } | Phase::Login { .. } => {}
            Phase::Open(open) if open.is_opening() => {}
            Phase::Open(open) => {
                self.say_why(&open, &reason);
                self.end(*open, &reason, true);
            }
        }
        self.events.push_back(Event::Closed(reason));
    }

    /// The client's DISCONNECT.
    pub(super) fn disconnect(&mut self, reason: u8, session_expiry_s: Option<u32>) {
        let Phase::Open(open) = &mut self.phase else { return };
        if let Some(expiry_s) = session_expiry_s
            && matches!(open.role, Role::Device { .. })
        {
            // What was never kept cannot be kept from now on (MQTT 5 §3.14.2.2.2).
            if open.expiry_s == 0 && expiry_s != 0 {
                return self.handle_close(CloseReason::Unexpected("session expiry raised from 0 in DISCONNECT"));
            }
            let expiry_s = expiry_s.min(self.limits.session_expiry_max_s);
            let changed = open.expiry_s != expiry_s;
            open.expiry_s = expiry_s;
            if changed && expiry_s > 0 {
                self.events.extend(open.to_kept().map(Event::KeepSession));
            } else if changed {
                // Ends with the connection.
                open.present = true;
            }
        }
        let Phase::Open(open) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        // Only a normal end takes the will back (MQTT 5 §3.1.2.5).
        let will = reason == WITH_WILL || reason >= 0x80;
        self.end(*open, &CloseReason::Disconnected, will);
        self.events.push_back(Event::Closed(CloseReason::Disconnected));
    }

    /// MQTT 5 tells the client why.
    fn say_why(&mut self, open: &Open, reason: &CloseReason) {
        let silent = matches!(reason, CloseReason::Lost | CloseReason::WriteStalled);
        if open.version == Version::V5 && !silent {
            let text = reason.to_string();
            let text = if open.fits(&text) { text } else { String::new() };
            self.transmit.push_back(Outgoing::Disconnect {
                reason: reason.reason(),
                text: text.into(),
            });
        }
    }

    fn end(&mut self, mut open: Open, reason: &CloseReason, will: bool) {
        if will && let Some(will) = open.will.take() {
            let delay_s = will.delay_s.min(open.expiry_s);
            // Checked at CONNECT, so it is one.
            if let Ok(kind) = open.role.publish(&will.publish.message) {
                let received = Received {
                    number: None,
                    kind,
                    qos: will.publish.qos,
                    retain: will.publish.retain,
                    exactly_once: None,
                    message: will.publish.message,
                };
                self.events.push_back(Event::Will { received, delay_s });
            }
        }
        // A session that was kept and now ends with its connection. After a take-over it is the newer one's.
        let is_device = matches!(open.role, Role::Device { .. });
        if is_device && open.present && open.expiry_s == 0 && *reason != CloseReason::TakenOver {
            self.events.push_back(Event::DropSession);
        }
    }
}

impl Open {
    /// Whether the client has not been told yet that it is connected.
    fn is_opening(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| matches!(pending.then, Then::Open(_)))
    }
}
