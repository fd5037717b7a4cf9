//! Setting calls up and ending them. The SIP library's types never leave this folder; the rest of the crate knows legs and
//! events.

pub mod called;
mod digest;
pub mod fake;
#[cfg(test)]
#[path = "../../../broker/tests/session/fuzzing.rs"]
mod fuzzing;
mod gate;
pub mod identity;
mod info;
mod name_addr;
mod next_hop;
pub mod rsip;
mod rsip_answers;
mod rsip_challenge;
mod rsip_extensions;
mod rsip_hop;
mod rsip_inbound;
mod rsip_leg;
mod rsip_names;
mod rsip_own;
mod rsip_session;
mod rsip_teller;
mod session_timer;
mod sip_thread;

use async_trait::async_trait;
use hub_core::metric::Metric;
use hub_core::phone_number::PhoneNumber;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::mpsc;

use crate::config::TrunkConfig;
use called::Called;
use identity::CallerHeaders;
use rsip::Peer;

/// Events that may wait for their call.
pub const EVENTS_MAX: usize = 32;

/// How long the end of a call waits for its BYE to leave.
pub const BYE_MAX: Duration = Duration::from_millis(500);

/// The library's BYE or CANCEL towards a dead peer ends after 64 times T1; a little more is our own limit.
const REQUEST_DEADLINE: Duration = Duration::from_secs(33);

/// How long a call that we placed is known after its end, to the gate and to what sends alike. The library may still wait for
/// the answer to its INVITE, cancel it, and end what was answered all the same: 64 times T1, 32 s, each (RFC 3261 §17). What
/// one of the two forgot earlier would leave an answer that comes late without ACK and BYE, and its owner on a dead line.
const LINGER: Duration = Duration::from_secs(100);

/// A call to be set up.
#[derive(Debug, Clone)]
pub struct PlaceCall {
    /// The trunk to use.
    pub trunk: TrunkConfig,
    /// Where its proxy is.
    pub proxy: SocketAddr,
    /// Who is rung.
    pub to: PhoneNumber,
    /// Our session description.
    pub offer: Vec<u8>,
}

/// What happens to a leg. After `Ended`, `Failed` and `ByeNotSent` nothing follows, after `Expired` at most `ByeNotSent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegEvent {
    /// The network works on it (100).
    Trying,
    /// It rings, or early media (101 to 199).
    Ringing(u16),
    /// It was answered; the far side's session description. For an inbound leg: our answer was acknowledged.
    Answered {
        /// The final status, 200.
        status: u16,
        /// The session description; for an inbound leg empty, unless the caller waited for our offer and answers it.
        description: Vec<u8>,
    },
    /// The far side wants its audio elsewhere (re-INVITE, UPDATE).
    Redescribed(Vec<u8>),
    /// The far side sent a key inside signalling (INFO) after the answer.
    Key(char),
    /// It was not answered.
    Failed {
        /// The final status; none when there was no final answer at all.
        status: Option<u16>,
        /// In words, without numbers of persons.
        reason: String,
        /// Seconds after which the far side wants to be asked again, if it says so (RFC 3261 §20.33).
        retry_after_s: Option<u32>,
    },
    /// The far side hung up, or gave up before it was answered.
    Ended,
    /// We hung up, and the BYE could not be sent, for this reason: the far side may go on believing that the call is up.
    ByeNotSent(String),
    /// Nobody refreshed the session in time (RFC 4028): the far side is gone, and the leg is ended.
    Expired,
}

/// The handle on a leg: what the call does to it. Dropping it ends the leg in the background: what is unanswered is
/// cancelled or refused, what is answered gets its BYE.
pub trait LegControl: Send + Sync {
    /// Gives up a call that was not answered; the outcome still comes as an event.
    fn cancel(&self);
    /// Inbound: says that it rings (180).
    fn ringing(&self);
    /// Inbound: answers with our session description (200).
    fn accept(&self, description: Vec<u8>);
    /// Inbound: refuses with this status.
    fn reject(&self, status: u16);
}

/// One call as signalling sees it.
pub struct Leg {
    /// What happens.
    pub events: mpsc::Receiver<LegEvent>,
    /// What is done.
    pub control: Box<dyn LegControl>,
    /// The address of the signalling peer.
    pub peer: IpAddr,
}

impl Leg {
    /// Ends the leg and waits until its BYE, if it needs one, is on its way: at most [`BYE_MAX`]. Whether it is answered is not
    /// waited for. The error is why it could not be sent.
    pub async fn hang_up(self) -> Result<(), String> {
        let Leg {
            mut events, control, ..
        } = self;
        drop(control);
        let told = async {
            while let Some(event) = events.recv().await {
                if let LegEvent::ByeNotSent(reason) = event {
                    return Err(reason);
                }
            }
            Ok(())
        };
        tokio::time::timeout(BYE_MAX, told).await.unwrap_or(Ok(()))
    }
}

/// A call that comes in from a trunk.
pub struct InboundLeg {
    /// The leg.
    pub leg: Leg,
    /// What says who calls; it is read by the plan of the trunk ([`identity::Identity::of`]).
    pub caller: CallerHeaders,
    /// The number that was called, if there is one.
    pub called: Option<Called>,
    /// The caller's session description; empty when it waits for our offer, which it then answers in `LegEvent::Answered`.
    pub offer: Vec<u8>,
}

/// Why a call could not even be tried.
#[derive(Debug, thiserror::Error)]
#[error("the call could not be set up: {0}")]
pub struct PlaceError(pub String);

/// A telephone network.
#[async_trait]
pub trait CallStack: Send + Sync {
    /// Starts a call; returns at once.
    async fn place(&self, call: PlaceCall) -> Result<Leg, PlaceError>;
    /// The next call that comes in; `None` when the stack has ended.
    async fn next_inbound(&self) -> Option<InboundLeg>;
    /// From now on calls are taken from these, and no others; those that are up go on.
    fn set_peers(&self, _: Vec<Peer>) {}
    /// Where it listens.
    fn local(&self) -> SocketAddr;
    /// What keeps it from working, for an administrator; none as long as it works.
    fn problem(&self) -> Option<String> {
        None
    }
    /// For monitoring.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }
    /// Ends it; returns within a bounded time.
    async fn shutdown(&self);
}
