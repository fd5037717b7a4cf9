//! What a client asks besides storing readings, as far as it waits.

use crate::session::Kind;
use bytes::Bytes;
use hub_core::id::ApplianceId;
use hub_store::access::Claimant;
use std::collections::VecDeque;

/// Questions of a connection: at most as many as publishes in flight.
#[derive(Default)]
pub(super) struct Questions {
    pub(super) waiting: VecDeque<Question>,
    pub(super) running: bool,
}

pub(super) struct Question {
    /// `None`: nobody's publish, the hub's own wish to tell.
    pub(super) number: Option<u64>,
    pub(super) asker: Asker,
    pub(super) what: What,
}

pub(super) enum Asker {
    Device(ApplianceId),
    Claimant(Claimant),
}

pub(super) enum What {
    Kind(Kind, Bytes),
    /// Shared attributes changed.
    Tell,
}
