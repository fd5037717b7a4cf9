//! A store in memory, by the same rules: for tests and for the deterministic simulation. It neither reads a clock nor asks
//! for random numbers: what it draws comes from its seed, so its secrets can be foretold and it is no place for real ones.
//!
//! One lock is one transaction: every operation checks all that can refuse it before it changes anything.

mod access;
mod account;
mod appointment;
mod attempt;
mod authority;
mod claim;
mod command;
mod contact;
mod credential;
mod device;
mod event;
mod finding;
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
mod signals;
mod site;
mod site_apply;
mod situation;
mod slot;
mod state;
mod telemetry;
mod tenant;
mod ticket;

use crate::error::{Result, StoreError};
use crate::page::{PAGE_MAX, Page};
use crate::retention::Gate;
use hub_core::profile::ApplianceProfile;
use jiff::Timestamp;
use serde_json::Value;
use signals::Signals;
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
        if self.shared.profiles.contains_key(profile) {
            return Ok(());
        }
        let known: Vec<&str> = self.shared.profiles.keys().map(String::as_str).collect();
        Err(StoreError::Refused(format!(
            "there is no profile {profile}; there are: {}",
            known.join(", ")
        )))
    }
}

/// Nothing with this id, or not for this reader.
fn not_found(what: &'static str, id: impl ToString) -> StoreError {
    StoreError::NotFound {
        what,
        id: id.to_string(),
    }
}

/// A cursor that was given out with a page. One that nobody gave out is an error, not the first page.
fn cursor<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>> {
    after
        .map(|text| text.parse().map_err(|_| not_found("page after", text)))
        .transpose()
}

/// A cursor `tenant/device`.
fn name_cursor(after: Option<&str>) -> Result<(&str, &str)> {
    match after {
        Some(cursor) => cursor.split_once('/').ok_or_else(|| not_found("page after", cursor)),
        None => Ok(("", "")),
    }
}

/// The first page of what `items` yields.
fn page<T>(items: impl Iterator<Item = T>, limit: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut items: Vec<T> = items.take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

/// Text as a database takes it, which refuses U+0000.
fn text(from: &str) -> String {
    from.replace('\0', "\u{fffd}")
}

/// JSON as a database takes it.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(s) => Value::String(text(&s)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (text(&k), without_nul(v))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}
