//! Strangers at work beside those who ask honestly, and whether they did as much as was meant: a hub that was spared says
//! nothing of one that is attacked.

use super::calls::Calls;
use super::crowd::Crowd;
use super::flood::{Flood, Kind, request};
use super::plan::Load;
use crate::bar::Bars;
use anyhow::Result;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// Of the datagrams that are meant, a flood sends at least this share: it is on the machine of those that it floods, and what
/// it could not send in one burst it sends with the next.
const SENT_SHARE_MIN: f64 = 0.9;
/// From so many a second on it is less: two cores have not always the time for that beside the hub.
const FAST_A_SECOND: u32 = 10_000;
const FAST_SENT_SHARE_MIN: f64 = 0.8;
/// Between two of the calls that come from the carrier's own address.
const CALL_EVERY: Duration = Duration::from_millis(5);

/// Strangers at work.
pub(super) enum Running {
    Nobody,
    Crowd(Crowd),
    Flood(Flood),
}

/// What they have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Nothing,
    /// A connection that the hub refuses after it has accepted it is opened, and closed by the hub.
    Connections {
        opened: u64,
        closed: u64,
    },
    /// That the system took.
    Datagrams(u64),
}

impl Display for Done {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no strangers"),
            Self::Connections { opened, closed } => {
                write!(f, "{opened} connections opened, {closed} closed by the hub")
            }
            Self::Datagrams(sent) => write!(f, "{sent} datagrams"),
        }
    }
}

impl Running {
    pub fn start(load: Load, http: SocketAddr, sip: SocketAddr) -> Result<Self> {
        Ok(match load {
            // Those come from the carrier's own address.
            Load::Quiet | Load::Unacknowledged(_) => Self::Nobody,
            Load::Crowd(habit, count, addresses) => Self::Crowd(Crowd::gather(http, habit, count, addresses)),
            Load::Invites(a_second) => Self::Flood(Flood::start(sip, Kind::Invite, a_second)?),
            Load::Byes(a_second) => Self::Flood(Flood::start(sip, Kind::Bye, a_second)?),
        })
    }

    /// Sends them away.
    pub fn stop(self) -> Done {
        match self {
            Self::Nobody => Done::Nothing,
            Self::Crowd(crowd) => {
                let (opened, closed) = crowd.counts();
                Done::Connections { opened, closed }
            }
            Self::Flood(flood) => Done::Datagrams(flood.stop()),
        }
    }
}

/// Sends the calls that come from the carrier's own address; how many the system took. `None` for another load.
pub(super) async fn unacknowledged(load: Load, calls: &Calls, hub: SocketAddr) -> Option<u64> {
    let Load::Unacknowledged(count) = load else {
        return None;
    };
    let socket = calls.socket();
    let mut taken = 0;
    for n in 0..count as u64 {
        let invite = request(Kind::Invite, hub, calls.local(), n);
        // What the system does not take is lost, as on a network.
        let sent = socket.send_to(invite.as_bytes(), hub).await;
        taken += u64::from(sent.is_ok());
        sleep(CALL_EVERY).await;
    }
    Some(taken)
}

/// The load that was meant is the one that there was, for so long.
pub(super) fn judge(name: &str, load: Load, took: Duration, done: Done, bars: &mut Bars) {
    let reached = match done {
        Done::Nothing => 0,
        Done::Connections { opened, .. } => opened,
        Done::Datagrams(sent) => sent,
    } as f64;
    match load {
        Load::Quiet => {}
        Load::Crowd(_, count, _) => bars.at_least(&format!("{name}_opened"), reached, count as f64),
        Load::Unacknowledged(count) => bars.at_least(&format!("{name}_sent"), reached, count as f64),
        Load::Invites(a_second) | Load::Byes(a_second) => {
            bars.at_least(&format!("{name}_sent"), reached, least_sent(a_second, took));
        }
    }
}

/// Datagrams of a flood in this time.
pub(super) fn least_sent(a_second: u32, took: Duration) -> f64 {
    let share = if a_second < FAST_A_SECOND {
        SENT_SHARE_MIN
    } else {
        FAST_SENT_SHARE_MIN
    };
    share * f64::from(a_second) * took.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::crowd::Habit;
    use super::*;

    #[test]
    fn a_load_that_was_not_reached_is_missed() {
        let held = |load, done, bar| {
            let mut bars = Bars::default();
            judge("x", load, Duration::from_secs(10), done, &mut bars);
            bars.is_held(bar)
        };
        let opened = |opened| Done::Connections { opened, closed: 90 };
        let crowd = Load::Crowd(Habit::Silent, 100, 4);
        assert!(held(crowd, opened(100), "x_opened") && !held(crowd, opened(99), "x_opened"));
        for (load, enough, too_few) in [
            (Load::Byes(6_000), 54_100, 53_900),
            (Load::Invites(16_000), 128_100, 127_900),
            (Load::Unacknowledged(400), 400, 399),
        ] {
            assert!(held(load, Done::Datagrams(enough), "x_sent"), "{load:?}");
            assert!(!held(load, Done::Datagrams(too_few), "x_sent"), "{load:?}");
        }
    }
}
