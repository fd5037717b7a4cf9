//! Strangers at work beside those who ask honestly.

use super::calls::Calls;
use super::crowd::Crowd;
use super::flood::{Flood, Kind, request};
use super::plan::Load;
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// Strangers at work.
pub(super) enum Running {
    Nobody,
    Crowd(Crowd),
    Flood(Flood),
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

    /// Sends them away; what they did.
    pub fn stop(self) -> String {
        match self {
            Self::Nobody => "no strangers".into(),
            Self::Crowd(crowd) => {
                let (opened, closed) = crowd.counts();
                format!("{opened} connections opened, {closed} closed by the hub")
            }
            Self::Flood(flood) => format!("{} datagrams", flood.stop()),
        }
    }
}

/// Sends the calls that come from the carrier's own address.
pub(super) async fn unacknowledged(load: Load, calls: &Calls, hub: SocketAddr) {
    let Load::Unacknowledged(count) = load else { return };
    let socket = calls.socket();
    for n in 0..count as u64 {
        // What the system does not take is lost, as on a network.
        let _ = socket
            .send_to(request(Kind::Invite, hub, calls.local(), n).as_bytes(), hub)
            .await;
        sleep(Duration::from_millis(5)).await;
    }
}
