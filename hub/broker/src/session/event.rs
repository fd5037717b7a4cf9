//! What the shell has to do for a session, and what it answers.

use super::close::CloseReason;
use super::packet::Message;
use super::role::Kind;
use hub_core::id::DeviceId;
use hub_store::access::Credential;
use hub_store::session::KeptSession;

/// A publish that passed the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// To be given to [`super::Session::handle_committed`]; `None` for a will, for which nobody waits.
    pub number: Option<u64>,
    /// By its topic.
    pub kind: Kind,
    /// As published.
    pub qos: u8,
    /// To be kept for later subscribers.
    pub retain: bool,
    /// QoS 2 in a session that outlives its connection: the packet identifier that the store must keep with the content,
    /// so that a repeat after a crash is recognised.
    pub exactly_once: Option<u16>,
    /// Its topic is ASCII, at most 7 levels; its payload is not looked into.
    pub message: Message,
}

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Ask the store and answer by [`super::Session::handle_verdict`].
    Authenticate(Credential),
    /// Forget the device's kept session with its packet identifiers, and answer by [`super::Session::handle_session_kept`].
    /// Only behind everything of the device that is on its way into the store: a packet identifier that is committed later
    /// would make a publish of the next session look like a repeat. Just before [`Event::Closed`] no answer is awaited, and
    /// it is only to be done if the device has not connected again.
    DropSession,
    /// Keep this, and answer in the same way.
    KeepSession(KeptSession),
    /// The client is told that it is connected.
    Opened {
        /// Whether it finds its session again.
        present: bool,
    },
    /// Commit this and answer by [`super::Session::handle_committed`], [`super::Session::handle_refused`] or, where that failed,
    /// [`super::Session::handle_close`].
    Received(Received),
    /// QoS 2: forget the packet identifier, and answer by [`super::Session::handle_committed`].
    Released {
        /// For the answer.
        number: u64,
        /// Of the PUBREL.
        packet_id: u16,
    },
    /// The client is gone without saying so: commit this after the delay, unless the same device is back by then.
    Will {
        /// Nobody waits for it.
        received: Received,
        /// In seconds, at most the time for which the session is kept.
        delay_s: u32,
    },
    /// A QoS 0 publish was dropped because too much waits; QoS 0 asks for no more than that.
    Dropped,
    /// A publish, or filters of a SUBSCRIBE, were refused; the connection stays.
    Refused(CloseReason),
    /// The device listens for commands now: bring those that wait.
    CommandsWanted,
    /// The device has taken the command of this request id.
    CommandTaken(String),
    /// An integrator's subscription, to be answered with messages from now on.
    Subscribed {
        /// Within what it was granted.
        filter: String,
        /// 0 or 1.
        qos: u8,
        /// Whether to send now what is retained, with the retain flag.
        retained: bool,
        /// Whether later messages keep their retain flag; otherwise it is cleared.
        retain_as_published: bool,
    },
    /// It is dropped.
    Unsubscribed {
        /// As subscribed.
        filter: String,
    },
    /// It is over; what is left to transmit is still to be sent.
    Closed(CloseReason),
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// An appliance's device.
    Device {
        /// Its name within the tenant.
        id: DeviceId,
        /// What is kept of its session, if anything and not expired: read when an earlier connection of the device, one
        /// that was still opening included, has ended with all that it had asked of the store. Otherwise what that one
        /// forgets or keeps late would belong to this session.
        kept: Option<KeptSession>,
    },
    /// A program that reads.
    Integrator {
        /// What it may subscribe to.
        filters: Vec<String>,
    },
    /// A device that asks for a credential.
    Claimant,
}

/// The store's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this client.
    Accepted(Access),
    /// Wrong, unknown or revoked.
    Refused,
    /// No answer.
    Unavailable,
    /// Known, and over a limit of its own or its tenant's.
    Quota(&'static str),
    /// Known, and connects too often.
    ConnectRate,
}
