//! Slows down guessing of passwords and codes. Bounded: an attacker fills the table only with themselves.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Wrong passwords that cost nothing but the check.
const FREE: u32 = 5;
/// The first wait; each further wrong password doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(900);
/// Sources remembered; the one that was quiet for longest gives way.
const SOURCES_MAX: usize = 4096;

/// A source's wrong passwords.
#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Wrong tries by source.
#[derive(Debug)]
pub(crate) struct Throttle<K> {
    sources: HashMap<K, Failures>,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
        }
    }
}

/// Wrong passwords, by where they come from, and by that and the account that they are tried on: one's own log-in does not make
/// guessing at another account free again. A stranger's guesses do not keep its person out elsewhere.
#[derive(Debug, Default)]
pub(crate) struct LogInThrottle {
    pub(crate) networks: Throttle<IpAddr>,
    pub(crate) accounts: Throttle<(IpAddr, String)>,
}

/// Wrong codes, by where they come from and by the device that they are tried on: a crowd of addresses is stopped by the
/// device, and who goes from device to device by their address.
#[derive(Debug, Default)]
pub(crate) struct ClaimThrottle {
    pub(crate) addresses: Throttle<IpAddr>,
    pub(crate) devices: Throttle<(String, String)>,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// How long this source must wait, if at all.
    pub(crate) fn wait(&self, source: &K, now: Instant) -> Option<Duration> {
        let failures = self.sources.get(source)?;
        let doublings = failures.count.checked_sub(FREE)?.min(16);
        let wait = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX);
        (failures.last + wait)
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// Notes the start of a check; taken back by [`Throttle::passed`]. Counted before the check, so that a burst of
    /// requests sent at once is not let through as one.
    pub(crate) fn attempt(&mut self, source: K, now: Instant) {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            let quietest = self
                .sources
                .iter()
                .min_by_key(|(_, f)| f.last)
                .map(|(source, _)| source.clone());
            quietest.and_then(|source| self.sources.remove(&source));
        }
        let failures = self.sources.entry(source).or_insert(Failures { count: 0, last: now });
        if now.duration_since(failures.last) > WAIT_MAX {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// The password was right: the source starts over.
    pub(crate) fn passed(&mut self, source: &K) {
        self.sources.remove(source);
    }
}

/// The source that an address stands for: an IPv4 address, or an IPv6 /64, since one customer holds at least that.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        network(text.parse().unwrap())
    }

    #[tokio::test]
    async fn the_sixth_guess_waits_and_each_further_one_twice_as_long() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(throttle.wait(&ip("192.0.2.1"), now), None);
            throttle.attempt(ip("192.0.2.1"), now);
        }
        assert_eq!(throttle.wait(&ip("192.0.2.1"), now), Some(WAIT_FIRST));
        assert_eq!(throttle.wait(&ip("192.0.2.1"), now + WAIT_FIRST), None);
        throttle.attempt(ip("192.0.2.1"), now);
        assert_eq!(throttle.wait(&ip("192.0.2.1"), now), Some(WAIT_FIRST * 2));
        assert_eq!(throttle.wait(&ip("192.0.2.2"), now), None);
        throttle.passed(&ip("192.0.2.1"));
        assert_eq!(throttle.wait(&ip("192.0.2.1"), now), None);
    }

    #[tokio::test]
    async fn the_table_is_bounded_and_a_64_is_one_source() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..u32::try_from(SOURCES_MAX).unwrap() + 100 {
            throttle.attempt(IpAddr::V4(n.into()), now + Duration::from_millis(u64::from(n)));
        }
        assert_eq!(throttle.sources.len(), SOURCES_MAX);
        for n in 0..FREE {
            throttle.attempt(ip(&format!("2001:db8::{n}")), now);
        }
        assert!(throttle.wait(&ip("2001:db8::ffff"), now).is_some());
        assert!(throttle.wait(&ip("2001:db8:0:1::1"), now).is_none());
    }
}
