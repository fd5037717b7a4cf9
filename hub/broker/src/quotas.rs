//! How much each device and each tenant may send, over all connections and reconnections of this hub.

use crate::config::BrokerConfig;
use crate::registry::Identity;
use hub_core::id::TenantId;
use hub_core::quota::{Pace, Paid};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

/// A bucket that several tasks draw on: nanoseconds of [`Paid`].
#[derive(Debug, Default)]
struct Bucket(AtomicU64);

impl Bucket {
    fn admit(&self, pace: Pace, units: u64, now: Duration) -> bool {
        let step = |paid| {
            let after = pace.admit(Paid(Duration::from_nanos(paid)), units, now)?;
            u64::try_from(after.0.as_nanos()).ok()
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }

    /// Whether it says no more than a new one.
    fn is_rested(&self, now: Duration) -> bool {
        u128::from(self.0.load(Ordering::Relaxed)) <= now.as_nanos()
    }
}

/// What one tenant uses.
#[derive(Debug, Default)]
pub(crate) struct TenantUse {
    messages: Bucket,
    bytes: Bucket,
    /// Let in now.
    pub(crate) connections: AtomicUsize,
    /// Publishes taken since the start.
    pub(crate) taken: AtomicU64,
}

/// What one device uses.
#[derive(Debug, Default)]
struct DeviceUse {
    messages: Bucket,
    bytes: Bucket,
    connects: Bucket,
}

/// Everything that is counted against a quota.
#[derive(Debug)]
pub(crate) struct Quotas {
    start: Instant,
    devices: Mutex<HashMap<Identity, Arc<DeviceUse>>>,
    /// Grows with the tenants of the store, never with what strangers claim.
    tenants: Mutex<HashMap<TenantId, Arc<TenantUse>>>,
    greetings: Mutex<HashMap<IpAddr, usize>>,
}

/// Why something is over a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Of the device.
    Device,
    /// Of its tenant.
    Tenant,
}

/// What one connection draws on; gives its tenant's place back when it ends.
#[derive(Debug)]
pub(crate) struct Allowance {
    device: Arc<DeviceUse>,
    tenant: Arc<TenantUse>,
    start: Instant,
}

/// The places of a connection that has not been let in yet: of its address, and among all.
#[derive(Debug)]
pub(crate) struct Greeting {
    quotas: Arc<Quotas>,
    address: IpAddr,
    /// Given back with it.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Quotas {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            devices: Mutex::default(),
            tenants: Mutex::default(),
            greetings: Mutex::default(),
        }
    }

    /// A place for a new connection from `address`, if there is one.
    pub(crate) fn greet(self: &Arc<Self>, address: IpAddr, config: &BrokerConfig) -> Option<Greeting> {
        let mut greetings = lock(&self.greetings);
        let count = greetings.entry(address).or_default();
        if *count >= config.greetings_per_address_max {
            return None;
        }
        *count += 1;
        let quotas = Arc::clone(self);
        Some(Greeting {
            quotas,
            address,
            _permit: None,
        })
    }

    /// Whether this identity may connect now; refusals cost it nothing, so that it gets in when the rush is over.
    pub(crate) fn may_connect(&self, identity: &Identity, config: &BrokerConfig) -> bool {
        let Pace { per_second, burst } = config.identity_connects;
        // Many devices come with one claim credential.
        let times = if matches!(identity, Identity::Claimant(..)) {
            CLAIMANTS
        } else {
            1
        };
        let pace = Pace::new(per_second * times, burst * times);
        self.device(identity).connects.admit(pace, 1, self.start.elapsed())
    }

    /// What a connection that is let in draws on, if its tenant, or its integrator, has room for it.
    pub(crate) fn enter(&self, identity: &Identity, tenant: &TenantId, config: &BrokerConfig) -> Option<Allowance> {
        let device = self.device(identity);
        // One is held by the list, one here.
        let programs = Arc::strong_count(&device) - 2;
        if matches!(identity, Identity::Integrator(..)) && programs >= INTEGRATOR_CONNECTIONS_MAX {
            return None;
        }
        let tenant = Arc::clone(lock(&self.tenants).entry(tenant.clone()).or_default());
        let max = config.connections_per_tenant_max;
        let step = |count| (count < max).then_some(count + 1);
        tenant
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .ok()?;
        Some(Allowance {
            device,
            tenant,
            start: self.start,
        })
    }

    /// What each tenant uses.
    pub(crate) fn tenants(&self) -> Vec<(TenantId, Arc<TenantUse>)> {
        let tenants = lock(&self.tenants);
        tenants
            .iter()
            .map(|(id, used)| (id.clone(), Arc::clone(used)))
            .collect()
    }

    /// Forgets devices of which there is nothing to remember, without end.
    pub(crate) async fn tidy(&self) {
        loop {
            sleep(TIDY).await;
            let now = self.start.elapsed();
            let rested = |used: &DeviceUse| {
                [&used.messages, &used.bytes, &used.connects]
                    .iter()
                    .all(|b| b.is_rested(now))
            };
            lock(&self.devices).retain(|_, used| Arc::strong_count(used) > 1 || !rested(used));
        }
    }

    fn device(&self, identity: &Identity) -> Arc<DeviceUse> {
        let mut devices = lock(&self.devices);
        match devices.get(identity) {
            Some(used) => Arc::clone(used),
            None => Arc::clone(devices.entry(identity.clone()).or_default()),
        }
    }
}

impl Allowance {
    /// Counts a publish of `bytes`, or says whose quota it is over.
    pub(crate) fn publish(&self, bytes: usize, config: &BrokerConfig) -> Result<(), Over> {
        let now = self.start.elapsed();
        let bytes = bytes as u64;
        let device = self.device.messages.admit(config.device_messages, 1, now)
            && self.device.bytes.admit(config.device_bytes, bytes, now);
        if !device {
            return Err(Over::Device);
        }
        let tenant = self.tenant.messages.admit(config.tenant_messages, 1, now)
            && self.tenant.bytes.admit(config.tenant_bytes, bytes, now);
        if !tenant {
            return Err(Over::Tenant);
        }
        self.tenant.taken.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Allowance {
    /// Counts `units` questions like as many publishes, or says whose quota they are over.
    pub(crate) fn ask(&self, units: u64, config: &BrokerConfig) -> Result<(), Over> {
        let now = self.start.elapsed();
        if !self.device.messages.admit(config.device_messages, units, now) {
            return Err(Over::Device);
        }
        let tenant = self.tenant.messages.admit(config.tenant_messages, units, now);
        if tenant { Ok(()) } else { Err(Over::Tenant) }
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.tenant.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Greeting {
    /// With the place among all.
    pub(crate) fn with(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._permit = Some(permit);
        self
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        let mut greetings = lock(&self.quotas.greetings);
        if let Some(count) = greetings.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                greetings.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Programs of one integrator connected at one time.
const INTEGRATOR_CONNECTIONS_MAX: usize = 16;
/// How many devices' worth of connects one claim credential may make.
const CLAIMANTS: u64 = 20;
/// Between two looks for devices that can be forgotten.
const TIDY: Duration = Duration::from_secs(10);
