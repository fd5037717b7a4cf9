//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5 §3.8 to §3.11). What is granted in a kept session is stored before it is granted.

use super::close::{CloseReason, ShownTopic};
use super::open::{Open, Then};
use super::packet::{Filter, Outgoing, RetainHandling, Subscribe, Version};
use super::reason::Reason;
use super::role::Subscribed;
use super::{Event, Phase, Session};
use std::time::Instant;

/// SUBACK code of a filter that is not granted in MQTT 3.1.1 (§3.9.3).
const REFUSED_V4: u8 = 0x80;

impl Session {
    pub(super) fn subscribe(&mut self, subscribe: Subscribe, now: Instant) {
        let Phase::Open(open) = &mut self.phase else { return };
        if subscribe.identifier {
            return self.handle_close(CloseReason::SubscriptionId);
        }
        if let Err(reason) = answerable(open, subscribe.filters.len()) {
            return self.handle_close(reason);
        }
        let packet_id = subscribe.packet_id;
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        let (mut changed, mut refused) = (false, None);
        for filter in subscribe.filters {
            let qos = filter.qos.min(1);
            match open.role.subscribe(&filter.path, qos) {
                Ok(subscribed) => {
                    codes.push(qos);
                    match subscribed {
                        Subscribed::Device { changed: this } => changed |= this,
                        Subscribed::Integrator { new } => self.events.push_back(to_event(filter, qos, new)),
                        Subscribed::Claimant => {}
                    }
                }
                Err((reason, text)) => {
                    codes.push(match open.version {
                        Version::V4 => REFUSED_V4,
                        Version::V5 => reason.code(),
                    });
                    refused.get_or_insert((filter.path, text));
                }
            }
        }
        let changes = keep(open, changed);
        // One for all filters of a packet: there may be thousands.
        let refused = refused.map(|(path, text)| CloseReason::Filter(ShownTopic::new(&path), text));
        self.events.extend(refused.map(Event::Refused));
        let answer = Outgoing::SubAck { packet_id, codes };
        self.ask_then(changes, Then::Answer(answer, changed), now);
    }

    /// Always answered, also for filters that were never granted (MQTT 3.1.1 §3.10.4).
    pub(super) fn unsubscribe(&mut self, packet_id: u16, filters: Vec<String>, now: Instant) {
        let Phase::Open(open) = &mut self.phase else { return };
        if let Err(reason) = answerable(open, filters.len()) {
            return self.handle_close(reason);
        }
        let mut reasons = Vec::with_capacity(filters.len());
        for filter in filters {
            let dropped = open.role.unsubscribe(&filter);
            reasons.push(if dropped {
                Reason::Success
            } else {
                Reason::NoSubscriptionExisted
            });
            if dropped && matches!(open.role, super::role::Role::Integrator(_)) {
                self.events.push_back(Event::Unsubscribed { filter });
            }
        }
        let changes = keep(open, reasons.contains(&Reason::Success));
        let answer = Outgoing::UnsubAck { packet_id, reasons };
        self.ask_then(changes, Then::Answer(answer, false), now);
    }
}

fn keep(open: &Open, changed: bool) -> Vec<Event> {
    let kept = (changed && open.expiry_s > 0).then(|| open.to_kept()).flatten();
    kept.map(Event::KeepSession).into_iter().collect()
}

/// Whether the client takes the answer, which has one byte for each filter.
fn answerable(open: &Open, filters: usize) -> Result<(), CloseReason> {
    let header = 8;
    let fits = u32::try_from(filters + header).is_ok_and(|bytes| bytes <= open.packet_bytes_max);
    if fits {
        Ok(())
    } else {
        Err(CloseReason::ClientTooSmall(open.packet_bytes_max))
    }
}

fn to_event(filter: Filter, qos: u8, new: bool) -> Event {
    Event::Subscribed {
        filter: filter.path,
        qos,
        retained: match filter.retain_handling {
            RetainHandling::Always => true,
            RetainHandling::New => new,
            RetainHandling::Never => false,
        },
        retain_as_published: filter.retain_as_published,
    }
}
