//! Calls that are up at the same time.

use super::audio::{Heard, PACKET_EVERY, Place, Talk};
use super::caller::{Call, Rung};
use super::{MAIN_NUMBER, PATIENCE, RINGS_FOR};
use anyhow::Result;
use std::net::SocketAddr;
use std::time::Duration;
use tests_hub::site::TestSite;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Calls begin so far apart.
const RING_EVERY: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Group {
    talks: Vec<Talk>,
    /// Each tells whether the far side ended it.
    calls: JoinSet<Result<bool>>,
    enough: watch::Sender<bool>,
    since: Instant,
}

/// What all calls of a group heard.
pub(super) struct Sum {
    /// Together.
    pub heard: Heard,
    /// Of the packets that a call hears in that time, the one that heard least heard this share.
    pub least_share: f64,
}

impl Group {
    /// Rings so many times, each as another owner; when all are up or will not be.
    ///
    /// # Errors
    /// An answer cannot be used.
    pub async fn ring(peer: SocketAddr, count: usize) -> Result<Self> {
        let begun = Instant::now();
        let mut ringing = JoinSet::new();
        for owner in 0..count {
            sleep_until(begun + RING_EVERY * u32::try_from(owner)?).await;
            ringing.spawn(begin(peer, owner));
        }
        let (enough, told) = watch::channel(false);
        let mut group = Self {
            talks: Vec::with_capacity(count),
            calls: JoinSet::new(),
            enough,
            since: begun,
        };
        while let Some(begun) = ringing.join_next().await {
            let Some((call, talk)) = begun?? else { continue };
            group.talks.push(talk);
            group.calls.spawn(last(call, told.clone()));
        }
        Ok(group)
    }

    /// Calls that came up.
    pub fn up(&self) -> usize {
        self.talks.len()
    }

    /// Counts what is heard from now on.
    pub fn listen(&mut self) {
        for talk in &self.talks {
            talk.take_heard();
        }
        self.since = Instant::now();
    }

    /// What was heard since [`Group::listen`].
    pub fn heard(&self) -> Sum {
        let whole = self.since.elapsed().as_secs_f64() / PACKET_EVERY.as_secs_f64();
        let mut sum = Sum {
            heard: Heard::default(),
            least_share: f64::INFINITY,
        };
        for talk in &self.talks {
            let heard = talk.take_heard();
            sum.heard.merge(&heard);
            sum.least_share = sum.least_share.min(heard.packets as f64 / whole);
        }
        if self.talks.is_empty() {
            sum.least_share = f64::NAN;
        }
        sum
    }

    /// Hangs up everywhere; how many calls the far side had ended by then.
    ///
    /// # Errors
    /// A call's socket gives an error.
    pub async fn end(mut self) -> Result<usize> {
        // Nobody listens if all have ended.
        let _ = self.enough.send(true);
        let mut ended = 0;
        while let Some(last) = self.calls.join_next().await {
            ended += usize::from(last??);
        }
        Ok(ended)
    }
}

async fn begin(peer: SocketAddr, owner: usize) -> Result<Option<(Call, Talk)>> {
    let place = Place::open().await?;
    let mut call = Call::new(peer, &TestSite::number(owner), MAIN_NUMBER).await?;
    match call.ring(place.port, false, RINGS_FOR).await? {
        Rung::Up(there) => Ok(Some((call, place.talk(there)))),
        other => {
            println!("  call {owner} did not come up: {other:?}");
            Ok(None)
        }
    }
}

async fn last(call: Call, mut enough: watch::Receiver<bool>) -> Result<bool> {
    let enough = async {
        // The sender is gone: the group was dropped.
        let _ = enough.wait_for(|enough| *enough).await;
    };
    let is_ended = call.stay(enough).await?;
    if !is_ended && !call.hang_up(PATIENCE).await {
        println!("  a BYE was not answered");
    }
    Ok(is_ended)
}
