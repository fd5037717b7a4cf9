//! Setting calls up and ending them. The SIP library's types never leave this folder; the rest of the crate knows legs and
//! events.

mod digest;
pub mod fake;
#[cfg(test)]
#[path = "../../../broker/tests/session/fuzzing.rs"]
mod fuzzing;
pub mod identity;
mod info;
mod name_addr;
pub mod rsip;
mod rsip_answers;
mod rsip_challenge;
mod rsip_inbound;
mod rsip_leg;
mod rsip_names;

use async_trait::async_trait;
use hub_core::phone_number::PhoneNumber;
use std::net::{IpAddr, SocketAddr};
use tokio::sync::mpsc;

use crate::config::TrunkConfig;
use identity::Identity;

/// Events that may wait for their call.
pub const EVENTS_MAX: usize = 32;

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

/// What happens to a leg. After `Ended` and `Failed` nothing follows.
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
        /// The session description; empty for an inbound leg, whose description came with the call.
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
    },
    /// The far side hung up, or gave up before it was answered.
    Ended,
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

/// A call that comes in from a trunk.
pub struct InboundLeg {
    /// The leg.
    pub leg: Leg,
    /// Who calls, and whose word it is.
    pub caller: Identity,
    /// Our number that was called, if readable.
    pub called: Option<PhoneNumber>,
    /// The caller's session description; empty when it waits for ours, which we do not do.
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
    /// Where it listens.
    fn local(&self) -> SocketAddr;
    /// Ends it; returns within a bounded time.
    async fn shutdown(&self);
}
