//! Whom the telephone works for: what it asks and tells while a call goes on.

use crate::detail::CallDetail;
use crate::order::CallOrder;
use async_trait::async_trait;
use hub_core::call_result::Disposition;
use hub_core::id::AttemptId;
use hub_core::phone_number::PhoneNumber;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A step of a call, for a person who watches it live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum CallProgress {
    /// The INVITE goes out, or an incoming call is taken up.
    Dialing,
    /// The phone rings.
    Ringing,
    /// Somebody answered.
    Answered,
    /// The call says something.
    Saying {
        /// What it says.
        text: String,
    },
    /// The owner pressed a key.
    Pressed {
        /// The key.
        key: char,
    },
    /// The call is over; its detail follows.
    Ended,
}

/// The host could not save a choice. Why is the host's to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the choice was not saved")]
pub struct CommitRefused;

/// Whom a call works for.
#[async_trait]
pub trait CallHost: Send + Sync {
    /// Tells a step, for the live page; never fails. Not waited for longer than a second.
    async fn progress(&self, attempt: AttemptId, progress: CallProgress);
    /// Saves what a key means. Must be durable when it returns `Ok`: only then is it confirmed aloud. After
    /// `Limits::commit` it counts as refused, though it may still end well; so it has to bear being heard of again.
    async fn commit(&self, attempt: AttemptId, disposition: Disposition) -> Result<(), CommitRefused>;
    /// Whether the figures that a caller has keyed in name something, and what follows is noted; false where that cannot be said. Only
    /// a flow that takes figures asks. After `Limits::commit` it counts as false.
    async fn find(&self, _: AttemptId, _: &str) -> bool {
        false
    }
}

/// What to do with a call that comes in.
#[derive(Debug, Clone)]
pub enum InboundDecision {
    /// Take it and play this order's flow. `CallOrder::to` is the caller. Boxed: far larger than a refusal.
    Flow(Box<CallOrder>),
    /// Take it though there is no attempt for it: nobody knows the caller. Its record is not handed on.
    Stranger(Box<Stranger>),
    /// Refuse it for now (486): the caller is known, and in a call with us.
    Busy,
    /// Refuse it (603).
    Decline,
}

/// A call of somebody whom nobody knows.
#[derive(Clone)]
pub struct Stranger {
    /// What is said and asked. `CallOrder::to` is our own number, `CallOrder::attempt` an id that is stored nowhere.
    pub order: CallOrder,
    /// Whom the call works for.
    pub host: Arc<dyn CallHost>,
}

impl fmt::Debug for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stranger")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// Whom incoming calls work for.
#[async_trait]
pub trait InboundHost: CallHost {
    /// Decides about a call to `called`, our number of the trunk of this name, over which it came in; `caller` is none when
    /// the number is withheld or unreadable, or only the caller's own word (`TrunkConfig::believe_from`). After
    /// `Limits::decide` the caller is refused; it is still waited for another `Limits::decide_late`, so that an attempt it
    /// has begun gets its end.
    async fn answer(&self, trunk: &str, caller: Option<PhoneNumber>, called: Option<PhoneNumber>) -> InboundDecision;
    /// The record of a call, exactly one for each `InboundDecision::Flow`, also for one that came too late to be taken.
    async fn finished(&self, detail: CallDetail);
}
