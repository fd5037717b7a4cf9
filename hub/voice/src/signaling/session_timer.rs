//! Session timers (RFC 4028): a call whose far side is gone ends though no BYE came. Pure: what headers say and instants go in;
//! what is answered and when something is due come out.

use std::time::{Duration, Instant};

/// The shortest interval that is agreed to, in seconds: no side may insist on less (§5).
pub(super) const INTERVAL_MIN_S: u32 = 90;
/// A session that was not refreshed ends so long before its interval does, or a third of it where that is less (§10).
const END_EARLY: Duration = Duration::from_secs(32);
/// Nothing is done more often.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The step of the pauses after a 491, in milliseconds (RFC 3261 §14.1).
const CROSSED_STEP_MS: u64 = 10;

/// How long a request waits that crossed one of the far side's (491), in steps of 10 ms: from 2.1 to 4 s where we made the
/// call's Call-ID, else up to 2 s, so that both sides do not cross again (RFC 3261 §14.1, for UPDATE RFC 3311 §5.3).
pub(super) fn pause_when_crossed(is_call_id_ours: bool, random: u64) -> Duration {
    let (first_ms, last_ms) = if is_call_id_ours { (2_100, 4_000) } else { (0, 2_000) };
    let steps = (last_ms - first_ms) / CROSSED_STEP_MS + 1;
    Duration::from_millis(first_ms + random % steps * CROSSED_STEP_MS)
}

/// Who refreshes: the side that sent the request which the timer was agreed in, or the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresher {
    Uac,
    Uas,
}

/// The value of Session-Expires (§4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expires {
    pub interval_s: u32,
    pub refresher: Option<Refresher>,
}

impl Expires {
    /// None where there is no interval, or one that no timer can hold.
    pub fn read(value: &str) -> Option<Self> {
        let mut parts = value.split(';');
        let interval_s = parts.next()?.trim().parse().ok()?;
        let mut refreshers = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_it = name.trim().eq_ignore_ascii_case("refresher");
            is_it.then(|| Refresher::named(value.trim())).flatten()
        });
        Some(Self {
            interval_s,
            refresher: refreshers.next(),
        })
    }

    pub fn write(self) -> String {
        let Self { interval_s, refresher } = self;
        match refresher {
            None => interval_s.to_string(),
            Some(Refresher::Uac) => format!("{interval_s};refresher=uac"),
            Some(Refresher::Uas) => format!("{interval_s};refresher=uas"),
        }
    }
}

impl Refresher {
    fn named(name: &str) -> Option<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("uac") {
            Some(Self::Uac)
        } else {
            is("uas").then_some(Self::Uas)
        }
    }
}

/// What is answered to a request that opens or refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The session has no timer.
    Untimed,
    /// 422: the interval is too small.
    TooSmall,
    /// The session has this one.
    Agreed { interval_s: u32, refresher: Refresher },
}

/// Answers what a request asks for, if anything (§9, table 2). Where it leaves open who refreshes, that is the side which asks.
pub(super) fn answer(asked: Option<Expires>, knows_timers: bool) -> Answer {
    let Some(Expires { interval_s, refresher }) = asked else {
        return Answer::Untimed;
    };
    let refresher = match (knows_timers, refresher) {
        (true, Some(Refresher::Uac) | None) => Refresher::Uac,
        // Where a proxy asks for it, or as it was asked.
        (false, _) | (true, Some(Refresher::Uas)) => Refresher::Uas,
    };
    match (interval_s >= INTERVAL_MIN_S, knows_timers) {
        (true, _) => Answer::Agreed { interval_s, refresher },
        (false, true) => Answer::TooSmall,
        // Who knows nothing of timers could do nothing about it.
        (false, false) => Answer::Untimed,
    }
}

/// A timer that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionTimer {
    interval_s: u32,
    /// We refresh; else the far side does.
    ours: bool,
    /// The last refresh.
    since: Instant,
}

impl SessionTimer {
    /// Agreed on or refreshed now.
    pub fn new(interval_s: u32, ours: bool, now: Instant) -> Self {
        Self {
            interval_s,
            ours,
            since: now,
        }
    }

    /// As the answer to a request of ours has it. The side that asked refreshes where nobody is named.
    pub fn answered(expires: Expires, now: Instant) -> Self {
        Self::new(expires.interval_s, expires.refresher != Some(Refresher::Uas), now)
    }

    pub fn interval_s(self) -> u32 {
        self.interval_s
    }

    /// What is due is a refresh of ours; else the end.
    pub fn is_ours(self) -> bool {
        self.ours
    }

    /// Our refresh was refused: the session goes on if the far side refreshes it.
    pub fn refused(self) -> Self {
        Self { ours: false, ..self }
    }

    /// When something is due: our refresh after half the interval (§7.4), or the end.
    pub fn due(self) -> Instant {
        let interval = Duration::from_secs(u64::from(self.interval_s));
        let after = if self.ours {
            interval / 2
        } else {
            interval - END_EARLY.min(interval / 3)
        };
        self.since + after.max(PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UAC: Option<Refresher> = Some(Refresher::Uac);
    const UAS: Option<Refresher> = Some(Refresher::Uas);

    fn expires(interval_s: u32, refresher: Option<Refresher>) -> Expires {
        Expires { interval_s, refresher }
    }

    #[test]
    fn the_header_is_read_as_far_sides_write_it() {
        for (value, expected) in [
            ("1800", Some(expires(1_800, None))),
            ("1800;refresher=uac", Some(expires(1_800, UAC))),
            (" 90 ; Refresher = UAS", Some(expires(90, UAS))),
            ("90;x=y;refresher=uas;z", Some(expires(90, UAS))),
            ("90;refresher=proxy", Some(expires(90, None))),
            ("4294967295", Some(expires(u32::MAX, None))),
            ("4294967296", None),
            ("-1", None),
            ("", None),
            (";refresher=uac", None),
            ("soon", None),
        ] {
            assert_eq!(Expires::read(value), expected, "{value:?}");
        }
        for value in ["1800", "1800;refresher=uac", "90;refresher=uas"] {
            assert_eq!(Expires::read(value).unwrap().write(), value);
        }
    }

    #[test]
    fn what_is_asked_has_its_answer() {
        let agreed = |interval_s, refresher| Answer::Agreed { interval_s, refresher };
        for (asked, knows_timers, expected) in [
            (None, true, Answer::Untimed),
            (None, false, Answer::Untimed),
            (Some(expires(1_800, None)), true, agreed(1_800, Refresher::Uac)),
            (Some(expires(1_800, UAC)), true, agreed(1_800, Refresher::Uac)),
            (Some(expires(1_800, UAS)), true, agreed(1_800, Refresher::Uas)),
            // A proxy put it in.
            (Some(expires(1_800, None)), false, agreed(1_800, Refresher::Uas)),
            (Some(expires(1_800, UAC)), false, agreed(1_800, Refresher::Uas)),
            (Some(expires(90, None)), true, agreed(90, Refresher::Uac)),
            (Some(expires(89, None)), true, Answer::TooSmall),
            (Some(expires(0, UAS)), true, Answer::TooSmall),
            (Some(expires(89, None)), false, Answer::Untimed),
        ] {
            assert_eq!(answer(asked, knows_timers), expected, "{asked:?} {knows_timers}");
        }
    }

    #[test]
    fn a_refresh_is_due_after_half_and_the_end_before_the_whole() {
        let now = Instant::now();
        for (interval_s, ours, after_s) in [
            (1_800, true, 900),
            (1_800, false, 1_768),
            (90, true, 45),
            (90, false, 60),
            (6, false, 4),
            (1, true, 1),
            (0, true, 1),
            (0, false, 1),
        ] {
            let timer = SessionTimer::new(interval_s, ours, now);
            assert_eq!(timer.due(), now + Duration::from_secs(after_s), "{interval_s} {ours}");
        }
        let refused = SessionTimer::new(1_800, true, now).refused();
        assert!(!refused.is_ours());
        assert_eq!(
            refused.due(),
            now + Duration::from_secs(1_768),
            "the last refresh counts"
        );
        for (refresher, ours) in [(UAC, true), (None, true), (UAS, false)] {
            assert_eq!(SessionTimer::answered(expires(90, refresher), now).is_ours(), ours);
        }
    }

    #[test]
    fn a_request_that_crossed_another_one_waits_as_its_side_does() {
        let pause_ms = |ours, random| pause_when_crossed(ours, random).as_millis();
        for (ours, random, expected_ms) in [
            (true, 0, 2_100),
            (true, 1, 2_110),
            (true, 190, 4_000),
            (true, 191, 2_100),
            (false, 0, 0),
            (false, 1, 10),
            (false, 200, 2_000),
            (false, 201, 0),
        ] {
            assert_eq!(pause_ms(ours, random), expected_ms, "{ours} {random}");
        }
        assert!((2_100..=4_000).contains(&pause_ms(true, u64::MAX)));
        assert!(pause_ms(false, u64::MAX) <= 2_000);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(value in "[0-9a-z=; ]{0,30}", ours in any::<bool>()) {
            if let Some(expires) = Expires::read(&value) {
                let _ = SessionTimer::new(expires.interval_s, ours, Instant::now()).due();
            }
        }
    }
}
