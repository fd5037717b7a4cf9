//! Calls that come and go, several at a time, of which some are given up while they ring.

use super::audio::Place;
use super::caller::{Call, Rung};
use super::{MAIN_NUMBER, PATIENCE, RINGS_FOR};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use tests_hub::site::TestSite;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// A call stays up so long after its first packet was heard; so long one that was given up waits before the next.
const TALK: Duration = Duration::from_millis(300);
/// The first packet comes within this.
const HEARD_WITHIN: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);
/// Refused since it was given up (RFC 3261 §9.2).
const GIVEN_UP: u16 = 487;

/// How calls come and go.
#[derive(Debug, Clone, Copy)]
pub struct Churn {
    /// In all.
    pub calls: usize,
    /// What the hub holds after so many is what it may hold after all.
    pub first: usize,
    /// At a time.
    pub at_once: usize,
    /// Every so many-th is given up.
    pub gives_up_every: usize,
    /// What still stands in timers has run out so long after the last call: 64 times T1, and what the gate remembers.
    pub rest: Duration,
}

/// What came of some calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Talked and hung up.
    pub talked: usize,
    /// Given up before the answer.
    pub given_up: usize,
    /// Given up too late: the answer came first.
    pub crossed: usize,
    /// Up, and nothing was heard.
    pub mute: usize,
    /// The hub hung up first.
    pub ended: usize,
    /// The hub did not take our BYE.
    pub bye_lost: usize,
    /// Refused, by status; 0 is no answer.
    pub refused: BTreeMap<u16, usize>,
}

impl Tally {
    /// Calls that did not go as they should.
    pub fn wrong(&self) -> usize {
        self.mute + self.ended + self.bye_lost + self.refused.values().sum::<usize>()
    }

    fn add(&mut self, other: Self) {
        self.talked += other.talked;
        self.given_up += other.given_up;
        self.crossed += other.crossed;
        self.mute += other.mute;
        self.ended += other.ended;
        self.bye_lost += other.bye_lost;
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
    }
}

/// Makes these calls. Each place has owners of its own, in turn: nobody rings while his call before is still being ended.
///
/// # Errors
/// An answer cannot be used.
pub(super) async fn ring(peer: SocketAddr, calls: Range<usize>, owners: usize, churn: Churn) -> Result<Tally> {
    let own = owners / churn.at_once;
    ensure!(own > 0, "{owners} owners are too few for {} at once", churn.at_once);
    let mut places = JoinSet::new();
    for place in 0..churn.at_once {
        let calls = calls.clone().skip(place).step_by(churn.at_once);
        places.spawn(async move {
            let mut tally = Tally::default();
            for (turn, call) in calls.enumerate() {
                let owner = place + churn.at_once * (turn % own);
                let gives_up = call % churn.gives_up_every == churn.gives_up_every - 1;
                one(peer, owner, gives_up, &mut tally).await?;
            }
            anyhow::Ok(tally)
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = places.join_next().await {
        all.add(tally??);
    }
    Ok(all)
}

async fn one(peer: SocketAddr, owner: usize, gives_up: bool, tally: &mut Tally) -> Result<()> {
    let place = Place::open().await?;
    let mut call = Call::new(peer, &TestSite::number(owner), MAIN_NUMBER).await?;
    match call.ring(place.port, gives_up, RINGS_FOR).await? {
        Rung::Up(_) if gives_up => {
            tally.crossed += 1;
            tally.bye_lost += usize::from(!call.hang_up(PATIENCE).await);
            sleep(TALK).await;
        }
        Rung::Up(there) => {
            let talk = place.talk(there);
            let enough = async {
                let until = Instant::now() + HEARD_WITHIN;
                while talk.packets() == 0 && Instant::now() < until {
                    sleep(LOOK).await;
                }
                sleep(TALK).await;
            };
            let is_ended = call.stay(enough).await?;
            let is_mute = talk.packets() == 0;
            let is_lost = !is_ended && !call.hang_up(PATIENCE).await;
            tally.ended += usize::from(is_ended);
            tally.mute += usize::from(is_mute);
            tally.bye_lost += usize::from(is_lost);
            tally.talked += usize::from(!(is_ended || is_mute || is_lost));
        }
        Rung::Refused(GIVEN_UP) if gives_up => {
            tally.given_up += 1;
            sleep(TALK).await;
        }
        Rung::Refused(status) => *tally.refused.entry(status).or_default() += 1,
        Rung::Unanswered => *tally.refused.entry(0).or_default() += 1,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn whatever_is_not_talked_or_given_up_is_wrong() {
        let mut all = Tally {
            talked: 5,
            given_up: 2,
            crossed: 1,
            ..Tally::default()
        };
        assert_eq!(all.wrong(), 0);
        let other = Tally {
            mute: 1,
            ended: 1,
            bye_lost: 1,
            refused: [(603, 2), (0, 1)].into(),
            ..Tally::default()
        };
        all.add(other.clone());
        all.add(other);
        assert_eq!((all.talked, all.wrong(), all.refused[&603]), (5, 12, 4));
    }
}
