//! Places of the listener: who holds how many, and who gives way. A stranger's connection gives way to newer ones, so however
//! many somebody opens and leaves, the next that asks something is answered. Knows no HTTP.

use crate::auth::throttle::network;
use crate::limits::Limits;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Connections that monitoring asked on and that give way to no stranger; one more makes the oldest of them a stranger's.
pub(crate) const MONITORING_MAX: usize = 16;

/// For whom a connection counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lot {
    /// Somebody at this address.
    Address(IpAddr),
    /// Who has logged in, by the hash of the session's token.
    Person([u8; 32]),
    /// What asked for health or metrics last.
    Monitoring,
    /// A trusted proxy, whose connections carry everybody's requests.
    Proxy,
}

/// What happens where a bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The oldest of a stranger is given up for the new one.
    OldestGivesWay,
    /// The new one is refused.
    Refused,
}

impl Lot {
    /// What comes from an address, until more is known of it.
    pub(crate) fn of(address: IpAddr) -> Self {
        Lot::Address(network(address.to_canonical()))
    }

    /// Gives way to nobody.
    fn is_held(self) -> bool {
        matches!(self, Lot::Person(_) | Lot::Proxy)
    }
}

/// All places.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    full: Full,
    table: Mutex<Table>,
    gave_way: AtomicU64,
    refused: AtomicU64,
    /// Connections whose client took nothing of an answer.
    pub(crate) unread: Arc<AtomicU64>,
}

/// What is counted of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) strangers: u64,
    pub(crate) people: u64,
    pub(crate) proxies: u64,
    pub(crate) monitoring: u64,
    pub(crate) gave_way: u64,
    pub(crate) refused: u64,
    pub(crate) unread: u64,
}

/// A place that is held until it is dropped, or has to be given up.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    gone: CancellationToken,
}

#[derive(Debug)]
struct Entry {
    home: Lot,
    lot: Lot,
    gone: CancellationToken,
}

#[derive(Debug, Default)]
struct Table {
    /// By number, which counts up: the smallest is the oldest.
    entries: HashMap<u64, Entry>,
    lots: HashMap<Lot, BTreeSet<u64>>,
    held: usize,
    next: u64,
}

impl Places {
    pub(crate) fn new(limits: Limits, full: Full) -> Arc<Self> {
        Arc::new(Self {
            limits,
            full,
            table: Mutex::default(),
            gave_way: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unread: Arc::default(),
        })
    }

    /// A place for what has just come; an older one gives way where there is none. `None` where none may give way.
    pub(crate) fn enter(self: &Arc<Self>, home: Lot) -> Option<Place> {
        let mut table = self.lock();
        if !self.makes_room(&mut table, home) {
            return None;
        }
        let (number, gone) = table.add(home);
        drop(table);
        Some(Place {
            places: Arc::clone(self),
            number,
            gone,
        })
    }

    /// Counts one that was turned away since it found no place.
    pub(crate) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self) -> Counted {
        let table = self.lock();
        let monitoring = table.len(Lot::Monitoring);
        let (all, held, proxies) = (table.entries.len(), table.held, table.len(Lot::Proxy));
        drop(table);
        Counted {
            strangers: (all - held - monitoring) as u64,
            people: (held - proxies) as u64,
            proxies: proxies as u64,
            monitoring: monitoring as u64,
            gave_way: self.gave_way.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            unread: self.unread.load(Ordering::Relaxed),
        }
    }

    fn makes_room(&self, table: &mut Table, home: Lot) -> bool {
        let (limits, refuses) = (&self.limits, self.full == Full::Refused);
        match home {
            Lot::Address(_) if table.len(home) >= limits.address_connections_max => {
                if refuses {
                    return false;
                }
                let oldest = table.oldest(home);
                self.give_way(table, oldest);
            }
            // Where nobody gives way, half is left by strangers.
            Lot::Address(_) if refuses && table.entries.len() - table.held >= limits.connections_max / 2 => {
                return false;
            }
            Lot::Person(_) if table.len(home) >= limits.person_connections_max => return false,
            Lot::Person(_) | Lot::Proxy if table.held >= limits.held_max() => return false,
            Lot::Address(_) | Lot::Person(_) | Lot::Proxy | Lot::Monitoring => {}
        }
        if table.entries.len() < limits.connections_max {
            return true;
        }
        let victim = table.fullest_address().and_then(|lot| table.oldest(lot));
        let victim = victim.or_else(|| table.oldest(Lot::Monitoring));
        if refuses || victim.is_none() {
            return false;
        }
        self.give_way(table, victim);
        true
    }

    fn give_way(&self, table: &mut Table, number: Option<u64>) {
        if let Some(entry) = number.and_then(|number| table.remove(number)) {
            entry.gone.cancel();
            self.gave_way.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Cancelled when the place has to be given up.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Somebody who has logged in asks here: it counts for them, if they hold no more than they may.
    pub(crate) fn person(&self, session: [u8; 32]) {
        let (places, lot) = (&self.places, Lot::Person(session));
        let mut table = places.lock();
        let free = table.held < places.limits.held_max() && table.len(lot) < places.limits.person_connections_max;
        if free && !table.lot(self.number).is_none_or(Lot::is_held) {
            table.move_to(self.number, lot);
        }
    }

    /// Monitoring asks here.
    pub(crate) fn monitoring(&self) {
        let mut table = self.places.lock();
        if !matches!(table.lot(self.number), Some(Lot::Address(_))) {
            return;
        }
        if table.len(Lot::Monitoring) >= MONITORING_MAX
            && let Some(oldest) = table.oldest(Lot::Monitoring)
        {
            table.go_home(oldest);
        }
        table.move_to(self.number, Lot::Monitoring);
    }

    /// Something else is asked here.
    pub(crate) fn other(&self) {
        let mut table = self.places.lock();
        if table.lot(self.number) == Some(Lot::Monitoring) {
            table.go_home(self.number);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.number);
    }
}

impl Table {
    fn len(&self, lot: Lot) -> usize {
        self.lots.get(&lot).map_or(0, BTreeSet::len)
    }

    fn lot(&self, number: u64) -> Option<Lot> {
        self.entries.get(&number).map(|entry| entry.lot)
    }

    fn oldest(&self, lot: Lot) -> Option<u64> {
        self.lots.get(&lot)?.first().copied()
    }

    /// The address with most connections, if there is any; of several the one with the oldest.
    fn fullest_address(&self) -> Option<Lot> {
        let addresses = self.lots.iter().filter(|(lot, _)| matches!(lot, Lot::Address(_)));
        let fullest = addresses.max_by_key(|(_, numbers)| (numbers.len(), Reverse(numbers.first().copied())));
        fullest.map(|(lot, _)| *lot)
    }

    fn add(&mut self, home: Lot) -> (u64, CancellationToken) {
        let (number, gone) = (self.next, CancellationToken::new());
        self.next += 1;
        let entry = Entry {
            home,
            lot: home,
            gone: gone.clone(),
        };
        self.entries.insert(number, entry);
        self.put(number, home);
        (number, gone)
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.take(number, entry.lot);
        Some(entry)
    }

    fn move_to(&mut self, number: u64, lot: Lot) {
        let Some(entry) = self.entries.get_mut(&number) else {
            return;
        };
        let from = std::mem::replace(&mut entry.lot, lot);
        self.take(number, from);
        self.put(number, lot);
    }

    fn go_home(&mut self, number: u64) {
        if let Some(home) = self.entries.get(&number).map(|entry| entry.home) {
            self.move_to(number, home);
        }
    }

    fn put(&mut self, number: u64, lot: Lot) {
        self.held += usize::from(lot.is_held());
        self.lots.entry(lot).or_default().insert(number);
    }

    fn take(&mut self, number: u64, lot: Lot) {
        self.held -= usize::from(lot.is_held());
        if let Some(numbers) = self.lots.get_mut(&lot) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.lots.remove(&lot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
