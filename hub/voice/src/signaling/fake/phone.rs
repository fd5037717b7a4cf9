//! What a phone of the fake network does, and what was seen of it.

use std::time::Duration;

/// What the far side does with a call.
#[derive(Debug, Clone)]
pub enum FakePhone {
    /// Nothing answers at all.
    Silence,
    /// Answers 100 and nothing more; after CANCEL 487.
    Stuck,
    /// Answers 100, rings after this time, and refuses as busy.
    RingsLate(Duration),
    /// Rings, then this final status.
    Refuses {
        /// After this time.
        after: Duration,
        /// The final status.
        status: u16,
    },
    /// The trunk refuses before anything rings.
    Unreached {
        /// The final status.
        status: u16,
        /// What it says of when to ask again.
        retry_after_s: Option<u32>,
    },
    /// Rings and is never answered.
    Rings {
        /// The final status after CANCEL; none stays silent.
        after_cancel: Option<u16>,
    },
    /// Answers, presses keys, hangs up or waits for the other side to.
    Answers {
        /// Rings for this long.
        after: Duration,
        /// Keys, each after this time since the one before.
        keys: Vec<(Duration, char)>,
        /// Hangs up after this time since the last key.
        hangs_up: Option<Duration>,
    },
    /// Answers at once, sends no audio at all, sends keys inside signalling and waits for the other side to hang up.
    Mute {
        /// Keys, each after this time since the one before.
        keys: Vec<(Duration, char)>,
    },
    /// Answers at once, sends audio from another address than its answer says and keys inside signalling, and hangs up or waits
    /// for the other side to.
    Elsewhere {
        /// Keys, each after this time since the one before.
        keys: Vec<(Duration, char)>,
        /// Hangs up after this time since the last key.
        hangs_up: Option<Duration>,
    },
    /// Answers at once with these media lines, in which `PORT` stands for the port of its audio; sends no audio at all, and hangs
    /// up after this time.
    Describes {
        /// The lines, each with its end.
        lines: String,
        /// Hangs up after this time.
        hangs_up: Duration,
    },
    /// Sends early media from one port, answers with another, sends from that one a little later, presses keys and waits for
    /// the other side to hang up. The early media goes on all the time.
    MovesAtAnswer {
        /// Keys, each after this time since the one before.
        keys: Vec<(Duration, char)>,
    },
    /// Answers at once, sends keys inside signalling and waits for the other side to hang up.
    Signals {
        /// Keys, each after this time since the one before.
        keys: Vec<(Duration, char)>,
        /// Sends each as a telephone event too, as some phones do; else its description knows none.
        events: bool,
    },
}

/// What was seen of one call at the far side.
#[derive(Debug, Clone, Default)]
pub struct FakeSeen {
    /// The name of the trunk it was placed over; empty for a call that came in.
    pub trunk: String,
    /// The audio heard, 8,000 samples a second.
    pub heard: Vec<i16>,
    /// The hub gave up.
    pub cancelled: bool,
    /// The hub hung up or dropped the leg.
    pub ended_by_hub: bool,
}
