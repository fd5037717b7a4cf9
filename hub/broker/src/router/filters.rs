//! Which filters are subscribed, and the fixed set of names under which the router knows them.
//!
//! rumqttd keeps a log for every filter that was ever subscribed and an entry for every topic that was ever published,
//! and frees neither. So it is told neither: each filter in use has a slot, the router only knows the topics `slot/0`,
//! `slot/1`, …, and a slot that nobody holds is used again. Its numbers go on, so that a message left over from an earlier
//! use is recognised.

use super::RouterError;
use super::frame::{TENANT_BYTES_MAX, TOPIC_BYTES_MAX};
use rumqttd::protocol;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The filters in use by tenant: written by the feeder, read by everyone who publishes.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    count: AtomicUsize,
    by_tenant: RwLock<HashMap<String, Arc<[String]>>>,
}

impl Wanted {
    /// Filters in use now, all tenants together.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether a message is wanted by anyone. One atomic load while nobody subscribes.
    pub fn wants(&self, tenant: &str, topic: &str) -> bool {
        if self.count() == 0 {
            return false;
        }
        let filters = self
            .by_tenant
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .cloned();
        filters.is_some_and(|filters| {
            topic.is_ascii()
                && topic.len() <= TOPIC_BYTES_MAX
                && filters.iter().any(|filter| protocol::matches(topic, filter))
        })
    }

    fn set(&self, tenant: &str, filters: Vec<String>, count: usize) {
        let mut by_tenant = self.by_tenant.write().unwrap_or_else(PoisonError::into_inner);
        if filters.is_empty() {
            by_tenant.remove(tenant);
        } else {
            by_tenant.insert(tenant.to_owned(), filters.into());
        }
        self.count.store(count, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Slot {
    /// Tenant and filter; `None` while nobody holds it.
    used: Option<(String, String)>,
    holders: usize,
    /// The number of the next message. Never set back.
    next_number: u64,
}

/// The slots. Only the feeder's thread has them.
#[derive(Debug)]
pub(super) struct Slots {
    all: Vec<Slot>,
    by_tenant: HashMap<String, Vec<u16>>,
    used: usize,
    filters_max: usize,
    filters_per_tenant_max: usize,
    wanted: Arc<Wanted>,
}

impl Slots {
    pub fn new(filters_max: u16, filters_per_tenant_max: u16, wanted: Arc<Wanted>) -> Self {
        Self {
            all: Vec::new(),
            by_tenant: HashMap::new(),
            used: 0,
            filters_max: usize::from(filters_max),
            filters_per_tenant_max: usize::from(filters_per_tenant_max),
            wanted,
        }
    }

    /// One more holder of a filter. Returns its slot and the number of the first message that will be for this holder.
    pub fn hold(&mut self, tenant: &str, filter: &str) -> Result<(u16, u64), RouterError> {
        let of_tenant = self.by_tenant.get(tenant).map_or(&[][..], Vec::as_slice);
        let held = of_tenant
            .iter()
            .copied()
            .find(|slot| self.filter(*slot) == Some(filter));
        let slot = match held {
            Some(slot) => slot,
            None if self.used >= self.filters_max => return Err(RouterError::TooManyFilters { max: self.filters_max }),
            None if of_tenant.len() >= self.filters_per_tenant_max => {
                return Err(RouterError::TooManyFilters {
                    max: self.filters_per_tenant_max,
                });
            }
            None => self.take(tenant, filter),
        };
        let entry = &mut self.all[usize::from(slot)];
        entry.holders += 1;
        Ok((slot, entry.next_number))
    }

    /// One holder fewer; the last one frees the slot.
    pub fn release(&mut self, slot: u16) {
        let entry = &mut self.all[usize::from(slot)];
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders > 0 {
            return;
        }
        let Some((tenant, _)) = entry.used.take() else { return };
        self.used -= 1;
        if let Some(of_tenant) = self.by_tenant.get_mut(&tenant) {
            of_tenant.retain(|other| *other != slot);
            if of_tenant.is_empty() {
                self.by_tenant.remove(&tenant);
            }
        }
        self.show(&tenant);
    }

    /// The slots whose filter matches, each with the number that this message has there.
    pub fn number(&mut self, tenant: &str, topic: &str) -> Vec<(u16, u64)> {
        let of_tenant = self.by_tenant.get(tenant).map_or(&[][..], Vec::as_slice);
        let mut matching = Vec::with_capacity(of_tenant.len());
        for slot in of_tenant {
            let entry = &mut self.all[usize::from(*slot)];
            if entry
                .used
                .as_ref()
                .is_some_and(|(_, filter)| protocol::matches(topic, filter))
            {
                matching.push((*slot, entry.next_number));
                entry.next_number += 1;
            }
        }
        matching
    }

    fn take(&mut self, tenant: &str, filter: &str) -> u16 {
        let free = self.all.iter().position(|slot| slot.used.is_none()).unwrap_or_else(|| {
            self.all.push(Slot::default());
            self.all.len() - 1
        });
        self.all[free].used = Some((tenant.to_owned(), filter.to_owned()));
        self.used += 1;
        let slot = u16::try_from(free).expect("there are at most `filters_max` slots, a u16");
        self.by_tenant.entry(tenant.to_owned()).or_default().push(slot);
        self.show(tenant);
        slot
    }

    fn filter(&self, slot: u16) -> Option<&str> {
        self.all[usize::from(slot)]
            .used
            .as_ref()
            .map(|(_, filter)| filter.as_str())
    }

    fn show(&self, tenant: &str) {
        let of_tenant = self.by_tenant.get(tenant).map_or(&[][..], Vec::as_slice);
        let filters = of_tenant
            .iter()
            .filter_map(|slot| self.filter(*slot))
            .map(str::to_owned)
            .collect();
        self.wanted.set(tenant, filters, self.used);
    }
}

/// The router's own name of a slot.
pub(super) fn slot_topic(slot: u16) -> String {
    format!("slot/{slot}")
}

/// A tenant's key as it may stand in a frame.
pub(super) fn check_tenant(tenant: &str) -> Result<(), RouterError> {
    let sound = !tenant.is_empty() && tenant.is_ascii() && tenant.len() <= TENANT_BYTES_MAX;
    if sound { Ok(()) } else { Err(RouterError::Tenant) }
}

/// What an integrator may subscribe to: ASCII, well-formed (MQTT 5.0 §4.7), no shared subscription, nothing under `$`.
pub(super) fn check_filter(filter: &str) -> Result<(), RouterError> {
    let sound = filter.len() <= super::FILTER_BYTES_MAX
        && filter.bytes().all(|byte| matches!(byte, 0x20..0x7f))
        && !filter.starts_with('$')
        && protocol::valid_filter(filter);
    if sound { Ok(()) } else { Err(RouterError::Filter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Slots {
        Slots::new(3, 2, Arc::default())
    }

    #[test]
    fn a_filter_has_one_slot_however_many_hold_it() {
        let mut slots = slots();
        let (first, _) = slots.hold("acme", "d/+/t").unwrap();
        let (second, _) = slots.hold("acme", "d/+/t").unwrap();
        let (other_tenant, _) = slots.hold("zeta", "d/+/t").unwrap();
        assert_eq!(first, second);
        assert_ne!(first, other_tenant);
        slots.release(first);
        assert_eq!(slots.number("acme", "d/1/t"), [(first, 0)]);
        slots.release(first);
        assert_eq!(slots.number("acme", "d/1/t"), []);
        assert!(!slots.wanted.wants("acme", "d/1/t"));
        assert!(slots.wanted.wants("zeta", "d/1/t"));
    }

    #[test]
    fn a_slot_used_again_goes_on_counting() {
        let mut slots = slots();
        let (slot, _) = slots.hold("acme", "#").unwrap();
        slots.number("acme", "a");
        slots.number("acme", "b");
        slots.release(slot);
        assert_eq!(slots.hold("zeta", "#").unwrap(), (slot, 2));
    }

    #[test]
    fn filters_are_bounded_for_all_and_for_one_tenant() {
        let mut slots = slots();
        slots.hold("acme", "a").unwrap();
        slots.hold("acme", "b").unwrap();
        assert!(matches!(
            slots.hold("acme", "c"),
            Err(RouterError::TooManyFilters { max: 2 })
        ));
        slots.hold("zeta", "a").unwrap();
        assert!(matches!(
            slots.hold("third", "a"),
            Err(RouterError::TooManyFilters { max: 3 })
        ));
        slots.hold("acme", "a").unwrap();
    }

    #[test]
    fn only_plain_ascii_filters_are_taken() {
        for good in ["#", "d/+/t", "d/1/t", "+/+", "a b"] {
            assert!(check_filter(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "$share/g/t",
            "$SYS/#",
            "a/#/b",
            "a#",
            "d/+x/t",
            "家电/#",
            "a\u{0}",
            &"x".repeat(300),
        ] {
            assert!(matches!(check_filter(bad), Err(RouterError::Filter)), "{bad}");
        }
        assert!(matches!(check_tenant("家电"), Err(RouterError::Tenant)));
    }
}
