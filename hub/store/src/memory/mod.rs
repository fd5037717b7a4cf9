//! A store in memory, by the same rules: for tests and for the deterministic simulation. It neither reads a clock nor asks
//! for random numbers: what it draws comes from its seed, so its secrets can be foretold and it is no place for real ones.
//!
//! One lock is one transaction: every operation checks all that can refuse it before it changes anything.

mod access;
mod account;
mod appointment;
mod attempt;
mod baseline;
mod budget;
mod claim;
mod command;
mod contact;
mod credential;
mod device;
mod event;
mod finding;
mod floors;
mod group;
mod identify;
mod ingest;
mod lease;
mod look;
mod prediction;
mod provision;
mod quarantine;
mod reading;
mod readings;
mod retention;
mod said;
mod session;
mod shadow;
mod site;
mod site_apply;
mod situation;
mod slot;
mod state;
mod telemetry;
mod tenant;
mod ticket;

use crate::error::{Result, not_found};
use crate::page::{PAGE_MAX, Page, cursor, name_cursor};
use crate::retention::Gate;
use crate::signals::Signals;
use crate::text::{text, without_nul};
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The store. Implements every trait of this crate. A clone is the same hub; [`MemoryStore::beside`] is another one.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    hub: Arc<Hub>,
}

/// What all hubs see.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The appliance profiles that exist, by name.
    profiles: BTreeMap<String, Arc<ApplianceProfile>>,
    signals: Signals,
    /// It says of itself that it does not answer.
    is_away: AtomicBool,
}

/// What one hub keeps to itself.
#[derive(Debug, Default)]
struct Hub {
    /// Of the lease that it took; 0 if it took none.
    token: AtomicI64,
    /// Numbers of the changes of access that were told last.
    changes_told: Mutex<Vec<i64>>,
    /// How far deletion by age may go.
    gate: Gate,
    /// What was vouched for when it took the lease.
    vouched_before: Mutex<Option<Timestamp>>,
}

impl MemoryStore {
    /// An empty store. `profiles` are the appliance profiles that a site file may refer to, by name; `seed` decides ids and
    /// secrets.
    pub fn new(profiles: BTreeMap<String, ApplianceProfile>, seed: u64) -> Self {
        let named = profiles.into_iter().map(|(name, profile)| (name, Arc::new(profile)));
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::new(seed)),
                profiles: named.collect(),
                signals: Signals::default(),
                is_away: AtomicBool::new(false),
            }),
            hub: Arc::default(),
        }
    }

    /// Another hub on the same data: one that runs beside this one, or this one after a restart.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            hub: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A caller that panicked had not begun to change anything, or it was a test that fails anyway.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signals(&self) -> &Signals {
        &self.shared.signals
    }

    /// Wakes the tasks that wait for events and contacts.
    fn changed(&self) {
        self.signals().event();
        self.signals().contact();
    }

    fn profile_names(&self) -> BTreeSet<String> {
        self.shared.profiles.keys().cloned().collect()
    }

    fn check_profile(&self, profile: &str) -> Result<()> {
        crate::check::profile(profile, self.shared.profiles.keys())
    }
}

/// The first page of what `items` yields.
fn page<T>(items: impl Iterator<Item = T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = limit.clamp(1, PAGE_MAX);
    Page::cut(items.take(limit + 1).collect(), limit, cursor)
}
