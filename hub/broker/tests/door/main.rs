//! The broker over real TCP: honest devices, hostile ones, and a store that can be held, failed or poisoned.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a failed test may panic"))]

mod acknowledge;
mod at_once;
mod birth;
mod client;
mod commands;
mod crowd;
mod exactly_once;
mod faults;
mod hostile;
mod ingest;
mod integrator;
mod quotas;
mod session;
mod store;
mod thingsboard;
mod tls;
mod web;

use client::PATIENCE;
use hub_broker::{Broker, BrokerConfig};
use hub_core::clock::{CivilClock, ManualClock};
use hub_core::families::Families;
use hub_core::profile::{ApplianceProfile, Channel, Family, FamilyWords};
use hub_core::site::Localised;
use hub_store::access::Authority;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::FaultyStore;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A broker with its store.
struct Door {
    broker: Broker,
    store: Arc<FaultyStore>,
    clock: Arc<ManualClock>,
    addr: SocketAddr,
}

/// Civil time in all tests, until a test moves it.
const NOW: &str = "2026-03-02T09:00:00Z";

impl Door {
    async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    async fn open_with(change: impl FnOnce(&mut BrokerConfig)) -> Self {
        Self::open_with_authorities(Vec::new(), change).await
    }

    async fn open_with_authorities(authorities: Vec<Authority>, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let names = [
            ("acme", "washer"),
            ("globex", "washer"),
            ("acme", "dryer"),
            ("acme", "bad"),
        ];
        Self::open_for(&names, authorities, change).await
    }

    async fn open_for(
        names: &[(&str, &str)],
        authorities: Vec<Authority>,
        change: impl FnOnce(&mut BrokerConfig),
    ) -> Self {
        let store = Arc::new(FaultyStore::new(names).await);
        store.change(|s| s.authorities = authorities);
        let families = watch::channel(Arc::new(Families::new([family()], []))).1;
        let clock = Arc::new(ManualClock::new(NOW.parse().unwrap()));
        let mut config = BrokerConfig::new("127.0.0.1:0".parse().unwrap());
        change(&mut config);
        let civil: Arc<dyn CivilClock> = Arc::clone(&clock) as _;
        let stop = CancellationToken::new();
        let broker = Broker::start(config, Arc::clone(&store) as _, families, civil, stop)
            .await
            .unwrap();
        let addr = broker.local_addr().unwrap();
        Self {
            broker,
            store,
            clock,
            addr,
        }
    }

    fn closed(&self, label: &str) -> u64 {
        self.broker.counters().closed_for(label)
    }

    fn connections(&self) -> u64 {
        let counters = self.broker.counters();
        counters.connections.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How often the broker has asked for changes of access, once at least.
    async fn access_asked(&self) -> usize {
        let asked = || self.store.with(|s| s.access_asked);
        eventually("changes of access are asked for", || asked() > 0).await;
        asked()
    }

    fn now_ms(&self) -> i64 {
        let now: Timestamp = self.clock.now();
        now.as_millisecond()
    }
}

/// A profile of two channels, whose words nobody reads here.
fn family() -> Family {
    let channel = |id, name: &str, decimals, min, max| Channel {
        id,
        name: name.into(),
        unit: "A".into(),
        decimals,
        min,
        max,
    };
    let channels = vec![
        channel(1, "pump_current", 3, 0.0, 10.0),
        channel(2, "water_temp", 1, -20.0, 120.0),
    ];
    let profile = ApplianceProfile {
        name: "washing-machine".into(),
        version: 1,
        channels,
    };
    profile.check().unwrap();
    let words = || Localised {
        zh_cn: "洗衣机".into(),
        en: "washing machine".into(),
    };
    let words = FamilyWords {
        name: words(),
        spoken: words(),
        channels: BTreeMap::new(),
    };
    Family { profile, words }
}

/// Waits until `true`, or fails with `what`.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let tries = PATIENCE.as_millis() / 5;
    for _ in 0..tries {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("did not happen in time: {what}");
}
