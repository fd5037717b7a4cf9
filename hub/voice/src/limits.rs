//! The time limits of a call. Each await on the outside world has one of these.

use std::time::Duration;

/// The time limits of a call; `Default` holds the agreed ones. Tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From INVITE to the first answer of any kind.
    pub post_dial: Duration,
    /// From an answer that says that the trunk works on the call (100) to the first sign of ringing or a final answer.
    pub trying: Duration,
    /// From ringing to the answer.
    pub ring: Duration,
    /// From CANCEL to its outcome: 64 times T1 and a little (RFC 3261 §9.1).
    pub cancel: Duration,
    /// The longest conversation.
    pub talk: Duration,
    /// So long before that end the call says goodbye, in a short one after half of it. Longer than the goodbye takes.
    pub goodbye: Duration,
    /// The longest time without a packet of a far side that sends all the time; three times that for one that pauses, and for
    /// one whose audio comes from addresses that were not announced, which also hears the first prompt to its end. One that
    /// says that it sends nothing is not watched.
    pub silence: Duration,
    /// From key to saved.
    pub commit: Duration,
    /// All prompts of a call are prepared within this time.
    pub prepare: Duration,
    /// From our answer to the caller's acknowledgement, for calls that come in.
    pub acknowledge: Duration,
    /// How long a call waits for a free channel of its trunk.
    pub channel: Duration,
    /// How long a caller waits for the host's decision.
    pub decide: Duration,
    /// How much longer a decision that is late is waited for, without the caller.
    pub decide_late: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            post_dial: Duration::from_secs(6),
            trying: Duration::from_secs(20),
            ring: Duration::from_secs(25),
            cancel: Duration::from_secs(33),
            talk: Duration::from_secs(240),
            goodbye: Duration::from_secs(15),
            silence: Duration::from_secs(20),
            commit: Duration::from_secs(5),
            prepare: Duration::from_secs(20),
            acknowledge: Duration::from_secs(10),
            channel: Duration::from_secs(2),
            decide: Duration::from_secs(5),
            decide_late: Duration::from_secs(30),
        }
    }
}
