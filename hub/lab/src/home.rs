//! A simulated home: an appliance of `tests-world` as a device on real MQTT, and recorded streams as one.
//!
//! It runs on the device agent: message bytes are made once and kept in the agent's outbox until the hub has acknowledged
//! them, over as many connections as it takes. A home may also have a foreign MQTT client, because most devices do, or real
//! firmware on a board.

mod board;
mod command;
mod delivery;
mod device;
mod foreign;
mod message;
mod replay;
#[cfg(test)]
mod tests;

pub use board::{Board, run_on_board};
pub use delivery::{Delivered, DeviceConnection, DeviceError};
pub use foreign::run_foreign;
pub use message::Sample;
pub use replay::{Pace, Replay, replay};

use device::{Device, Source};
use hub_core::clock::CivilClock;
use hub_core::profile::ApplianceProfile;
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tests_world::{FaultKind, WashingMachine};
use tokio_util::sync::CancellationToken;

/// What homes have sent and what the hub has acknowledged, in samples; shared by as many homes as wanted.
#[derive(Debug, Default)]
pub struct HomeCounters {
    published: AtomicU64,
    acknowledged: AtomicU64,
    resent: AtomicU64,
}

impl HomeCounters {
    /// Samples put on a connection at least once.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Samples whose message the hub has acknowledged, each counted once.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Samples sent again after a lost connection.
    pub fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }
}

/// A simulated machine that several can hold: its home, the technician, the story teller.
#[derive(Debug, Clone)]
pub struct Machine(Arc<Mutex<WashingMachine>>);

impl Machine {
    /// Shares a machine.
    pub fn new(machine: WashingMachine) -> Self {
        Self(Arc::new(Mutex::new(machine)))
    }

    /// The technician's visit: what is worn at `now` is replaced.
    pub fn repair(&self, now: Timestamp) {
        self.lock().repair(now);
    }

    /// What is really wrong, and how far gone from 0 to 1; only the simulation knows.
    pub fn worst_fault(&self, now: Timestamp) -> Option<(FaultKind, f64)> {
        self.lock().worst_fault(now)
    }

    fn lock(&self) -> MutexGuard<'_, WashingMachine> {
        // The model changes no invariant half-way, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A home with one appliance.
#[derive(Debug, Clone)]
pub struct Home {
    /// The tenant of the credential.
    pub tenant: String,
    /// The device id within the tenant.
    pub device: String,
    /// The device secret.
    pub secret: String,
    /// The appliance.
    pub machine: Machine,
    /// Resolution and ids of what the appliance measures.
    pub profile: Arc<ApplianceProfile>,
    /// Of this start of the device: drawn again by the caller each time, at most `agent_sdk_wire::MAX_NUMBER`.
    pub boot_id: u64,
}

/// Runs a home until `stop`: publishes what the machine measures as civil time passes, answers commands, reconnects.
/// On `stop` it takes no further samples, and waits a few seconds for the acknowledgements under way.
///
/// # Errors
/// Only if the hub refuses the credential; everything else is tried again.
pub async fn run(
    home: Home,
    broker: SocketAddr,
    clock: Arc<dyn CivilClock>,
    stop: CancellationToken,
    counters: Arc<HomeCounters>,
) -> Result<Delivered, DeviceError> {
    let (connection, source) = home_parts(&home, broker, clock);
    Device::new(connection, home.profile, home.boot_id, source, counters, stop, None)
        .run()
        .await
}

/// How a home reaches its hub, and what it measures.
fn home_parts(home: &Home, broker: SocketAddr, clock: Arc<dyn CivilClock>) -> (DeviceConnection, Living) {
    let connection = DeviceConnection {
        broker,
        tenant: home.tenant.clone(),
        device: home.device.clone(),
        secret: home.secret.clone(),
    };
    let source = Living {
        machine: home.machine.clone(),
        lived: clock.now(),
        clock,
    };
    (connection, source)
}

/// The most civil time a machine lives at once: bounds the samples of one step when the clock jumps.
const STEP: SignedDuration = SignedDuration::from_hours(24);

/// A machine that lives in civil time.
struct Living {
    machine: Machine,
    clock: Arc<dyn CivilClock>,
    lived: Timestamp,
}

impl Source for Living {
    fn due(&mut self, _room: usize) -> Vec<Sample> {
        // Without the limit only where the calendar ends.
        let limit = self.lived.checked_add(STEP).unwrap_or(Timestamp::MAX);
        self.lived = self.clock.now().min(limit);
        let samples = self.machine.lock().step_until(self.lived);
        samples.into_iter().map(Sample::from).collect()
    }

    fn is_over(&mut self) -> bool {
        false
    }
}
