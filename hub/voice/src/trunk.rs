//! The trunks that calls go over: their channels, where their carriers are, and how one set of them follows another while calls are up.

use crate::config::TrunkConfig;
use crate::signaling::called::{Called, owner};
use crate::signaling::rsip::Peer;
use crate::unknown::Unknown;
use crate::whereabouts::{Whereabouts, at_any_port};
use hub_core::host::HostPort;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A trunk, its free channels, and its callers whom nobody knows since their number stands in From alone.
pub(crate) struct Trunk {
    pub config: TrunkConfig,
    /// Of all calls.
    pub channels: Arc<Semaphore>,
    /// Of calls that we place: fewer, so that owners can ring back.
    outbound: Arc<Semaphore>,
    pub unknown: Arc<Unknown>,
    /// Where its carrier is.
    pub peer: Peer,
}

/// A channel for a call that we place.
pub struct Channel {
    _of_all: OwnedSemaphorePermit,
    _outbound: OwnedSemaphorePermit,
}

impl Trunk {
    fn new(config: TrunkConfig) -> Self {
        let place = |host: HostPort| Arc::new(Whereabouts::new(host));
        Self {
            channels: Arc::new(Semaphore::new(config.channels)),
            outbound: Arc::new(Semaphore::new(config.outbound_channels())),
            unknown: Arc::default(),
            peer: Peer {
                place: place(config.proxy.clone()),
                others: config.addresses.iter().map(|host| place(at_any_port(host))).collect(),
            },
            config,
        }
    }

    /// The same as it is declared now. Channels that calls have are still taken; how many there are changes when it is used.
    fn follow(&self, config: TrunkConfig) -> Self {
        let mut next = Self::new(config);
        next.unknown = Arc::clone(&self.unknown);
        (next.channels, next.outbound) = (Arc::clone(&self.channels), Arc::clone(&self.outbound));
        if (&next.config.proxy, &next.config.addresses) == (&self.config.proxy, &self.config.addresses) {
            next.peer = self.peer.clone();
        }
        next
    }

    /// Whether it has no channel now for a call that we place.
    pub fn is_full(&self) -> bool {
        self.outbound.available_permits() == 0 || self.channels.available_permits() == 0
    }

    /// A channel for a call that we place, if there is one.
    pub fn try_channel(&self) -> Option<Channel> {
        let outbound = Arc::clone(&self.outbound).try_acquire_owned().ok()?;
        let of_all = Arc::clone(&self.channels).try_acquire_owned().ok()?;
        Some(Channel {
            _of_all: of_all,
            _outbound: outbound,
        })
    }

    /// The same, as soon as there is one.
    pub async fn channel(&self) -> Option<Channel> {
        let outbound = Arc::clone(&self.outbound).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.channels).acquire_owned().await.ok()?;
        Some(Channel {
            _of_all: of_all,
            _outbound: outbound,
        })
    }
}

/// From `before` channels to `now`. Those that are to go and that calls have go as they come back.
fn resize(channels: &Arc<Semaphore>, before: usize, now: usize) {
    channels.add_permits(now.saturating_sub(before));
    let fewer = before.saturating_sub(now);
    let still_taken = fewer - channels.forget_permits(fewer);
    if let Ok(still_taken @ 1..) = u32::try_from(still_taken) {
        let coming_back = Arc::clone(channels).acquire_many_owned(still_taken);
        tokio::spawn(async move { coming_back.await.map(OwnedSemaphorePermit::forget) });
    }
}

/// Why a call that comes in belongs to no trunk.
pub(crate) enum NoTrunk {
    /// No trunk stands at the address it comes from.
    Stranger,
    /// It is for no number of the trunks there.
    NotOurs,
}

/// The trunks that are used now. A call keeps the one that it has.
pub(crate) struct Trunks(RwLock<Vec<Arc<Trunk>>>);

impl Trunks {
    pub fn new(configs: Vec<TrunkConfig>) -> Self {
        let trunks = configs.into_iter().map(Trunk::new).map(Arc::new);
        Self(RwLock::new(trunks.collect()))
    }

    /// All of them, as they would be with these settings.
    pub fn with(&self, configs: Vec<TrunkConfig>) -> Vec<Arc<Trunk>> {
        let known = self.read();
        let next = |config: TrunkConfig| match known.iter().find(|trunk| trunk.config.name == config.name) {
            Some(trunk) if trunk.config == config => Arc::clone(trunk),
            Some(trunk) => Arc::new(trunk.follow(config)),
            None => Arc::new(Trunk::new(config)),
        };
        configs.into_iter().map(next).collect()
    }

    /// Uses these from now on.
    pub fn replace(&self, trunks: Vec<Arc<Trunk>>) {
        let mut used = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for trunk in &trunks {
            let same = |before: &&Arc<Trunk>| Arc::ptr_eq(&before.channels, &trunk.channels);
            if let Some(before) = used.iter().find(same) {
                let (old, new) = (&before.config, &trunk.config);
                resize(&trunk.channels, old.channels, new.channels);
                resize(&trunk.outbound, old.outbound_channels(), new.outbound_channels());
            }
        }
        *used = trunks;
    }

    /// All that are used now.
    pub fn all(&self) -> Vec<Arc<Trunk>> {
        self.read().clone()
    }

    pub fn named(&self, name: &str) -> Option<Arc<Trunk>> {
        self.read().iter().find(|trunk| trunk.config.name == name).cloned()
    }

    /// The trunk that a call from `peer` came in over: the one at that address whose number was called.
    pub fn of_inbound(&self, peer: IpAddr, called: Option<&Called>) -> Result<Arc<Trunk>, NoTrunk> {
        let trunks = self.read();
        let of_peer = || trunks.iter().filter(|trunk| trunk.peer.stands_at(peer));
        if of_peer().next().is_none() {
            return Err(NoTrunk::Stranger);
        }
        let own = of_peer().map(|trunk| (&trunk.config.caller_number, trunk));
        called
            .and_then(|called| owner(called, own))
            .cloned()
            .ok_or(NoTrunk::NotOurs)
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Trunk>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_core::phone_number::PhoneNumber;

    fn config(name: &str, channels: usize, inbound_channels: Option<usize>) -> TrunkConfig {
        TrunkConfig {
            name: name.to_owned(),
            proxy: "192.0.2.1:5060".parse().unwrap(),
            addresses: Vec::new(),
            domain: "trunk.test".to_owned(),
            username: None,
            password: None,
            caller_number: PhoneNumber::new("+864008000001").unwrap(),
            channels,
            inbound_channels,
            believe_from: false,
            post_dial_limit_s: None,
            trying_limit_s: None,
            number_plan: None,
        }
    }

    #[test]
    fn our_own_calls_leave_channels_to_owners_who_ring() {
        for (channels, inbound, own) in [
            (8, None, 6),
            (10, None, 7),
            (2, None, 1),
            (1, None, 1),
            (8, Some(0), 8),
            (8, Some(3), 5),
            (8, Some(20), 1),
        ] {
            let trunk = Trunk::new(config("acme", channels, inbound));
            let held: Vec<Channel> = std::iter::from_fn(|| trunk.try_channel()).collect();
            assert_eq!(held.len(), own, "{channels} {inbound:?}");
            assert_eq!(trunk.channels.available_permits(), channels - own);
        }
    }

    #[tokio::test]
    async fn a_trunk_that_changes_keeps_the_channels_that_calls_have() {
        let trunks = Trunks::new(vec![config("acme", 8, None), config("beta", 8, None)]);
        let [acme, beta] = ["acme", "beta"].map(|name| trunks.named(name).unwrap());
        let up = acme.try_channel().unwrap();
        let mut moved = config("acme", 8, None);
        moved.proxy = "192.0.2.9:5060".parse().unwrap();
        let next = trunks.with(vec![moved, config("beta", 8, None), config("gamma", 1, None)]);
        assert!(Arc::ptr_eq(&next[1], &beta) && !Arc::ptr_eq(&next[0], &acme));
        assert_eq!(next[0].channels.available_permits(), 7);
        assert!(next[0].peer.stands_at("192.0.2.9".parse().unwrap()));
        assert!(!next[0].peer.stands_at("192.0.2.1".parse().unwrap()));
        trunks.replace(next);
        assert!(trunks.named("gamma").is_some() && trunks.all().len() == 3);
        trunks.replace(trunks.with(vec![config("acme", 4, None)]));
        assert!(trunks.named("beta").is_none(), "it is not declared any more");
        let acme = trunks.named("acme").unwrap();
        assert_eq!(acme.channels.available_permits(), 3, "one call of before is up");
        // Fewer than calls have: they go as they come back.
        let more: Vec<Channel> = std::iter::from_fn(|| acme.try_channel()).collect();
        assert_eq!((more.len(), acme.is_full()), (2, true));
        trunks.replace(trunks.with(vec![config("acme", 1, None)]));
        tokio::task::yield_now().await;
        drop(more);
        tokio::task::yield_now().await;
        let acme = trunks.named("acme").unwrap();
        assert!(acme.is_full() && acme.channels.available_permits() == 0);
        drop(up);
        assert_eq!(acme.channels.available_permits(), 1);
        assert!(!acme.is_full());
        trunks.replace(trunks.with(vec![config("acme", 8, None)]));
        assert_eq!(acme.channels.available_permits(), 8);
    }
}
